import { createCipheriv, createDecipheriv } from "node:crypto";
import type { PacketCipher, PacketCipherOptions, SealBatch } from "../../runtime/mod.ts";
import { IV_BYTES } from "../../runtime/mod.ts";
import { writeU32 } from "../packet.ts";

const GCM_IV_BYTES = 12;
const TRAILER_BYTES = 4;

/** AES-128-GCM by `node:crypto`, which needs an object per packet. */
export class NodeGcm implements PacketCipher {
  readonly #key: Uint8Array;
  readonly #tagBytes: number;
  readonly #isControl: boolean;
  readonly #aad = new Uint8Array(64);

  constructor({ key, tagBytes, isControl }: PacketCipherOptions) {
    this.#key = key.slice();
    this.#tagBytes = tagBytes;
    this.#isControl = isControl;
  }

  seal(batch: SealBatch, source: Uint8Array, out: Uint8Array): void {
    for (let i = 0; i < batch.count; i++) {
      const start = batch.payloadStarts[i]!;
      const packet = batch.packetStarts[i]!;
      const body = packet + batch.headerBytes[i]!;
      const end = body + batch.payloadBytes[i]!;
      const iv = batch.ivs.subarray(i * IV_BYTES, i * IV_BYTES + GCM_IV_BYTES);
      const cipher = createCipheriv("aes-128-gcm", this.#key, iv, { authTagLength: this.#tagBytes });
      cipher.setAAD(this.#aadOf(out.subarray(packet, body), batch.trailers[i]!));
      out.set(cipher.update(source.subarray(start, start + end - body)), body);
      cipher.final();
      out.set(cipher.getAuthTag(), end);
      if (this.#isControl) writeU32(out, end + this.#tagBytes, batch.trailers[i]!);
    }
  }

  open(packet: Uint8Array, headerBytes: number, iv: Uint8Array, trailer: number): number {
    const end = packet.length - this.#tagBytes - (this.#isControl ? TRAILER_BYTES : 0);
    if (end < headerBytes) return -1;
    const options = { authTagLength: this.#tagBytes };
    const decipher = createDecipheriv("aes-128-gcm", this.#key, iv.subarray(0, GCM_IV_BYTES), options);
    decipher.setAAD(this.#aadOf(packet.subarray(0, headerBytes), trailer));
    decipher.setAuthTag(packet.subarray(end, end + this.#tagBytes));
    const plain = decipher.update(packet.subarray(headerBytes, end));
    try {
      decipher.final();
    } catch {
      // The tag is wrong: that is how it is said here.
      return -1;
    }
    packet.set(plain, headerBytes);
    return end;
  }

  #aadOf(header: Uint8Array, trailer: number): Uint8Array {
    if (!this.#isControl) return header;
    this.#aad.set(header);
    writeU32(this.#aad, header.length, trailer);
    return this.#aad.subarray(0, header.length + TRAILER_BYTES);
  }

  [Symbol.dispose](): void {
    this.#key.fill(0);
  }
}
