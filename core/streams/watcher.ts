import type { Clock } from "./types.ts";

/** What is looked at every second. */
export interface Watched {
  check(nowMs: number): void;
}

const INTERVAL_MS = 1000;

/** Looks at all running sources once a second, with one timer, and with none while nothing runs. */
export class Watcher {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(watched: Watched): void {
    this.#watched.add(watched);
    this.#cancel ??= this.#clock.setTimer(() => this.#look(), INTERVAL_MS);
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    this.#cancel = this.#clock.setTimer(() => this.#look(), INTERVAL_MS);
    const nowMs = this.#clock.now();
    for (const watched of [...this.#watched]) watched.check(nowMs);
  }
}
