import type { LogCursor, Track } from "../../core/mod.ts";

/** Codecs that a description is of little use without: players cannot tell the size of the picture, or the sampling. */
const NEEDING = new Set(["H264", "H265", "MPEG4-GENERIC"]);

const isKnown = ({ codec }: Track) => codec.parameterSets.length > 0 || !NEEDING.has(codec.name);

/** Resolves when all tracks have told their parameter sets, after `limitMs`, or when the signal aborts. */
export function whenDescribed(tracks: readonly Track[], limitMs: number, signal: AbortSignal): Promise<void> {
  const unknown = tracks.filter((track) => !isKnown(track));
  if (unknown.length === 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    // It reads nothing, so it must not hold anything back in the log.
    const cursor: LogCursor = { index: Infinity, wake: () => unknown.every(isKnown) && done() };
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      for (const { log } of unknown) log.removeCursor(cursor);
      resolve();
    };
    const timer = setTimeout(done, limitMs);
    signal.addEventListener("abort", done, { once: true });
    for (const { log } of unknown) log.addCursor(cursor);
  });
}
