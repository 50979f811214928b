/** Work that takes milliseconds, one piece per turn of the event loop in the order in which it came: media goes first. */
export class TurnQueue {
  readonly #waiting: (() => Promise<void>)[] = [];
  #isRunning = false;

  /** Adds a piece of work, which must not reject. */
  add(work: () => Promise<void>): void {
    this.#waiting.push(work);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#run();
  }

  /** Waits for a turn: what follows at once is the piece of work. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.add(() => Promise.resolve(resolve())));
  }

  async #run(): Promise<void> {
    for (let work = this.#waiting.shift(); work; work = this.#waiting.shift()) {
      await work();
      if (this.#waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.#isRunning = false;
  }
}

/** Of all sessions: an offer and each step of a handshake cost milliseconds, and media does not wait for fifty of them. */
export const turns: TurnQueue = new TurnQueue();
