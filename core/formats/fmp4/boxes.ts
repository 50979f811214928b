/** Bytes of a box, nested as convenient. */
export type BoxPart = ArrayLike<number>;

/** Big-endian bytes of a number. */
export function u16(value: number): number[] {
  return [value >>> 8 & 255, value & 255];
}
export function u32(value: number): number[] {
  return [value >>> 24 & 255, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}
export function ascii(text: string): number[] {
  return Array.from(text, (char) => char.charCodeAt(0));
}

/** A box: u32 size, four characters, its parts (ISO/IEC 14496-12 §4.2). */
export function box(type: string, ...parts: readonly BoxPart[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 8);
  const bytes = new Uint8Array(size);
  bytes.set(u32(size));
  bytes.set(ascii(type), 4);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A box with a version and flags. */
export function fullBox(type: string, version: number, flags: number, ...parts: readonly BoxPart[]): Uint8Array {
  return box(type, u32(version << 24 | flags), ...parts);
}

/** An MPEG-4 descriptor, its size in the four-byte form that all readers know (ISO/IEC 14496-1 §8.3.3). */
export function descriptor(tag: number, ...parts: readonly BoxPart[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(size + 5);
  bytes.set([tag, size >>> 21 & 127 | 128, size >>> 14 & 127 | 128, size >>> 7 & 127 | 128, size & 127]);
  let at = 5;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
