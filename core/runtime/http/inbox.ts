import type { StreamConn } from "../types.ts";

const FIRST_BYTES = 2 << 10;
const MAX_READ_BYTES = 64 << 10;
/** What may be read before everybody else has had a turn: a read that finds some bytes need not wait for one. */
const TURN_BYTES = 256 << 10;

/** What came over a connection and was not taken yet. One read at a time, which may go on while nobody waits for it. */
export class Inbox {
  readonly #conn: StreamConn;
  #buffer: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #reading: Promise<boolean> | undefined;
  #hasEnded = false;
  #bytesInTurn = 0;

  /** `head` came already. */
  constructor(conn: StreamConn, head: Uint8Array = new Uint8Array(0)) {
    this.#conn = conn;
    this.#buffer = head;
    this.#end = head.length;
  }

  /** What is there: a view that is valid until the next `fill`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Drops bytes from the front. */
  skip(count: number): void {
    this.#start += count;
  }

  /** Waits for more; `false`: there will be no more, however the connection ended. Never rejects. */
  fill(): Promise<boolean> {
    this.#reading ??= this.#read();
    return this.#reading;
  }

  async #read(): Promise<boolean> {
    if (this.#hasEnded) return false;
    if (this.#bytesInTurn >= TURN_BYTES) await this.#giveTurn();
    this.#makeRoom();
    try {
      const count = await this.#conn.read(this.#buffer.subarray(this.#end));
      if (count === null) this.#hasEnded = true;
      else this.#end += count;
      this.#bytesInTurn += count ?? 0;
    } catch {
      this.#hasEnded = true;
    }
    this.#reading = undefined;
    return !this.#hasEnded;
  }

  #giveTurn(): Promise<void> {
    this.#bytesInTurn = 0;
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  // A buffer that was filled is too small for what comes: the next is larger.
  #makeRoom(): void {
    const rest = this.bytes;
    const isFull = this.#end === this.#buffer.length;
    if (rest.length === 0 && this.#buffer.length > 0 && !(isFull && this.#buffer.length < MAX_READ_BYTES)) {
      this.#start = this.#end = 0;
      return;
    }
    if (!isFull) return;
    const size = Math.max(FIRST_BYTES, rest.length * 2, Math.min(MAX_READ_BYTES, this.#buffer.length * 2));
    const next = new Uint8Array(size);
    next.set(rest);
    this.#buffer = next;
    this.#start = 0;
    this.#end = rest.length;
  }
}
