import type { Codec } from "../../media/codec.ts";
import { readU16, rtpPayloadEnd, rtpPayloadStart, writeU16 } from "../packet.ts";
import { concat, type Depacketizer, Look, type PayloadFormat, type RtpPart } from "./format.ts";

/** What an MPEG audio frame header tells (ISO/IEC 11172-3 §2.4.2.3, ISO/IEC 13818-3). */
interface MpaHeader {
  readonly frameLength: number;
  readonly samples: number;
  readonly sampleRate: number;
}

const HEADER_BYTES = 4;
const RATES = [44100, 48000, 32000];
// kbit/s by bit rate index: MPEG-1 layers 1 to 3, MPEG-2 layer 1, MPEG-2 layers 2 and 3.
const MPEG1_LAYER1 = [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const MPEG1_LAYER2 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const MPEG1_LAYER3 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG2_LAYER1 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const MPEG2_OTHERS = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

function parseHeader(bytes: Uint8Array, at: number, end: number): MpaHeader | undefined {
  if (at + 4 > end || bytes[at] !== 0xff || (bytes[at + 1]! & 0xe0) !== 0xe0) return undefined;
  // Version: 0 MPEG-2.5, 2 MPEG-2, 3 MPEG-1. Layer: 3 layer 1, 2 layer 2, 1 layer 3.
  const version = bytes[at + 1]! >> 3 & 3;
  const layer = 4 - (bytes[at + 1]! >> 1 & 3);
  const base = RATES[bytes[at + 2]! >> 2 & 3];
  if (version === 1 || layer === 4 || base === undefined) return undefined;
  const isMpeg1 = version === 3;
  const table = layer === 1
    ? isMpeg1 ? MPEG1_LAYER1 : MPEG2_LAYER1
    : !isMpeg1
    ? MPEG2_OTHERS
    : layer === 2
    ? MPEG1_LAYER2
    : MPEG1_LAYER3;
  const kbps = table[bytes[at + 2]! >> 4];
  if (!kbps) return undefined;
  const sampleRate = base >> (isMpeg1 ? 0 : version === 2 ? 1 : 2);
  const samples = layer === 1 ? 384 : layer === 3 && !isMpeg1 ? 576 : 1152;
  const slot = layer === 1 ? 4 : 1;
  const padding = bytes[at + 2]! >> 1 & 1;
  const frameLength = (Math.floor(samples / 8 * kbps * 1000 / sampleRate / slot) + padding) * slot;
  return { frameLength, samples, sampleRate };
}

/** MPEG audio, layers 1 to 3, with the header of RFC 2250 §3.5; one frame per packet is written. */
export const mpaPayload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: () => mpaDepacketizer,
  packetize: (units, codec, maxPayload) =>
    units.flatMap((unit) => {
      const parts: RtpPart[] = [];
      const room = Math.max(1, maxPayload - HEADER_BYTES);
      for (let at = 0; at < unit.length && at <= 0xffff; at += room) {
        const header = new Uint8Array(HEADER_BYTES);
        writeU16(header, 2, at);
        const isLast = at + room >= unit.length;
        parts.push({
          payload: concat([header, unit.subarray(at, at + room)]),
          marker: false,
          advance: isLast ? mpaTicks(unit, codec) : 0,
        });
      }
      return parts;
    }),
  ticks: mpaTicks,
};

function mpaTicks(unit: Uint8Array, codec: Codec): number {
  const header = parseHeader(unit, 0, unit.length);
  return header ? Math.round(header.samples * (codec.clockRate || 90000) / header.sampleRate) : 0;
}

const WHOLE = Look.START | Look.CONTENT | Look.KEY | Look.END;

const mpaDepacketizer: Depacketizer = {
  ignoresMarker: true,

  look(packet, start, end) {
    const data = dataStart(packet, start, end);
    if (data === start) return WHOLE | Look.SPLIT;
    if (data >= end) return 0;
    if (readU16(packet, start + 2) > 0) return Look.CONTENT | Look.KEY;
    const header = parseHeader(packet, data, end);
    if (!header) return WHOLE;
    const rest = end - data - header.frameLength;
    return rest < 0 ? Look.START | Look.CONTENT | Look.KEY : rest < HEADER_BYTES ? WHOLE : WHOLE | Look.SPLIT;
  },

  depacketize(packets) {
    const units: Uint8Array[] = [];
    let fragments: Uint8Array[] = [];
    let size = 0;
    const finish = () => {
      if (fragments.length > 0) units.push(concat(fragments));
      fragments = [];
      size = 0;
    };
    for (const packet of packets) {
      const start = rtpPayloadStart(packet);
      if (start < 0) continue;
      const end = rtpPayloadEnd(packet);
      const data = dataStart(packet, start, end);
      if (data >= end) continue;
      const offset = data === start ? 0 : readU16(packet, start + 2);
      if (offset === 0) {
        finish();
        const header = parseHeader(packet, data, end);
        if (header && header.frameLength <= end - data) {
          units.push(...splitFrames(packet, data, end));
          continue;
        }
      } else if (offset !== size) {
        fragments = [];
        size = 0;
        continue;
      }
      fragments.push(packet.subarray(data, end));
      size += end - data;
    }
    finish();
    return units;
  },
};

/** Some encoders leave the payload header out: a frame cannot begin like one. */
function dataStart(packet: Uint8Array, start: number, end: number): number {
  return parseHeader(packet, start, end) ? start : start + HEADER_BYTES;
}

function splitFrames(packet: Uint8Array, start: number, end: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = start; at < end;) {
    const header = parseHeader(packet, at, end);
    if (!header || header.frameLength <= 0) break;
    frames.push(packet.subarray(at, Math.min(at + header.frameLength, end)));
    at += header.frameLength;
  }
  return frames;
}
