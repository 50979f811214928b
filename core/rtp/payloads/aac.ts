import { parseAdtsHeader, parseAudioSpecificConfig } from "../../codecs/aac.ts";
import { BitReader } from "../../codecs/bits.ts";
import { fmtpValue } from "../../codecs/text.ts";
import type { Codec } from "../../media/codec.ts";
import { rtpPayloadEnd, rtpPayloadStart } from "../packet.ts";
import { concat, type Depacketizer, Look, type PayloadFormat, type RtpPart } from "./format.ts";

/** The bits of an AU header (RFC 3640 §3.2.1), as the format parameters give them. */
interface AuLayout {
  readonly sizeLength: number;
  readonly indexLength: number;
  readonly indexDeltaLength: number;
  readonly ctsDeltaLength: number;
  readonly dtsDeltaLength: number;
  readonly hasRandomAccess: boolean;
  readonly streamStateLength: number;
  readonly auxiliaryLength: number;
  /** Bytes of every AU when sizes are not sent. */
  readonly constantSize: number;
}

const HIGH_RATE: AuLayout = {
  sizeLength: 13,
  indexLength: 3,
  indexDeltaLength: 3,
  ctsDeltaLength: 0,
  dtsDeltaLength: 0,
  hasRandomAccess: false,
  streamStateLength: 0,
  auxiliaryLength: 0,
  constantSize: 0,
};

function layoutOf(fmtp: string): AuLayout {
  const number = (key: string) => Math.min(32, Number.parseInt(fmtpValue(fmtp, key) ?? "", 10) || 0);
  const constantSize = Number.parseInt(fmtpValue(fmtp, "constantsize") ?? "", 10) || 0;
  // Cameras that say nothing of sizes send the usual ones.
  if (fmtpValue(fmtp, "sizelength") === undefined && constantSize <= 0) return HIGH_RATE;
  return {
    sizeLength: number("sizelength"),
    indexLength: number("indexlength"),
    indexDeltaLength: number("indexdeltalength"),
    ctsDeltaLength: number("ctsdeltalength"),
    dtsDeltaLength: number("dtsdeltalength"),
    hasRandomAccess: number("randomaccessindication") > 0,
    streamStateLength: number("streamstateindication"),
    auxiliaryLength: number("auxiliarydatasizelength"),
    constantSize: Math.max(0, constantSize),
  };
}

/** Whether format parameters describe the AU headers that `aacFmtp` does. */
export function isUsualAacFmtp(fmtp: string): boolean {
  const layout = layoutOf(fmtp);
  return Object.entries(HIGH_RATE).every(([key, value]) => layout[key as keyof AuLayout] === value);
}

function headerBits(layout: AuLayout, isFirst: boolean): number {
  return layout.sizeLength + (isFirst ? layout.indexLength : layout.indexDeltaLength) +
    Number(layout.ctsDeltaLength > 0) + Number(layout.dtsDeltaLength > 0) + Number(layout.hasRandomAccess) +
    layout.streamStateLength;
}

/** The ticks of one AAC frame in the codec's clock. */
export function aacTicks(codec: Codec): number {
  const [asc] = codec.parameterSets;
  if (!asc) return 1024;
  try {
    const { samplesPerFrame, sampleRate } = parseAudioSpecificConfig(asc);
    return Math.round(samplesPerFrame * (codec.clockRate || sampleRate) / sampleRate);
  } catch {
    // What cannot be read is taken for the usual.
    return 1024;
  }
}

/** AAC in generic mode (RFC 3640). Written with one AU per packet, or in fragments; read in any arrangement. */
export const aacPayload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: (codec) => new AacDepacketizer(layoutOf(codec.fmtp), codec.parameterSets.length > 0),
  packetize: (units, codec, maxPayload) => {
    const layout = fmtpValue(codec.fmtp, "cpresent") === undefined ? layoutOf(codec.fmtp) : HIGH_RATE;
    const ticks = aacTicks(codec);
    return units.flatMap((unit) => packetizeUnit(unit, layout, ticks, maxPayload));
  },
  ticks: (_unit, codec) => aacTicks(codec),
};

function packetizeUnit(unit: Uint8Array, layout: AuLayout, ticks: number, maxPayload: number): RtpPart[] {
  const bits = headerBits(layout, true);
  if (unit.length === 0 || (layout.sizeLength > 0 && unit.length >= 2 ** layout.sizeLength)) return [];
  const header = bits === 0 ? new Uint8Array(0) : new Uint8Array(2 + Math.ceil(bits / 8));
  if (bits > 0) {
    header[0] = bits >> 8;
    header[1] = bits;
    for (let bit = 0; bit < layout.sizeLength; bit++) {
      if (Math.floor(unit.length / 2 ** (layout.sizeLength - 1 - bit)) % 2) {
        header[2 + (bit >> 3)]! |= 0x80 >> (bit & 7);
      }
    }
  }
  const parts: RtpPart[] = [];
  const room = Math.max(1, maxPayload - header.length);
  for (let at = 0; at < unit.length; at += room) {
    const isLast = at + room >= unit.length;
    parts.push({
      payload: concat([header, unit.subarray(at, at + room)]),
      marker: isLast,
      advance: isLast ? ticks : 0,
    });
  }
  return parts;
}

/** Where the data of a packet begin, and the sizes of its AUs; fragments all tell the size of the whole AU. */
interface AuHeaders {
  readonly dataStart: number;
  readonly sizes: readonly number[];
}

class AacDepacketizer implements Depacketizer {
  readonly #layout: AuLayout;
  readonly #isConfigured: boolean;
  // What ADTS headers tell counts when nothing else does.
  #adtsConfig: Uint8Array[] | undefined;

  constructor(layout: AuLayout, isConfigured: boolean) {
    this.#layout = layout;
    this.#isConfigured = isConfigured;
  }

  get parameterSets(): readonly Uint8Array[] | undefined {
    return this.#adtsConfig;
  }

  look(packet: Uint8Array, start: number, end: number): number {
    const whole = Look.START | Look.CONTENT | Look.KEY | Look.END;
    if (isAdts(packet, start, end)) return whole | Look.SPLIT;
    const headers = this.#readHeaders(packet, start, end);
    if (!headers) return 0;
    const { dataStart, sizes } = headers;
    if (isAdts(packet, dataStart, end) || sizes.length > 1) return whole | Look.SPLIT;
    return sizes[0]! > end - dataStart ? Look.START | Look.CONTENT | Look.KEY : whole;
  }

  learn(packets: readonly Uint8Array[]): void {
    if (this.#isConfigured || this.#adtsConfig) return;
    const packet = packets[0]!;
    const start = rtpPayloadStart(packet);
    const headers = this.#readHeaders(packet, start, packet.length);
    const header = parseAdtsHeader(packet, start) ?? (headers && parseAdtsHeader(packet, headers.dataStart));
    if (header && header.channels > 0) this.#adtsConfig = [header.asc];
  }

  depacketize(packets: readonly Uint8Array[]): Uint8Array[] {
    const units: Uint8Array[] = [];
    let fragments: Uint8Array[] = [];
    let missing = 0;
    for (const packet of packets) {
      const start = rtpPayloadStart(packet);
      if (start < 0) continue;
      const end = rtpPayloadEnd(packet);
      if (isAdts(packet, start, end)) {
        units.push(...stripAdts(packet.subarray(start, end)));
        continue;
      }
      const headers = this.#readHeaders(packet, start, end);
      if (!headers) continue;
      const { dataStart, sizes } = headers;
      const available = end - dataStart;
      if (sizes.length === 1 && sizes[0]! > available && packets.length > 1) {
        if (missing === 0) missing = sizes[0]!;
        fragments.push(packet.subarray(dataStart, end));
        missing -= available;
        if (missing > 0) continue;
        if (missing === 0) units.push(...stripAdts(concat(fragments)));
        fragments = [];
        missing = 0;
        continue;
      }
      let at = dataStart;
      for (const size of sizes) {
        // A size that passes the end is wrong rather than a fragment: the packet is alone in its frame.
        const unitEnd = Math.min(at + size, end);
        if (unitEnd > at) units.push(...stripAdts(packet.subarray(at, unitEnd)));
        at = unitEnd;
      }
    }
    return units;
  }

  #readHeaders(packet: Uint8Array, start: number, end: number): AuHeaders | undefined {
    const layout = this.#layout;
    if (start < 0 || end <= start) return undefined;
    if (headerBits(layout, true) === 0) {
      const size = layout.constantSize || end - start;
      return { dataStart: start, sizes: new Array(Math.max(1, Math.floor((end - start) / size))).fill(size) };
    }
    if (end - start < 2) return undefined;
    const bits = packet[start]! << 8 | packet[start + 1]!;
    let dataStart = start + 2 + (bits + 7 >> 3);
    if (bits === 0 || dataStart > end) return undefined;
    const sizes: number[] = [];
    const reader = new BitReader(packet.subarray(start + 2, dataStart));
    try {
      while (reader.position + headerBits(layout, sizes.length === 0) <= bits) {
        const isFirst = sizes.length === 0;
        const before = reader.position;
        sizes.push(layout.sizeLength > 0 ? reader.u(layout.sizeLength) : layout.constantSize);
        reader.skip(isFirst ? layout.indexLength : layout.indexDeltaLength);
        if (layout.ctsDeltaLength > 0 && reader.flag()) reader.skip(layout.ctsDeltaLength);
        if (layout.dtsDeltaLength > 0 && reader.flag()) reader.skip(layout.dtsDeltaLength);
        reader.skip(Number(layout.hasRandomAccess) + layout.streamStateLength);
        if (reader.position === before) break;
      }
      if (layout.auxiliaryLength > 0) {
        const auxiliary = new BitReader(packet.subarray(dataStart, end));
        auxiliary.skip(auxiliary.u(layout.auxiliaryLength));
        dataStart += auxiliary.position + 7 >> 3;
      }
    } catch {
      // Cut short: the sizes read so far hold.
    }
    return sizes.length > 0 ? { dataStart, sizes } : undefined;
  }
}

function isAdts(packet: Uint8Array, start: number, end: number): boolean {
  return start + 7 <= end && packet[start] === 0xff && (packet[start + 1]! & 0xf6) === 0xf0;
}

/** AAC that comes with ADTS headers, without them; a raw AAC frame cannot begin like one. */
export function stripAdts(unit: Uint8Array): Uint8Array[] {
  if (!isAdts(unit, 0, unit.length)) return [unit];
  const frames: Uint8Array[] = [];
  let at = 0;
  while (at < unit.length) {
    const header = parseAdtsHeader(unit, at);
    if (!header) break;
    const end = Math.min(at + header.frameLength, unit.length);
    if (end > at + header.headerLength) frames.push(unit.subarray(at + header.headerLength, end));
    at = end;
  }
  return frames;
}
