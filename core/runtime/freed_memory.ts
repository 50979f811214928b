import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";
import { NativeLibrary, nativeObstacle } from "./accel_native.ts";

const LIBC = { malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true } } as const;

/** Of a runtime that was started with `--expose-gc`; the last resort gives back twice what the usual way does. */
interface Collector {
  readonly gc?: (options: { type: "major"; flavor: "last-resort" }) => void;
}

/** The start is over. Collecting takes 30 ms, in which nobody waits for a frame yet. */
const STARTED_MS = 1500;
const LOOK_MS = 5000;
/** What fewer connections leave behind is not worth the call. */
const MANY = 32;

/** Tells from the number of open descriptors when many connections have gone and no more are going. */
export class Departures {
  #most = 0;
  #before = 0;

  /** Takes the number at regular times; answers whether it is so now. */
  areOver(descriptors: number): boolean {
    const isSteady = descriptors >= this.#before;
    this.#before = descriptors;
    this.#most = Math.max(this.#most, descriptors);
    if (!isSteady || this.#most - descriptors < MANY) return false;
    this.#most = descriptors;
    return true;
  }
}

// Where the runtime lets programs do that.
function collectGarbage(): void {
  (globalThis as Collector).gc?.({ type: "major", flavor: "last-resort" });
}

/** Has the C library give back what it keeps, beside the event loop. Throws where it has no such call. */
export async function trimFreed(): Promise<void> {
  const libc = new NativeLibrary(["libc.so.6"], LIBC);
  try {
    await libc.symbols.malloc_trim(0n);
  } finally {
    libc.release();
  }
}

/**
 * Gives back to the system what the start and connections left behind, until the signal; does nothing where that cannot
 * be. The C library keeps freed memory that lies between what is in use, which after 200 viewers is 17 MB, and nothing
 * collects the garbage of an idle program: done once after the start, and without collecting, which would hold up the
 * viewers that are left, when many connections have gone.
 */
export function giveBackFreedMemory(signal: AbortSignal): void {
  if (nativeObstacle() !== undefined) return;
  const departures = new Departures();
  const stop = () => {
    clearTimeout(start);
    clearInterval(timer);
  };
  const trim = () => trimFreed().catch(stop);
  const start = setTimeout(() => {
    collectGarbage();
    void trim();
  }, STARTED_MS);
  const timer = setInterval(() => {
    try {
      if (departures.areOver([...Deno.readDirSync("/proc/self/fd")].length)) void trim();
    } catch {
      // No /proc.
      stop();
    }
  }, LOOK_MS);
  start.unref();
  timer.unref();
  signal.addEventListener("abort", stop, { once: true });
}
