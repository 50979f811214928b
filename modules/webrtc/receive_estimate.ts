/** What a publisher is allowed at most: more than a browser's camera or screen takes. */
const MOST_BITS = 8_000_000;
const LEAST_BITS = 300_000;
/** Where more than this share is lost in two reports running, the way is full. */
const FULL_LOSS = 0.1;
/** By how much of what arrives a full way may be overrun, and how the limit grows in a second when it is not full. */
const ROOM = 1.2;
const GROWTH = 1.25;

/**
 * What a publisher may send us, for REMB. It begins high, as browsers believe the first one and start with it instead of
 * feeling their way up for half a minute. They slow down by themselves when packets are lost; this only spares them the
 * way down from a limit that is far too high.
 */
export class ReceiveEstimate {
  #bits = MOST_BITS;
  #wasFull = false;
  #atMs = -1;
  #bytesBefore = 0;

  /** The estimate in bit/s: `bytes` came in all, and since the last call this share (0 to 1) was lost. */
  next(bytes: number, loss: number, nowMs: number): number {
    const seconds = (nowMs - this.#atMs) / 1000;
    const isFull = loss > FULL_LOSS;
    if (this.#atMs >= 0 && seconds > 0) {
      const arrives = (bytes - this.#bytesBefore) * 8 / seconds;
      if (isFull && this.#wasFull) this.#bits = Math.min(this.#bits, Math.max(LEAST_BITS, arrives * ROOM));
      else if (!isFull) this.#bits = Math.min(MOST_BITS, this.#bits * GROWTH ** seconds);
    }
    this.#wasFull = isFull;
    this.#atMs = nowMs;
    this.#bytesBefore = bytes;
    return Math.round(this.#bits);
  }
}
