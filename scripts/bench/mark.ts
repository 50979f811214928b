/** Each picture carries a mark that tells when it was sent, so that any container can be timed without reading it. */

/** A byte that comes nowhere else in a picture, the rest of the sign, K or D for key or delta, and 14 hex digits. */
const LEAD = 0xa7;
const SIGN = [0x4c, 0x57, 0x42] as const;
const KEY = 0x4b;
const DELTA = 0x44;
const DIGITS_AT = 5;
const DIGITS = 14;
export const MARK_BYTES: number = DIGITS_AT + DIGITS;
/** Two numbers of 28 bits are simpler to write and read than one of 56. */
const HALF = 2 ** 28;

/** Microseconds since 1970, the same in all processes of this machine. */
export function nowUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** A byte of a picture's body: neither a start code nor a mark can come of it. */
export function bodyByte(index: number): number {
  const byte = (index * 167 + (index >> 8) * 13) & 0xff;
  return byte === 0 || byte === LEAD ? 0x55 : byte;
}

function writeDigits(into: Uint8Array, at: number, value: number): void {
  for (let i = 6; i >= 0; i--) {
    const digit = value & 15;
    into[at + i] = digit < 10 ? 48 + digit : 87 + digit;
    value >>>= 4;
  }
}

function readDigits(from: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 7; i++) {
    const char = from[i]!;
    value = value * 16 + (char < 58 ? char - 48 : char - 87);
  }
  return value;
}

export function writeMark(into: Uint8Array, at: number, isKey: boolean, sentUs: number): void {
  into[at] = LEAD;
  into.set(SIGN, at + 1);
  into[at + 4] = isKey ? KEY : DELTA;
  writeDigits(into, at + DIGITS_AT, Math.floor(sentUs / HALF));
  writeDigits(into, at + DIGITS_AT + 7, sentUs % HALF);
}

/**
 * Calls `onMark` for each mark in the first `end` bytes; answers where the next call must begin: at a mark that is not
 * complete yet, or at `end`.
 */
export function scanMarks(bytes: Uint8Array, end: number, onMark: (isKey: boolean, sentUs: number) => void): number {
  const part = bytes.subarray(0, end);
  let at = 0;
  for (;;) {
    at = part.indexOf(LEAD, at);
    if (at < 0) return end;
    if (at + MARK_BYTES > end) return at;
    if (bytes[at + 1] !== SIGN[0] || bytes[at + 2] !== SIGN[1] || bytes[at + 3] !== SIGN[2]) {
      at++;
      continue;
    }
    const sentUs = readDigits(bytes, at + DIGITS_AT) * HALF + readDigits(bytes, at + DIGITS_AT + 7);
    onMark(bytes[at + 4] === KEY, sentUs);
    at += MARK_BYTES;
  }
}
