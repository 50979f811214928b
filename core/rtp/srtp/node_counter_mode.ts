import { type Cipheriv, createCipheriv, createHash, type Hash } from "node:crypto";
import { IV_BYTES, type PacketCipher, type PacketCipherOptions, SealBatch } from "../../runtime/mod.ts";
import { readU32, writeU16, writeU32 } from "../packet.ts";

const BLOCK_BYTES = 16;
const SHA1_BLOCK_BYTES = 64;
const TRAILER_BYTES = 4;
/** Counters have 16 bits: a packet can be no longer. */
const MAX_BLOCKS = 0x1_0000;

/**
 * AES-128 counter mode with HMAC-SHA1 by `node:crypto`, without an object per packet where that can be had: the key stream
 * of a whole frame is its counter blocks through one long-lived AES object, and each HMAC starts from a keyed hash.
 */
export class NodeCounterMode implements PacketCipher {
  readonly #aes: Cipheriv;
  readonly #inner: Hash;
  readonly #outer: Hash;
  readonly #tagBytes: number;
  readonly #isControl: boolean;
  readonly #single = new SealBatch();
  #blocks = new Uint8Array(0);
  #blockView = new DataView(this.#blocks.buffer);

  constructor({ key, authenticationKey, tagBytes, isControl }: PacketCipherOptions) {
    this.#aes = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
    this.#inner = createHash("sha1").update(padded(authenticationKey, 0x36));
    this.#outer = createHash("sha1").update(padded(authenticationKey, 0x5c));
    this.#tagBytes = tagBytes;
    this.#isControl = isControl;
    this.#single.reserve(1);
    this.#single.count = 1;
  }

  seal(batch: SealBatch, source: Uint8Array, out: Uint8Array): void {
    this.#crypt(batch, source, out);
    const trailerBytes = this.#isControl ? TRAILER_BYTES : 0;
    for (let i = 0; i < batch.count; i++) {
      const packet = batch.packetStarts[i]!;
      const end = packet + batch.headerBytes[i]! + batch.payloadBytes[i]!;
      writeU32(out, end, batch.trailers[i]!);
      const digest = this.#digest(out.subarray(packet, end + TRAILER_BYTES));
      const tag = end + trailerBytes;
      for (let k = 0; k < this.#tagBytes; k++) out[tag + k] = digest[k]!;
    }
  }

  open(packet: Uint8Array, headerBytes: number, iv: Uint8Array, trailer: number): number {
    const tag = packet.length - this.#tagBytes;
    const end = tag - (this.#isControl ? TRAILER_BYTES : 0);
    if (end < headerBytes) return -1;
    // SRTP's trailer takes the place of the first bytes of the tag while the digest is made.
    const first = readU32(packet, end);
    writeU32(packet, end, trailer);
    const digest = this.#digest(packet.subarray(0, end + TRAILER_BYTES));
    writeU32(packet, end, first);
    let difference = 0;
    for (let k = 0; k < this.#tagBytes; k++) difference |= packet[tag + k]! ^ digest[k]!;
    if (difference !== 0) return -1;
    const batch = this.#single;
    batch.ivs.set(iv);
    batch.payloadStarts[0] = batch.headerBytes[0] = headerBytes;
    batch.payloadBytes[0] = end - headerBytes;
    this.#crypt(batch, packet, packet);
    return end;
  }

  #crypt(batch: SealBatch, source: Uint8Array, out: Uint8Array): void {
    const stream = this.#streamOf(batch);
    const key = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
    const from = new DataView(source.buffer, source.byteOffset, source.byteLength);
    const to = new DataView(out.buffer, out.byteOffset, out.byteLength);
    let at = 0;
    for (let i = 0; i < batch.count; i++) {
      const start = batch.payloadStarts[i]!;
      const size = batch.payloadBytes[i]!;
      const body = batch.packetStarts[i]! + batch.headerBytes[i]!;
      const whole = size & ~3;
      for (let k = 0; k < whole; k += 4) {
        to.setInt32(body + k, from.getInt32(start + k, true) ^ key.getInt32(at + k, true), true);
      }
      for (let k = whole; k < size; k++) out[body + k] = source[start + k]! ^ stream[at + k]!;
      at += blocksOf(size) * BLOCK_BYTES;
    }
  }

  #streamOf(batch: SealBatch): Uint8Array {
    let count = 0;
    for (let i = 0; i < batch.count; i++) count += blocksOf(batch.payloadBytes[i]!);
    if (this.#blocks.length < count * BLOCK_BYTES) {
      this.#blocks = new Uint8Array(count * 2 * BLOCK_BYTES);
      this.#blockView = new DataView(this.#blocks.buffer);
    }
    const blocks = this.#blocks;
    const view = this.#blockView;
    let at = 0;
    for (let i = 0; i < batch.count; i++) {
      const iv = i * IV_BYTES;
      const [a, b] = [readU32(batch.ivs, iv), readU32(batch.ivs, iv + 4)];
      const [c, d] = [readU32(batch.ivs, iv + 8), readU32(batch.ivs, iv + 12)];
      const last = blocksOf(batch.payloadBytes[i]!);
      if (last > MAX_BLOCKS) throw new RangeError("Packet is too long for counter mode");
      for (let block = 0; block < last; block++, at += BLOCK_BYTES) {
        view.setUint32(at, a);
        view.setUint32(at + 4, b);
        view.setUint32(at + 8, c);
        view.setUint32(at + 12, d);
        writeU16(blocks, at + 14, block);
      }
    }
    return this.#aes.update(blocks.subarray(0, at));
  }

  #digest(bytes: Uint8Array): Uint8Array {
    const inner = this.#inner.copy().update(bytes).digest();
    return this.#outer.copy().update(inner).digest();
  }

  [Symbol.dispose](): void {
    this.#blocks.fill(0);
  }
}

function blocksOf(size: number): number {
  return size + BLOCK_BYTES - 1 >>> 4;
}

function padded(key: Uint8Array, byte: number): Uint8Array {
  const block = new Uint8Array(SHA1_BLOCK_BYTES).fill(byte);
  for (let i = 0; i < key.length; i++) block[i]! ^= key[i]!;
  return block;
}
