/** How exactly deadlines are kept. */
const TICK_MS = 250;

const armed = new Set<Deadline>();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  const nowMs = performance.now();
  for (const deadline of armed) deadline.check(nowMs);
}

/**
 * Calls back once unless it is extended in time. To extend it is one assignment, so it may be done for each read; one
 * timer looks after all deadlines of the program.
 */
export class Deadline implements Disposable {
  #limitMs: number;
  readonly #onPassed: () => void;
  #passesMs: number;

  constructor(limitMs: number, onPassed: () => void) {
    this.#limitMs = limitMs;
    this.#onPassed = onPassed;
    this.#passesMs = performance.now() + limitMs;
    armed.add(this);
    timer ??= setInterval(tick, TICK_MS);
  }

  /** Life was seen at `nowMs`: the time begins anew, with another limit if one is given. */
  extend(nowMs: number = performance.now(), limitMs: number = this.#limitMs): void {
    this.#limitMs = limitMs;
    this.#passesMs = nowMs + limitMs;
  }

  /** Nothing is expected of the other side until the next `extend`. */
  pause(): void {
    this.#passesMs = Infinity;
  }

  /** Calls back if the time has passed; the shared timer does this. */
  check(nowMs: number): void {
    if (nowMs < this.#passesMs) return;
    this[Symbol.dispose]();
    this.#onPassed();
  }

  [Symbol.dispose](): void {
    this.#passesMs = Infinity;
    armed.delete(this);
    if (armed.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }
}

/** A signal that ends by itself after a time; dispose it when what it guards is done. */
export interface TimeLimit extends Disposable {
  readonly signal: AbortSignal;
}

/** Aborts with `error()` after `ms`, or with the parent's reason as soon as the parent aborts. */
export function timeLimit(ms: number, error: () => Error, parent?: AbortSignal): TimeLimit {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(error()), ms);
  const onAbort = () => controller.abort(parent!.reason);
  if (parent?.aborted) onAbort();
  else parent?.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      parent?.removeEventListener("abort", onAbort);
    },
  };
}
