import { clearInterval, setInterval } from "node:timers";
import { files } from "../../runtime/mod.ts";
import { readConfigFile } from "./store.ts";

const LOOK_MS = 500;

/**
 * What files say, to be compared with a later look; one that cannot be read is as none. It is the text and not the time of
 * the last change: an edit may leave size and time as they were (clocks of files tick, copies keep times).
 */
export async function lookAt(paths: readonly string[]): Promise<string> {
  const looks = paths.map(async (path) => {
    try {
      // What comes through a pipe comes once.
      return (await files.info(path)).isFile ? await readConfigFile(path) ?? "" : "";
    } catch {
      return "";
    }
  });
  return (await Promise.all(looks)).join("\0");
}

/**
 * Calls `onChange` when the files look otherwise than at the last look, `seen`, and have stayed so for half a second; until
 * `signal` aborts. They are looked at, not watched: that costs less than to hear of all that is written in their folder
 * (Home Assistant's database), and sees what is mounted into a container or comes from another machine.
 */
export function watchFiles(paths: readonly string[], seen: string, onChange: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  let last = seen;
  let hasChanged = false;
  let isLooking = false;
  const look = async () => {
    // Another machine may take its time.
    if (isLooking) return;
    isLooking = true;
    const now = await lookAt(paths);
    isLooking = false;
    if (signal.aborted) return;
    if (now !== last) {
      last = now;
      hasChanged = true;
    } else if (hasChanged) {
      hasChanged = false;
      onChange();
    }
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
