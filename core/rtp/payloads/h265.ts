import { H265Nal, h265NalType, isH265Keyframe } from "../../codecs/h265.ts";
import { fmtpValue } from "../../codecs/text.ts";
import type { Codec } from "../../media/codec.ts";
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

const HEADER_BYTES = 2;

/**
 * H.265: single NAL units, AP, FU (RFC 7798 §4.4), with or without decoding order numbers. Access unit delimiters, ends
 * of sequence and filler are left out of what is read.
 */
export const h265Payload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: (codec) => new H265Depacketizer(codec),
  packetize: (units, _codec, maxPayload) => {
    const payloads: Uint8Array[] = [];
    let sets: Uint8Array[] = [];
    const flushSets = () => {
      if (sets.length > 0) payloads.push(...packetizeSets(sets, maxPayload));
      sets = [];
    };
    for (const nal of units) {
      if (nal.length < HEADER_BYTES) continue;
      const type = h265NalType(nal);
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
  const header = [H265Nal.AP << 1, 1];
  const together = sets.length > 1 ? aggregate(header, sets, maxPayload) : undefined;
  return together ? [together] : sets.flatMap((set) => packetizeNal(set, maxPayload));
}

function packetizeNal(nal: Uint8Array, maxPayload: number): Uint8Array[] {
  if (nal.length <= maxPayload) return [nal];
  const header = [nal[0]! & 0x81 | H265Nal.FU << 1, nal[1]!];
  return fragment(nal, { header, type: h265NalType(nal), maxPayload });
}

function isSet(type: number): boolean {
  return type >= H265Nal.VPS && type <= H265Nal.PPS;
}
function isSlice(type: number): boolean {
  return type < H265Nal.VPS;
}
function isDropped(type: number): boolean {
  return type >= H265Nal.AUD && type <= H265Nal.FILLER;
}

/** As for H.264: the first slice of a picture says so with the first bit behind its NAL header. */
function lookAtNal(type: number, packet: Uint8Array, body: number, end: number): number {
  let look = 0;
  for (;;) {
    if (isSlice(type)) {
      const isFirst = body < end && packet[body]! > 127;
      return look | Look.CONTENT | (isFirst ? Look.START : 0) | (isH265Keyframe(type) ? Look.KEY : 0);
    }
    if (type > H265Nal.SUFFIX_SEI) return look | Look.CONTENT | Look.START;
    look |= Look.START;
    if (isSet(type)) look |= Look.SETS;
    const inner = findStartCode(packet, body, end);
    if (inner < 0 || inner + 3 >= end) return look;
    type = packet[inner + 3]! >> 1 & 63;
    body = inner + 3 + HEADER_BYTES;
  }
}

class H265Depacketizer implements Depacketizer {
  /** Bytes of the decoding order number before the first unit, and of its differences before the others. */
  readonly #order: { readonly first: number; readonly others: number };

  constructor(codec: Codec) {
    const hasOrder = Number(fmtpValue(codec.fmtp, "sprop-max-don-diff")) > 0;
    this.#order = hasOrder ? { first: 2, others: 1 } : { first: 0, others: 0 };
  }

  look(packet: Uint8Array, start: number, end: number): number {
    const type = packet[start]! >> 1 & 63;
    const body = start + HEADER_BYTES;
    if (type === H265Nal.FU) {
      if (end - body < 1) return 0;
      const inner = packet[body]! & 63;
      if (packet[body]! > 127) return lookAtNal(inner, packet, body + 1 + this.#order.first, end);
      return isSlice(inner) ? Look.CONTENT : Look.START;
    }
    if (type !== H265Nal.AP) return lookAtNal(type, packet, body + this.#order.first, end);
    let look = 0;
    let at = body + this.#order.first;
    while (at + 2 < end) {
      const size = packet[at]! << 8 | packet[at + 1]!;
      at += 2;
      if (size > 0) look |= lookAtNal(packet[at]! >> 1 & 63, packet, at + HEADER_BYTES, Math.min(at + size, end));
      at += size + this.#order.others;
    }
    return look;
  }

  hasNewSets(packet: Uint8Array, start: number, end: number, known: readonly Uint8Array[]): boolean {
    const type = packet[start]! >> 1 & 63;
    if (isSet(type)) return !isKnownSet(packet, start, end, known);
    if (type !== H265Nal.AP) return true;
    let at = start + HEADER_BYTES + this.#order.first;
    while (at + 2 < end) {
      const size = packet[at]! << 8 | packet[at + 1]!;
      at += 2;
      if (size > end - at) break;
      if (size > 0 && isSet(packet[at]! >> 1 & 63) && !isKnownSet(packet, at, at + size, known)) return true;
      at += size + this.#order.others;
    }
    return false;
  }

  depacketize(packets: readonly Uint8Array[]): Uint8Array[] {
    const nals: Uint8Array[] = [];
    const fragments = new NalFragments(nals);
    const { first } = this.#order;
    for (const packet of packets) {
      const start = rtpPayloadStart(packet);
      if (start < 0) continue;
      const end = rtpPayloadEnd(packet);
      const body = start + HEADER_BYTES;
      if (end <= body) continue;
      const type = packet[start]! >> 1 & 63;
      if (type === H265Nal.FU) {
        const bits = packet[body]!;
        const isFirst = bits > 127;
        const data = body + 1 + (isFirst ? first : 0);
        if (data > end) continue;
        const header = Uint8Array.of(packet[start]! & 0x81 | (bits & 63) << 1, packet[start + 1]!);
        // Quirk(OpenIPC): start and end bit in one fragment, which is then a whole unit.
        fragments.push(packet, data, end, header, isFirst, (bits & 0x40) !== 0);
        continue;
      }
      fragments.finish();
      if (type === H265Nal.AP) nals.push(...splitAggregation(packet, body, end, this.#order));
      else if (type < H265Nal.AP) nals.push(first > 0 ? withoutOrder(packet, start, end) : packet.subarray(start, end));
    }
    fragments.finish();
    return clean(nals);
  }
}

function withoutOrder(packet: Uint8Array, start: number, end: number): Uint8Array {
  const nal = new Uint8Array(Math.max(HEADER_BYTES, end - start - 2));
  nal.set(packet.subarray(start, start + HEADER_BYTES));
  nal.set(packet.subarray(Math.min(start + 4, end), end), HEADER_BYTES);
  return nal;
}

function clean(nals: readonly Uint8Array[]): Uint8Array[] {
  const kept: Uint8Array[] = [];
  for (const outer of nals) {
    if (outer.length < HEADER_BYTES) continue;
    for (const nal of isSlice(h265NalType(outer)) ? [outer] : splitStartCodes(outer)) {
      const type = h265NalType(nal);
      if (nal.length < HEADER_BYTES || isDropped(type)) continue;
      if (isSet(type) && hasSet(kept, nal)) continue;
      if (type > H265Nal.SUFFIX_SEI) {
        if (kept.length === 0) return [];
        continue;
      }
      kept.push(nal);
    }
  }
  return kept;
}
