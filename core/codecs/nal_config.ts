import { splitAnnexB } from "./annexb.ts";
import { fromBase64 } from "./text.ts";

/** What an `avcC` or `hvcC` record holds. */
export interface NalConfig {
  /** Bytes of the length in front of each NAL unit: 1, 2 or 4. */
  readonly lengthSize: number;
  /** Parameter sets in decoding order, as views. */
  readonly parameterSets: readonly Uint8Array[];
}

/** Adds a set behind its length (u16 BE). */
export function pushSet(record: number[], set: Uint8Array): void {
  if (set.length > 0xffff) throw new RangeError(`A parameter set of ${set.length} bytes is longer than 65535`);
  record.push(set.length >> 8, set.length & 255);
  for (const byte of set) record.push(byte);
}

/** Reads `count` sets behind their lengths and answers where they end. */
export function readSets(record: Uint8Array, at: number, count: number, into: Uint8Array[]): number {
  for (let i = 0; i < count; i++) {
    if (at + 2 > record.length) throw new RangeError("The record of parameter sets is cut short");
    const length = record[at]! << 8 | record[at + 1]!;
    at += 2;
    if (length > record.length - at) throw new RangeError("The record of parameter sets is cut short");
    if (length > 0) into.push(record.subarray(at, at + length));
    at += length;
  }
  return at;
}

/** The NAL units of a base64 text: one, or several where a camera left the start codes in. */
export function decodeSets(text: string): Uint8Array[] {
  const bytes = fromBase64(text);
  if (!bytes || bytes.length === 0) return [];
  return bytes[0] === 0 && bytes[1] === 0 ? splitAnnexB(bytes) : [bytes];
}
