/**
 * The NAL units of an Annex B byte stream, as views without start codes (H.264 Annex B). Takes start codes of 3 and 4
 * bytes; trailing zeros are no part of a unit, empty units and what is before the first start code are left out.
 */
export function splitAnnexB(bytes: Uint8Array): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let start = startCodeEnd(bytes, 0);
  while (start >= 0) {
    const next = startCodeEnd(bytes, start);
    let end = next < 0 ? bytes.length : next - 3;
    while (end > start && bytes[end - 1] === 0) end--;
    if (end > start) nals.push(bytes.subarray(start, end));
    start = next;
  }
  return nals;
}

/** The offset behind the next `00 00 01` at or after `from`; -1 when there is none. */
function startCodeEnd(bytes: Uint8Array, from: number): number {
  const { length } = bytes;
  // Looks at each third byte: only 0 and 1 can belong to a start code that ends there or later.
  for (let i = from + 2; i < length;) {
    const byte = bytes[i]!;
    if (byte > 1) i += 3;
    else if (byte === 0) i++;
    else if (bytes[i - 1] === 0 && bytes[i - 2] === 0) return i + 1;
    else i += 3;
  }
  return -1;
}

/** An Annex B byte stream of NAL units, each behind a start code of 4 bytes. */
export function joinAnnexB(nals: readonly Uint8Array[]): Uint8Array {
  return join(nals, (into, at) => into[at + 3] = 1);
}

/** NAL units behind their lengths (u32 BE), as MP4 and FLV have them. */
export function joinLengthPrefixed(nals: readonly Uint8Array[]): Uint8Array {
  return join(nals, (into, at, length) => {
    into[at] = length >>> 24;
    into[at + 1] = length >>> 16;
    into[at + 2] = length >>> 8;
    into[at + 3] = length;
  });
}

function join(nals: readonly Uint8Array[], prefix: (into: Uint8Array, at: number, length: number) => void): Uint8Array {
  let size = 0;
  for (const nal of nals) size += 4 + nal.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const nal of nals) {
    prefix(joined, at, nal.length);
    joined.set(nal, at + 4);
    at += 4 + nal.length;
  }
  return joined;
}

/**
 * The NAL units behind lengths of 1 to 4 bytes, as views. Empty units are left out, and so is everything from a length
 * that passes the end.
 */
export function splitLengthPrefixed(bytes: Uint8Array, lengthSize = 4): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let at = 0;
  while (at + lengthSize <= bytes.length) {
    let length = 0;
    for (let i = 0; i < lengthSize; i++) length = length * 256 + bytes[at + i]!;
    at += lengthSize;
    if (length > bytes.length - at) break;
    if (length > 0) nals.push(bytes.subarray(at, at + length));
    at += length;
  }
  return nals;
}

/** A NAL unit without its emulation prevention bytes (H.264 §7.4.1); the unit itself when it has none. */
export function unescapeRbsp(nal: Uint8Array): Uint8Array {
  let plain: Uint8Array | undefined;
  let length = 0;
  let zeros = 0;
  for (let i = 0; i < nal.length; i++) {
    const byte = nal[i]!;
    if (zeros >= 2 && byte === 3) {
      plain ??= nal.slice();
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    if (plain) plain[length] = byte;
    length++;
  }
  return plain ? plain.subarray(0, length) : nal;
}
