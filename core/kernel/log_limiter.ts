import { clearTimeout, setTimeout } from "node:timers";
import type { LogFields } from "../util/logger.ts";

const WINDOW_MS = 1000;

/** How many keys are told apart; further ones share a window. */
const MAX_KEYS = 512;
const OTHERS = "";

/** Prints a line; `count` is how many like it were held back. */
export type PrintLine = (
  level: "debug" | "warn",
  message: string,
  fields: LogFields | undefined,
  count: number,
) => void;

interface Window {
  endsMs: number;
  held: number;
  print: PrintLine;
  level: "debug" | "warn";
  message: string;
  fields: LogFields | undefined;
}

/** Lets one line per key and second through, and tells at the end of the second how many it held back. */
export class LogLimiter {
  readonly #now: () => number;
  readonly #windows = new Map<string, Window>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Prints the line now or, when its key had one within the second, holds it back. */
  pass(key: string, print: PrintLine, level: "debug" | "warn", message: string, fields: LogFields | undefined): void {
    const isFull = this.#windows.size >= MAX_KEYS;
    const known = this.#windows.get(key) ?? (isFull ? this.#windows.get(OTHERS) : undefined);
    if (known) {
      known.held++;
      known.print = print;
      known.level = level;
      known.message = message;
      known.fields = fields;
      return;
    }
    const endsMs = this.#now() + WINDOW_MS;
    this.#windows.set(isFull ? OTHERS : key, { endsMs, held: 0, print, level, message, fields });
    this.#schedule();
    print(level, message, fields, 0);
  }

  /** Prints what is held back and stops the timer. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const windows = [...this.#windows.values()];
    this.#windows.clear();
    windows.forEach(tell);
  }

  // One timer for all keys, which does not keep the program running.
  #schedule(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => this.#endWindows(), WINDOW_MS);
    this.#timer.unref();
  }

  #endWindows(): void {
    this.#timer = undefined;
    const nowMs = this.#now();
    for (const [key, window] of this.#windows) {
      if (window.endsMs > nowMs) continue;
      if (window.held === 0) {
        this.#windows.delete(key);
        continue;
      }
      tell(window);
      window.held = 0;
      window.endsMs = nowMs + WINDOW_MS;
    }
    if (this.#windows.size > 0) this.#schedule();
  }
}

function tell({ print, level, message, fields, held }: Window): void {
  if (held > 0) print(level, message, fields, held);
}
