import { splitAnnexB } from "../../codecs/annexb.ts";
import { rtpSequence } from "../packet.ts";
import { concat } from "./format.ts";

/** Where the next `00 00 01` begins; -1 when there is none before `end`. */
export function findStartCode(bytes: Uint8Array, from: number, end: number): number {
  for (let i = from + 2; i < end; i++) {
    const byte = bytes[i]!;
    if (byte > 1) i += 2;
    else if (byte === 1 && bytes[i - 1] === 0 && bytes[i - 2] === 0) return i - 2;
  }
  return -1;
}

/** A NAL unit that is in truth several, with start codes between them, taken apart. */
export function splitStartCodes(nal: Uint8Array): Uint8Array[] {
  const at = findStartCode(nal, 0, nal.length);
  if (at < 0) return [nal];
  const rest = splitAnnexB(nal.subarray(at));
  let end = at;
  while (end > 0 && nal[end - 1] === 0) end--;
  return end > 0 ? [nal.subarray(0, end), ...rest] : rest;
}

/** Whether a part of a packet is, byte for byte, one of the known sets. */
export function isKnownSet(packet: Uint8Array, start: number, end: number, known: readonly Uint8Array[]): boolean {
  const length = end - start;
  for (const set of known) {
    if (set.length !== length) continue;
    let i = 0;
    while (i < length && set[i] === packet[start + i]) i++;
    if (i === length) return true;
  }
  return false;
}

/** Whether one of the units equals a set, byte for byte. */
export function hasSet(units: readonly Uint8Array[], set: Uint8Array): boolean {
  return isKnownSet(set, 0, set.length, units);
}

/** Puts fragmented NAL units together. One that misses a part is dropped. */
export class NalFragments {
  readonly #out: Uint8Array[];
  #parts: Uint8Array[] = [];
  #nextSequence = -1;

  constructor(out: Uint8Array[]) {
    this.#out = out;
  }

  /** Takes a fragment: `header` is the NAL unit's own, `start` and `end` the place of the data. */
  push(packet: Uint8Array, start: number, end: number, header: Uint8Array, isFirst: boolean, isLast: boolean): void {
    const sequence = rtpSequence(packet);
    if (isFirst) {
      // The one before had no last fragment: some encoders never mark it.
      this.finish();
      this.#parts.push(header);
    } else if (this.#parts.length === 0 || sequence !== this.#nextSequence) {
      this.#parts = [];
      return;
    }
    this.#parts.push(packet.subarray(start, end));
    this.#nextSequence = (sequence + 1) & 0xffff;
    if (isLast) this.finish();
  }

  /** Ends the NAL unit that is open. */
  finish(): void {
    if (this.#parts.length > 0) this.#out.push(concat(this.#parts));
    this.#parts = [];
  }
}

/** The `size` and NAL unit pairs of an aggregation packet, as views; `skip` bytes stand before each size. */
export function splitAggregation(
  packet: Uint8Array,
  start: number,
  end: number,
  skip: { readonly first: number; readonly others: number } = { first: 0, others: 0 },
): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let at = start + skip.first;
  while (at + 2 <= end) {
    const size = packet[at]! << 8 | packet[at + 1]!;
    at += 2;
    if (size > end - at) break;
    if (size > 0) nals.push(packet.subarray(at, at + size));
    at += size + skip.others;
  }
  return nals;
}

/** An aggregation packet of NAL units behind a payload header; `undefined` when it would be too large. */
export function aggregate(
  header: readonly number[],
  nals: readonly Uint8Array[],
  maxPayload: number,
): Uint8Array | undefined {
  let size = header.length;
  for (const nal of nals) size += 2 + nal.length;
  if (size > maxPayload) return undefined;
  const payload = new Uint8Array(size);
  payload.set(header);
  let at = header.length;
  for (const nal of nals) {
    payload[at] = nal.length >> 8;
    payload[at + 1] = nal.length;
    payload.set(nal, at + 2);
    at += 2 + nal.length;
  }
  return payload;
}

/**
 * The fragments of a NAL unit: each is the payload header and one byte with the start bit, the end bit and the type,
 * then a part of the data behind the unit's own header.
 */
export function fragment(
  nal: Uint8Array,
  { header, type, maxPayload }: { header: readonly number[]; type: number; maxPayload: number },
): Uint8Array[] {
  const room = Math.max(1, maxPayload - header.length - 1);
  const dataStart = header.length === 1 ? 1 : 2;
  // Of equal size, so that the last one is not a crumb.
  const count = Math.max(2, Math.ceil((nal.length - dataStart) / room));
  const step = Math.ceil((nal.length - dataStart) / count);
  const fragments: Uint8Array[] = [];
  for (let at = dataStart; at < nal.length; at += step) {
    const end = Math.min(at + step, nal.length);
    const payload = new Uint8Array(header.length + 1 + end - at);
    payload.set(header);
    payload[header.length] = type | (at === dataStart ? 0x80 : 0) | (end === nal.length ? 0x40 : 0);
    payload.set(nal.subarray(at, end), header.length + 1);
    fragments.push(payload);
  }
  return fragments;
}
