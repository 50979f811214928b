import { slab } from "../runtime/mod.ts";
import type { StreamConn } from "../runtime/types.ts";
import { StreamError } from "../util/errors.ts";

const SLAB_BYTES = 16 << 10;
const decoder = new TextDecoder();

/**
 * Reads lines and counted bytes of a byte stream, for handshakes. Rejects with a `PROTOCOL` error when a limit is passed
 * and with `CLOSED` when the stream ends in the middle.
 */
export class ByteReader {
  readonly #conn: StreamConn;
  #slab: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;

  constructor(conn: StreamConn) {
    this.#conn = conn;
  }

  /** One line without its end (CR LF or LF). */
  async readLine(maxBytes = 8 << 10): Promise<string> {
    let from = this.#start;
    for (;;) {
      const at = this.#slab.subarray(0, this.#end).indexOf(10, from);
      if (at >= 0) {
        const end = at > this.#start && this.#slab[at - 1] === 13 ? at - 1 : at;
        const line = decoder.decode(this.#slab.subarray(this.#start, end));
        this.#start = at + 1;
        return line;
      }
      const have = this.#end - this.#start;
      if (have > maxBytes) throw new StreamError("PROTOCOL", `Cannot read a line: it is longer than ${maxBytes} bytes`);
      await this.#fill(1);
      from = this.#start + have;
    }
  }

  /** Exactly so many bytes: a view that stays valid. */
  async readExactly(count: number): Promise<Uint8Array> {
    while (this.#end - this.#start < count) await this.#fill(count - (this.#end - this.#start));
    const bytes = this.#slab.subarray(this.#start, this.#start + count);
    this.#start += count;
    return bytes;
  }

  /** What is there, or the next bytes to come, at most `maxBytes`; `undefined` at the end of the stream. */
  async readSome(maxBytes: number = SLAB_BYTES): Promise<Uint8Array | undefined> {
    if (this.#start === this.#end && !(await this.#read(1))) return undefined;
    const bytes = this.#slab.subarray(this.#start, Math.min(this.#end, this.#start + maxBytes));
    this.#start += bytes.length;
    return bytes;
  }

  async #fill(missing: number): Promise<void> {
    if (!(await this.#read(missing))) throw new StreamError("CLOSED", "the connection was closed by the other side");
  }

  async #read(missing: number): Promise<boolean> {
    if (this.#slab.length - this.#end < missing) {
      const rest = this.#slab.subarray(this.#start, this.#end);
      const next = slab(Math.max(SLAB_BYTES, rest.length + missing));
      next.set(rest);
      this.#slab = next;
      this.#start = 0;
      this.#end = rest.length;
    }
    const count = await this.#conn.read(this.#slab.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    return true;
  }
}
