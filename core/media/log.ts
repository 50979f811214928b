import { budget } from "./budget.ts";
import type { Frame } from "./frame.ts";

/** How a slow reader is told from a live one: beyond either, it is moved to a newer keyframe. */
export const LAG_LIMIT = { ms: 2000, bytes: 2 << 20 } as const;

/** How much a log holds. */
export interface LogOptions {
  /** Payload bytes at most; beyond, the newest keyframe stays as a still, with the tail. Default 8 MiB. */
  readonly maxBytes?: number;
  /** Frames younger than this are kept for readers that start at an earlier moment (audio). Default 0. */
  readonly keepMs?: number;
}

/** A place in a log, known to it: what a live cursor has not read yet stays, within the lag limit. */
export interface LogCursor {
  /** The index it reads next. */
  readonly index: number;
  /** Frames were appended. */
  wake(): void;
}

/**
 * The frames of one track: at least what came since the newest keyframe, up to a cap. Appending never waits for a reader;
 * a reader whose place has gone finds that out by itself.
 */
export class Log {
  readonly #options: Required<LogOptions>;
  readonly #onTrim: (firstIndex: number) => void;
  readonly #cursors = new Set<LogCursor>();
  // Frames from `#head` on are in the log; what is before is cleared and cut off in larger steps.
  #frames: (Frame | undefined)[] = [];
  #head = 0;
  #firstIndex = 0;
  #nextIndex = 0;
  #keyframe: Frame | undefined;
  #position = 0;
  #bytes = 0;
  #isClosed = false;

  constructor(options: LogOptions, onTrim: (firstIndex: number) => void) {
    this.#options = { maxBytes: options.maxBytes ?? 8 << 20, keepMs: options.keepMs ?? 0 };
    this.#onTrim = onTrim;
    budget.add(this);
  }

  get firstIndex(): number {
    return this.#firstIndex;
  }
  /** The index the next frame will get. */
  get nextIndex(): number {
    return this.#nextIndex;
  }
  /**
   * The newest keyframe, also when it is only kept as a still; `undefined` before the first. Whoever keeps a frame of the
   * log, which readers hand out shared, calls `share` of its payload.
   */
  get keyframe(): Frame | undefined {
    return this.#keyframe;
  }
  get newest(): Frame | undefined {
    return this.at(this.#nextIndex - 1);
  }
  /** Payload bytes held. */
  get byteLength(): number {
    return this.#bytes;
  }
  /** Payload bytes ever appended: the `position` of the next frame. */
  get position(): number {
    return this.#position;
  }
  get cursorCount(): number {
    return this.#cursors.size;
  }

  /** The frame of an index, if the log still holds it (a still outside the tail is not found here). */
  at(index: number): Frame | undefined {
    return index < this.#firstIndex ? undefined : this.#frames[this.#head + index - this.#firstIndex];
  }

  /** Adds a frame whose `index` is `nextIndex` and whose `position` is `position`, then wakes the cursors. */
  append(frame: Frame): void {
    if (this.#isClosed) return;
    this.#frames.push(frame);
    this.#nextIndex++;
    const size = frame.payload.byteLength;
    this.#position += size;
    this.#bytes += size;
    if (frame.isKeyframe) this.#setKeyframe(frame);
    this.#trim(frame.arrivalMs);
    budget.grow(size);
    for (const cursor of this.#cursors) cursor.wake();
  }

  #setKeyframe(frame: Frame): void {
    this.#dropStill();
    this.#keyframe = frame;
  }

  // A keyframe outside the tail is counted by itself.
  #dropStill(): void {
    const still = this.#keyframe;
    if (still && still.index < this.#firstIndex) {
      this.#bytes -= still.payload.byteLength;
      budget.shrink(still.payload.byteLength);
      still.payload.discard?.();
    }
  }

  #trim(nowMs: number): void {
    const keyIndex = this.#keyframe?.index ?? this.#firstIndex;
    let keep = keyIndex;
    if (this.#options.keepMs > 0) {
      // In steps, so that it is not done at each append.
      const oldest = this.at(this.#firstIndex);
      keep = this.#firstIndex;
      if (oldest && nowMs - oldest.arrivalMs > this.#options.keepMs * 1.25) {
        while (keep < keyIndex && nowMs - this.at(keep)!.arrivalMs > this.#options.keepMs) keep++;
      }
    }
    if (keep > this.#firstIndex) this.#cutTo(this.#neededFrom(keep, nowMs));
    if (this.#bytes > this.#options.maxBytes) this.#cutToBytes(this.#options.maxBytes);
  }

  // The first index that a cursor within the lag limit has yet to read, at most `keep`.
  #neededFrom(keep: number, nowMs: number): number {
    let needed = keep;
    for (const cursor of this.#cursors) if (cursor.index < needed) needed = cursor.index;
    if (needed < this.#firstIndex) needed = this.#firstIndex;
    while (needed < keep) {
      const frame = this.at(needed)!;
      if (nowMs - frame.arrivalMs <= LAG_LIMIT.ms && this.#position - frame.position <= LAG_LIMIT.bytes) break;
      needed++;
    }
    return needed;
  }

  #cutToBytes(maxBytes: number): void {
    const still = this.#keyframe?.payload.byteLength ?? 0;
    let held = this.#bytes;
    let index = this.#firstIndex;
    while (held + still > maxBytes && index < this.#nextIndex - 1) held -= this.at(index++)!.payload.byteLength;
    this.#cutTo(index);
  }

  #cutTo(index: number): void {
    if (index <= this.#firstIndex) return;
    let freed = 0;
    for (let i = this.#firstIndex; i < index; i++) {
      const frame = this.at(i)!;
      this.#frames[this.#head + i - this.#firstIndex] = undefined;
      if (frame === this.#keyframe) continue;
      freed += frame.payload.byteLength;
      frame.payload.discard?.();
    }
    this.#head += index - this.#firstIndex;
    this.#firstIndex = index;
    if (this.#head > 32 && this.#head * 2 > this.#frames.length) {
      this.#frames.splice(0, this.#head);
      this.#head = 0;
    }
    this.#bytes -= freed;
    budget.shrink(freed);
    this.#onTrim(index);
  }

  /** Gives back what can be spared when the program's budget is used up: all but the still and the newest frame. */
  reclaim(): void {
    if (this.#nextIndex > this.#firstIndex) this.#cutTo(this.#nextIndex - 1);
  }

  addCursor(cursor: LogCursor): void {
    this.#cursors.add(cursor);
  }
  removeCursor(cursor: LogCursor): void {
    this.#cursors.delete(cursor);
  }

  /** Empties the log for good; readers find nothing more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const frame of this.#frames) frame?.payload.discard?.();
    this.#dropStill();
    budget.shrink(this.#bytes);
    budget.remove(this);
    this.#bytes = 0;
    this.#frames = [];
    this.#head = 0;
    this.#firstIndex = this.#nextIndex;
    this.#keyframe = undefined;
    this.#onTrim(this.#nextIndex);
  }
}
