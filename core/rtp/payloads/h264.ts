import { H264Nal, h264NalType } from "../../codecs/h264.ts";
import { rtpPayloadEnd, rtpPayloadStart } from "../packet.ts";
import { type Depacketizer, Look, partsOfFrame, type PayloadFormat } from "./format.ts";
import {
  aggregate,
  findStartCode,
  fragment,
  hasSet,
  isKnownSet,
  NalFragments,
  splitAggregation,
  splitStartCodes,
} from "./nal.ts";

const STAP_A = 24;
const FU_A = 28;

/**
 * H.264 in packetization modes 0 and 1: single NAL units, STAP-A, FU-A (RFC 6184 §5). Access unit delimiters, filler and
 * the SEI before the picture are left out of what is read.
 */
export const h264Payload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: () => h264Depacketizer,
  packetize: (units, _codec, maxPayload) => {
    const payloads: Uint8Array[] = [];
    let sets: Uint8Array[] = [];
    const flushSets = () => {
      if (sets.length > 0) payloads.push(...packetizeSets(sets, maxPayload));
      sets = [];
    };
    for (const nal of units) {
      if (nal.length === 0) continue;
      const type = h264NalType(nal);
      if (isDropped(type)) continue;
      if (isSet(type)) {
        sets.push(nal);
        continue;
      }
      flushSets();
      payloads.push(...packetizeNal(nal, maxPayload));
    }
    flushSets();
    return partsOfFrame(payloads);
  },
};

function packetizeSets(sets: readonly Uint8Array[], maxPayload: number): Uint8Array[] {
  const importance = sets.reduce((most, set) => Math.max(most, set[0]! & 0x60), 0);
  const together = sets.length > 1 ? aggregate([importance | STAP_A], sets, maxPayload) : undefined;
  return together ? [together] : sets.flatMap((set) => packetizeNal(set, maxPayload));
}

function packetizeNal(nal: Uint8Array, maxPayload: number): Uint8Array[] {
  if (nal.length <= maxPayload) return [nal];
  return fragment(nal, { header: [nal[0]! & 0xe0 | FU_A], type: h264NalType(nal), maxPayload });
}

function isSet(type: number): boolean {
  return type === H264Nal.SPS || type === H264Nal.PPS;
}
function isSlice(type: number): boolean {
  return type >= 1 && type <= 5;
}
/** Delimiters, ends of sequence and stream, filler: no decoder needs them. */
function isDropped(type: number): boolean {
  return type >= H264Nal.AUD && type <= H264Nal.FILLER;
}
/** Reserved and unspecified types (H.264 table 7-1), and those that are packets rather than units. */
function isUnknown(type: number): boolean {
  return type === 0 || type > 20 || (type > 15 && type < 19);
}

/**
 * A look at a NAL unit, or at the first fragment of one, whose data behind its header begin at `body`, and at what start
 * codes add to it.
 */
function lookAtNal(type: number, packet: Uint8Array, body: number, end: number): number {
  let look = 0;
  for (;;) {
    if (isSlice(type)) return look | lookAtSlice(type, packet, body, end);
    if (isUnknown(type) && type !== 0) return look | Look.CONTENT | Look.START;
    look |= type === 19 || type === 20 ? Look.CONTENT : Look.START;
    if (isSet(type)) look |= Look.SETS;
    const inner = findStartCode(packet, type === 0 ? body - 1 : body, end);
    if (inner < 0 || inner + 3 >= end) return type === 0 ? look | Look.CONTENT : look;
    type = packet[inner + 3]! & 31;
    body = inner + 4;
  }
}

function lookAtSlice(type: number, packet: Uint8Array, body: number, end: number): number {
  // The slice header begins with first_mb_in_slice, of which a single 1 bit is 0. Partitions B and C follow an A.
  const isFirst = type !== 3 && type !== 4 && body < end && packet[body]! > 127;
  return Look.CONTENT | (isFirst ? Look.START : 0) | (type === H264Nal.IDR ? Look.KEY : 0);
}

const h264Depacketizer: Depacketizer = {
  look(packet, start, end) {
    const type = packet[start]! & 31;
    if (type === FU_A) {
      if (end - start < 2) return 0;
      const inner = packet[start + 1]! & 31;
      if (packet[start + 1]! > 127) return lookAtNal(inner, packet, start + 2, end);
      return isSlice(inner) ? Look.CONTENT : Look.START;
    }
    if (type !== STAP_A) return lookAtNal(type, packet, start + 1, end);
    let look = 0;
    let at = start + 1;
    while (at + 2 < end) {
      const size = packet[at]! << 8 | packet[at + 1]!;
      at += 2;
      if (size > 0) look |= lookAtNal(packet[at]! & 31, packet, at + 1, Math.min(at + size, end));
      at += size;
    }
    return look;
  },

  hasNewSets(packet, start, end, known) {
    const type = packet[start]! & 31;
    if (isSet(type)) return !isKnownSet(packet, start, end, known);
    if (type !== STAP_A) return true;
    let at = start + 1;
    while (at + 2 < end) {
      const size = packet[at]! << 8 | packet[at + 1]!;
      at += 2;
      if (size > end - at) break;
      if (size > 0 && isSet(packet[at]! & 31) && !isKnownSet(packet, at, at + size, known)) return true;
      at += size;
    }
    return false;
  },

  depacketize(packets) {
    const nals: Uint8Array[] = [];
    const fragments = new NalFragments(nals);
    for (const packet of packets) {
      const start = rtpPayloadStart(packet);
      if (start < 0) continue;
      const end = rtpPayloadEnd(packet);
      if (end <= start) continue;
      const type = packet[start]! & 31;
      if (type === FU_A) {
        if (end - start < 2) continue;
        const bits = packet[start + 1]!;
        const header = Uint8Array.of(packet[start]! & 0xe0 | bits & 31);
        fragments.push(packet, start + 2, end, header, bits > 127, (bits & 0x40) !== 0);
        continue;
      }
      fragments.finish();
      if (type === STAP_A) nals.push(...splitAggregation(packet, start + 1, end));
      else nals.push(packet.subarray(start, end));
    }
    fragments.finish();
    return clean(nals);
  },
};

/** Takes apart what start codes separate, and leaves out what decoders do not need or know. */
function clean(nals: readonly Uint8Array[]): Uint8Array[] {
  const kept: Uint8Array[] = [];
  let hasSlice = false;
  for (const outer of nals) {
    for (const nal of isSlice(h264NalType(outer)) ? [outer] : splitStartCodes(outer)) {
      const type = h264NalType(nal);
      if (isUnknown(type)) {
        if (kept.length === 0) return [];
        continue;
      }
      if (isDropped(type) || (type === H264Nal.SEI && !hasSlice)) continue;
      // Quirk(GStreamer rtph264pay): repeats the sets before each slice of a keyframe, where they split it for decoders.
      if (isSet(type) && hasSet(kept, nal)) continue;
      if (isSlice(type)) hasSlice = true;
      kept.push(nal);
    }
  }
  return kept;
}
