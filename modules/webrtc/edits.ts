import type { Edit, Frame, Track } from "../../core/mod.ts";

/** What the edit of a reader adds to the presentation time of a frame. */
export function timestampDeltaOf(frame: Frame, edit: Edit | undefined): number {
  if (!edit) return 0;
  return edit.timeDelta + (edit.compositionOffset ?? frame.compositionOffset) - frame.compositionOffset;
}

/**
 * The times of pictures that a peer gets again from the newest keyframe on. They lie behind the last one that it got and
 * before the next one of the camera: a decoder drops what is older than what it has shown.
 */
export class Replay {
  /** Pictures from this index on have their own times. */
  readonly end: number;
  readonly #from: number;
  readonly #base: number;
  readonly #ratio: number;

  /** `last` is the newest timestamp that the peer got. The log must have a keyframe. */
  constructor({ log, codec }: Track, last: number) {
    const key = log.keyframe!;
    const newest = log.newest ?? key;
    const count = Math.max(1, log.nextIndex - key.index);
    const backlog = newest.timestamp - key.timestamp;
    const interval = count > 1 ? backlog / (count - 1) : codec.clockRate / 25;
    const limit = newest.timestamp + interval / 2;
    this.end = log.nextIndex;
    this.#from = key.timestamp;
    this.#base = Math.max(last, Math.floor(limit - count * codec.clockRate / 1000)) + 1;
    this.#ratio = Math.max(count, limit - this.#base) / (backlog + interval);
  }

  /** What is added to the presentation time of a picture before `end`. */
  deltaOf({ timestamp, compositionOffset }: Frame): number {
    const shown = timestamp + compositionOffset;
    return this.#base + Math.floor((shown - this.#from) * this.#ratio) - shown;
  }
}
