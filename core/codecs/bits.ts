/** Reads bits, the most significant first. Every read past the end throws a `RangeError`. */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #position: number;

  /** Starts at a byte offset. */
  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#position = offset * 8;
    this.#end = bytes.length * 8;
  }

  /** Bits not read yet. */
  get left(): number {
    return this.#end - this.#position;
  }
  /** Bits read since the start of the bytes. */
  get position(): number {
    return this.#position;
  }

  /** An unsigned number of 0 to 32 bits. */
  u(count: number): number {
    if (count < 0 || count > 32) throw new RangeError(`Cannot read ${count} bits at once`);
    if (count > this.left) throw new RangeError(`Cannot read ${count} bits: only ${this.left} are left`);
    let value = 0;
    while (count > 0) {
      const offset = this.#position & 7;
      const take = Math.min(count, 8 - offset);
      const part = this.#bytes[this.#position >> 3]! >> (8 - offset - take) & (1 << take) - 1;
      value = value * (1 << take) + part;
      this.#position += take;
      count -= take;
    }
    return value;
  }

  /** One bit. */
  flag(): boolean {
    return this.u(1) === 1;
  }

  /** Passes over bits. */
  skip(count: number): void {
    if (count < 0 || count > this.left) throw new RangeError(`Cannot skip ${count} bits: only ${this.left} are left`);
    this.#position += count;
  }

  /** An unsigned Exp-Golomb number (H.264 §9.1). */
  ue(): number {
    let zeros = 0;
    while (this.u(1) === 0) {
      if (++zeros > 32) throw new RangeError("Cannot read an Exp-Golomb number: more than 32 leading zeros");
    }
    return 2 ** zeros - 1 + this.u(zeros);
  }

  /** A signed Exp-Golomb number (H.264 §9.1.1). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : code === 0 ? 0 : -code / 2;
  }
}
