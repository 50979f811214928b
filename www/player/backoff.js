/** The first retry comes after this time; each one that fails doubles it. */
const FIRST_RETRY_MS = 1000;
/** A connection that gave media for this long counts as a good one. */
const GOOD_MS = 3000;

/** How long to wait before the next attempt to connect. */
export class Backoff {
  #failures = 0;
  #goodSinceMs = 0;

  /** Another attempt begins; media has yet to flow. */
  begin() {
    this.#goodSinceMs = 0;
  }
  /** Media flows. */
  good() {
    this.#goodSinceMs ||= performance.now();
  }
  /** What failed before does not count any more. */
  forget() {
    this.#failures = 0;
  }

  /** The attempt has ended: milliseconds until the next one, at most `longestMs`. */
  next(longestMs) {
    if (this.#goodSinceMs > 0 && performance.now() - this.#goodSinceMs > GOOD_MS) this.#failures = 0;
    this.#goodSinceMs = 0;
    return Math.min(longestMs, FIRST_RETRY_MS * 2 ** Math.min(this.#failures++, 10));
  }
}
