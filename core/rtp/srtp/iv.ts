import { readU32, writeU16, writeU32 } from "../packet.ts";

/** Indices of SRTP have 48 bits: 32 of rollover counter, 16 of sequence number. */
export const MAX_INDEX = 2 ** 48 - 1;
/** Indices of SRTCP have 31 bits. */
export const MAX_RTCP_INDEX = 2 ** 31 - 1;

/** The upper 32 bits of an index. */
export function rolloverOf(index: number): number {
  return Math.floor(index / 0x1_0000);
}

/** Writes the vectors of one set of keys. */
export interface IvWriter {
  /** Of an RTP packet, from its 48-bit index; of an RTCP packet, from its 31-bit index. */
  write(into: Uint8Array, at: number, ssrc: number, index: number): void;
}

/** Vectors of counter mode: `salt ^ ssrc << 64 ^ index << 16` (RFC 3711 §4.1.1), the same for RTP and RTCP. */
export class CounterModeIv implements IvWriter {
  readonly #words: readonly number[];

  constructor(salt: Uint8Array) {
    const padded = new Uint8Array(16);
    padded.set(salt);
    this.#words = [0, 4, 8, 12].map((at) => readU32(padded, at));
  }

  write(into: Uint8Array, at: number, ssrc: number, index: number): void {
    const words = this.#words;
    writeU32(into, at, words[0]!);
    writeU32(into, at + 4, words[1]! ^ ssrc);
    writeU32(into, at + 8, words[2]! ^ rolloverOf(index));
    writeU32(into, at + 12, words[3]! ^ index << 16);
  }
}

/** Vectors of GCM: `00 00 ssrc roc seq ^ salt` (RFC 7714 §8.1), for RTCP `00 00 ssrc 00 00 index ^ salt` (§9.1). */
export class GcmIv implements IvWriter {
  readonly #salt: Uint8Array;
  readonly #isControl: boolean;

  constructor(salt: Uint8Array, isControl: boolean) {
    this.#salt = salt;
    this.#isControl = isControl;
  }

  write(into: Uint8Array, at: number, ssrc: number, index: number): void {
    const salt = this.#salt;
    writeU16(into, at, 0);
    writeU32(into, at + 2, ssrc);
    if (this.#isControl) {
      writeU16(into, at + 6, 0);
      writeU32(into, at + 8, index);
    } else {
      writeU32(into, at + 6, rolloverOf(index));
      writeU16(into, at + 10, index);
    }
    for (let i = 0; i < 12; i++) into[at + i]! ^= salt[i]!;
  }
}
