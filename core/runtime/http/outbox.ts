import type { StreamConn } from "../types.ts";

/** A client that is waited for and takes nothing for so long has its connection closed. */
const STALL_MS = 15_000;

/**
 * What is sent is put together in here, all in the same place, and leaves it within the call as a rule. Where it does not,
 * the next begins as small as what it is for: a large one for each frame would be most of the work.
 */
let scratch = new Uint8Array(0);

/** Sends bytes over a connection: within the call where the system takes them, else as soon as it does. */
export class Outbox {
  readonly #conn: StreamConn;
  readonly #left: Uint8Array[] = [];
  #leftBytes = 0;
  // Of what was left.
  #takenBytes = 0;
  #hasFailed = false;
  /** All that was left has been taken, or the connection has failed. */
  onDrain: (() => void) | undefined;
  /** The connection has failed: called before `onDrain`. */
  onFail: (() => void) | undefined;

  constructor(conn: StreamConn) {
    this.#conn = conn;
  }

  /** Bytes that the system has not taken yet. */
  get bufferedAmount(): number {
    return this.#leftBytes;
  }

  /** Whether the connection takes nothing any more: what is sent is dropped. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** A place for so many bytes, to be filled and given to `commit` before anything else is sent. */
  reserve(count: number): Uint8Array {
    if (scratch.length < count) scratch = new Uint8Array(Math.max(scratch.length * 2, count));
    return scratch.subarray(0, count);
  }

  /** Sends what `reserve` answered, or a part of it. */
  commit(bytes: Uint8Array): void {
    if (this.#hasFailed) return;
    if (this.#leftBytes > 0) return this.#keep(bytes.slice());
    const count = this.#conn.writeNow?.(bytes) ?? 0;
    if (count === bytes.length) return;
    if (count > 0) return this.#keep(bytes.slice(count));
    // The system may hold the array itself from now on.
    scratch = new Uint8Array(0);
    this.#keep(bytes);
  }

  /** Sends bytes that nobody changes any more. */
  send(bytes: Uint8Array): void {
    if (!this.#hasFailed && bytes.length > 0) this.#keep(bytes);
  }

  /** Resolves when all has been taken, or the connection has failed; `onDrain` is in use until then. */
  drained(): Promise<void> {
    if (this.#leftBytes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      let before = this.#takenBytes;
      const timer = setInterval(() => {
        if (this.#takenBytes === before) this.#conn.close();
        before = this.#takenBytes;
      }, STALL_MS);
      this.onDrain = () => {
        clearInterval(timer);
        this.onDrain = undefined;
        resolve();
      };
    });
  }

  #keep(bytes: Uint8Array): void {
    this.#left.push(bytes);
    this.#leftBytes += bytes.length;
    if (this.#left.length === 1) this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    this.#conn.write(bytes).then(this.#onWritten, this.#onFailed);
  }

  readonly #onWritten = (count: number): void => {
    const first = this.#left[0]!;
    this.#leftBytes -= count;
    this.#takenBytes += count;
    if (count < first.length) this.#left[0] = first.subarray(count);
    else this.#left.shift();
    const next = this.#left[0];
    if (next) this.#write(next);
    else this.onDrain?.();
  };

  readonly #onFailed = (): void => {
    this.#hasFailed = true;
    this.#left.length = 0;
    this.#leftBytes = 0;
    // Whoever reads learns of the end.
    this.#conn.close();
    this.onFail?.();
    this.onDrain?.();
  };
}
