/** A PES packet larger than this is given up. */
const MAX_PES_BYTES = 8 << 20;
const FIRST_CAPACITY = 16 << 10;

/** What an elementary stream is given: the data of one PES packet, in a buffer of its own. */
export interface PesPacket {
  readonly data: Uint8Array;
  /** 33-bit counts at 90 kHz. */
  readonly pts: number | undefined;
  readonly dts: number | undefined;
  readonly isCorrupt: boolean;
  /** The packet before it was lost whole. */
  readonly isAfterLoss: boolean;
  readonly arrivalMs: number;
}

/** Puts the PES packets of one PID together (ISO/IEC 13818-1 §2.4.3.6). */
export class PesAssembler {
  readonly #onPacket: (packet: PesPacket) => void;
  // Used again for each packet.
  #buffer: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #length = 0;
  #total = 0;
  #isActive = false;
  #isCorrupt = false;
  #isAfterLoss = false;
  /** Packets that made no sense or were too large. */
  malformed = 0;

  constructor(onPacket: (packet: PesPacket) => void) {
    this.#onPacket = onPacket;
  }

  /** Something is missing: of the packet under way, or all of one that nobody has seen. */
  markCorrupt(): void {
    if (this.#isActive) this.#isCorrupt = true;
    else this.#isAfterLoss = true;
  }

  /** Takes bytes `from` to `to` of a transport packet; `isStart`: a PES packet begins there. */
  push(bytes: Uint8Array, from: number, to: number, isStart: boolean, arrivalMs: number): void {
    if (isStart) {
      this.finish(arrivalMs);
      this.#begin(bytes, from, to);
    }
    if (!this.#isActive) return;
    const needed = this.#length + to - from;
    if (needed > MAX_PES_BYTES) return this.#giveUp();
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    for (let i = from, at = this.#length; i < to; i++, at++) this.#buffer[at] = bytes[i]!;
    this.#length = needed;
    if (this.#total > 0 && this.#length >= this.#total) this.finish(arrivalMs);
  }

  #begin(bytes: Uint8Array, from: number, to: number): void {
    this.#isActive = to - from >= 6 && bytes[from] === 0 && bytes[from + 1] === 0 && bytes[from + 2] === 1;
    if (!this.#isActive) return this.#drop();
    const size = bytes[from + 4]! << 8 | bytes[from + 5]!;
    this.#total = size === 0 ? 0 : size + 6;
    this.#length = 0;
    this.#isCorrupt = false;
  }

  #giveUp(): void {
    this.#isActive = false;
    this.#buffer = new Uint8Array(FIRST_CAPACITY);
    this.#drop();
  }

  #drop(): void {
    this.malformed++;
    this.#isAfterLoss = true;
  }

  /** Gives the packet under way: the next one begins, or the stream has ended. */
  finish(arrivalMs: number): void {
    if (!this.#isActive) return;
    this.#isActive = false;
    const buffer = this.#buffer;
    const length = this.#total > 0 ? Math.min(this.#total, this.#length) : this.#length;
    const from = 9 + (buffer[8] ?? 0);
    if (length < 9 || from > length || (buffer[6]! & 0xc0) !== 0x80) return this.#drop();
    const flags = buffer[7]! >> 6;
    const pts = flags & 2 && from >= 14 ? timeAt(buffer, 9) : undefined;
    const dts = flags === 3 && from >= 19 ? timeAt(buffer, 14) : undefined;
    this.#onPacket({
      data: buffer.slice(from, length),
      pts,
      dts,
      isCorrupt: this.#isCorrupt || length < this.#total,
      isAfterLoss: this.#isAfterLoss,
      arrivalMs,
    });
    this.#isAfterLoss = false;
  }
}

function timeAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! >> 1 & 7) * 0x40000000 + (bytes[at + 1]! << 22) + (bytes[at + 2]! >> 1 << 15) +
    (bytes[at + 3]! << 7) + (bytes[at + 4]! >> 1);
}
