/** What the budget needs to know of a log. */
export interface Reclaimable {
  readonly byteLength: number;
  readonly cursorCount: number;
  reclaim(): void;
}

/** The payload bytes that all logs of the program may hold together; logs that nobody reads give way first. */
class Budget {
  limitBytes = Infinity;
  #used = 0;
  readonly #logs = new Set<Reclaimable>();

  get usedBytes(): number {
    return this.#used;
  }
  add(log: Reclaimable): void {
    this.#logs.add(log);
  }
  remove(log: Reclaimable): void {
    this.#logs.delete(log);
  }
  grow(bytes: number): void {
    this.#used += bytes;
    if (this.#used > this.limitBytes) this.#reclaim();
  }
  shrink(bytes: number): void {
    this.#used -= bytes;
  }

  #reclaim(): void {
    // Some room to spare, so that it is not done at each append.
    const target = this.limitBytes * 0.9;
    const order = [...this.#logs].sort((a, b) =>
      Number(a.cursorCount > 0) - Number(b.cursorCount > 0) || b.byteLength - a.byteLength
    );
    for (const log of order) {
      if (this.#used <= target) return;
      log.reclaim();
    }
  }
}

/** The one budget of this program; the kernel sets its limit. */
export const budget: Budget = new Budget();
