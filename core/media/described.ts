import type { Track } from "./track.ts";

const NEEDS_SETS = new Set(["H264", "H265", "AV1"]);

/**
 * Waits until the parameter sets of every picture are known, which a source without them in its description sends with
 * its first keyframe; at most `timeoutMs`. Answers whether they all are.
 */
export function awaitParameterSets(
  tracks: readonly Track[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const missing = new Set(tracks.filter(({ codec }) => NEEDS_SETS.has(codec.name) && codec.parameterSets.length === 0));
  if (missing.size === 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const cursors = [...missing].map((track) => ({ track, index: Infinity, wake: () => look(track) }));
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      for (const cursor of cursors) cursor.track.log.removeCursor(cursor);
      resolve(missing.size === 0);
    };
    const look = (track: Track) => {
      if (track.codec.parameterSets.length > 0) missing.delete(track);
      if (missing.size === 0) done();
    };
    const timer = setTimeout(done, timeoutMs);
    signal?.addEventListener("abort", done, { once: true });
    if (signal?.aborted) return done();
    for (const cursor of cursors) cursor.track.log.addCursor(cursor);
  });
}
