import { clearInterval, setInterval } from "node:timers";
import { NativeLibrary, nativeObstacle } from "./accel_native.ts";

const LIBC = { malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true } } as const;

/** Of a runtime that was started with `--expose-gc`; the last resort gives back twice what the usual way does. */
interface Collector {
  readonly gc?: (options: { type: "major"; flavor: "last-resort" }) => void;
}

const LOOK_MS = 5000;
/** What fewer connections leave behind is not worth the call. */
const MANY = 32;

/**
 * Gives back to the system what the start and connections left behind. The C library keeps freed memory that lies between
 * what is in use, which after 200 viewers is 17 MB, and nothing collects the garbage of an idle program. Done once after
 * the start, and when many connections have gone and no more are going.
 */
export class FreedMemory {
  #most = 0;
  #before = 0;
  #isFirst = true;

  /** Takes the number of open descriptors, at regular times; answers whether now is the time to give back. */
  isDue(descriptors: number): boolean {
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#most = this.#before = descriptors;
      return true;
    }
    const isSteady = descriptors >= this.#before;
    this.#before = descriptors;
    this.#most = Math.max(this.#most, descriptors);
    if (!isSteady || this.#most - descriptors < MANY) return false;
    this.#most = descriptors;
    return true;
  }

  /**
   * Gives back. Collects garbage where the runtime lets programs do that (`--expose-gc`); the rest does not hold up the
   * event loop. Throws where the C library has no such call.
   */
  static async giveBack(): Promise<void> {
    (globalThis as Collector).gc?.({ type: "major", flavor: "last-resort" });
    const libc = new NativeLibrary(["libc.so.6"], LIBC);
    try {
      await libc.symbols.malloc_trim(0n);
    } finally {
      libc.release();
    }
  }
}

/** Gives memory back to the system at times, until the signal; does nothing where that cannot be. */
export function giveBackFreedMemory(signal: AbortSignal): void {
  if (nativeObstacle() !== undefined) return;
  const memory = new FreedMemory();
  const timer = setInterval(async () => {
    try {
      if (memory.isDue([...Deno.readDirSync("/proc/self/fd")].length)) await FreedMemory.giveBack();
    } catch {
      // Another C library than the usual, or no /proc.
      clearInterval(timer);
    }
  }, LOOK_MS);
  timer.unref();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
