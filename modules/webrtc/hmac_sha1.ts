/**
 * HMAC-SHA1 (RFC 2104) of short messages, for the proofs in STUN. The runtime's makes two streams for each, whose time and
 * garbage are ten times as much.
 */

const BLOCK_BYTES = 64;
const START = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);

/** The states behind the first block of both hashes, which hold all of the key. */
interface KeyStates {
  readonly inner: Int32Array;
  readonly outer: Int32Array;
}

const states = new WeakMap<Uint8Array, KeyStates>();
const words = new Int32Array(80);
const state = new Int32Array(5);
const block = new Uint8Array(BLOCK_BYTES);

/** The proof of the first `length` bytes, 20 bytes. A key's bytes must not change once they were used. */
export function hmacSha1(key: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  let known = states.get(key);
  if (!known) states.set(key, known = statesOf(key));
  state.set(known.inner);
  finish(bytes, length);
  const digest = digestOf();
  state.set(known.outer);
  finish(digest, digest.length);
  return digestOf();
}

function statesOf(key: Uint8Array): KeyStates {
  let short = key;
  if (key.length > BLOCK_BYTES) {
    state.set(START);
    finish(key, key.length, 0);
    short = digestOf();
  }
  const padded = (mask: number) => {
    block.fill(mask);
    for (let i = 0; i < short.length; i++) block[i]! ^= short[i]!;
    state.set(START);
    compress(block, 0);
    return state.slice();
  };
  return { inner: padded(0x36), outer: padded(0x5c) };
}

/** Takes the rest of a message, of which `before` bytes were taken, with the padding. */
function finish(bytes: Uint8Array, length: number, before: number = BLOCK_BYTES): void {
  let at = 0;
  for (; at + BLOCK_BYTES <= length; at += BLOCK_BYTES) compress(bytes, at);
  block.fill(0);
  for (let i = at; i < length; i++) block[i - at] = bytes[i]!;
  block[length - at] = 0x80;
  if (length - at >= BLOCK_BYTES - 8) {
    compress(block, 0);
    block.fill(0);
  }
  const bits = (before + length) * 8;
  for (let i = 0; i < 4; i++) block[BLOCK_BYTES - 1 - i] = bits >>> 8 * i;
  compress(block, 0);
}

function digestOf(): Uint8Array {
  const digest = new Uint8Array(20);
  for (let i = 0; i < 20; i++) digest[i] = state[i >> 2]! >>> 24 - 8 * (i & 3);
  return digest;
}

// FIPS 180-4 §6.1.2.
function compress(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++, at += 4) {
    words[i] = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
  }
  for (let i = 16; i < 80; i++) {
    const word = words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!;
    words[i] = word << 1 | word >>> 31;
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!, e = state[4]!;
  for (let i = 0; i < 80; i++) {
    const mixed = i < 20
      ? (b & c | ~b & d) + 0x5a827999
      : i < 40
      ? (b ^ c ^ d) + 0x6ed9eba1
      : i < 60
      ? (b & c | b & d | c & d) + 0x8f1bbcdc
      : (b ^ c ^ d) + 0xca62c1d6;
    const next = (a << 5 | a >>> 27) + mixed + e + words[i]! | 0;
    e = d;
    d = c;
    c = b << 30 | b >>> 2;
    b = a;
    a = next;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
}
