import type { Frame } from "./frame.ts";
import { LAG_LIMIT, type LogCursor } from "./log.ts";
import type { Edit } from "./rendition.ts";
import type { Track } from "./track.ts";

/** Where a viewer starts: at the live edge, at the newest keyframe with true times, or there with squeezed times. */
export type Start = "live" | "keyframe" | "now";

/** The largest backlog that is squeezed; beyond it a viewer gets the still and waits. */
export const SQUEEZE_LIMIT = { frames: 150, bytes: 4 << 20 } as const;

/** How a viewer reads. */
export interface ReaderOptions {
  readonly start: Start;
  /** Skip corrupt frames, and with them all up to the next keyframe (muxers, decoders); RTP to RTP passes them on. */
  readonly dropsCorrupt: boolean;
  /** Called when there may be frames to read; must not throw. */
  readonly wake?: () => void;
  /** Start in the middle of a GOP when no keyframe came for this long. Default: wait for ever. */
  readonly keyframePatienceMs?: number;
}

class Cursor implements LogCursor {
  readonly track: Track;
  readonly #reader: Reader;
  /** What it reads next. While it waits for a keyframe it holds nothing back in the log. */
  next: number;
  isWaiting = false;
  /** The still to show before waiting. */
  still: Frame | undefined;
  /** The part of the log whose times are squeezed: up to `end`, `spacing` ticks apart, the last one at its true time. */
  squeeze:
    | { readonly end: number; readonly spacing: number; readonly last: number; readonly ratio: number }
    | undefined;
  generation = -1;

  constructor(reader: Reader, track: Track) {
    this.#reader = reader;
    this.track = track;
    this.next = track.log.nextIndex;
  }
  get index(): number {
    return this.isWaiting ? Infinity : this.next;
  }
  /** Nothing more of it is read before the next keyframe. */
  awaitKeyframe(): void {
    this.isWaiting = true;
    this.track.requestKeyframe();
  }
  wake(): void {
    this.#reader.wake();
  }
}

/**
 * One viewer's cursors into the logs of its tracks, interleaved in order of arrival. Reading is synchronous:
 * `while ((frame = reader.next())) use(reader.track, frame, reader.edit)`. A reader that is slow is moved to the newest
 * keyframe, which is counted, and never holds up the log.
 */
export class Reader implements Disposable {
  readonly #cursors: Cursor[];
  readonly #options: ReaderOptions;
  readonly #createdMs = performance.now();
  #hasVideo = false;
  /** The first picture was read (or there is none to wait for): sound may follow. */
  #isStarted: boolean;
  #isClosed = false;
  #edit: Edit | undefined;
  #track: Track;
  #isNewGeneration = false;
  /** Called when there may be frames to read; owners set it when they are ready. */
  wake: () => void;
  /** Times it was moved to a newer keyframe because it was slow, and frames it did not get for that. */
  skips = 0;
  dropped = 0;

  constructor(tracks: readonly Track[], options: ReaderOptions) {
    if (tracks.length === 0) throw new RangeError("Cannot read: no tracks were given");
    this.#options = options;
    this.wake = options.wake ?? (() => {});
    this.#track = tracks[0]!;
    this.#cursors = tracks.map((track) => new Cursor(this, track));
    this.#hasVideo = tracks.some((track) => track.kind === "video");
    this.#isStarted = !this.#hasVideo;
    for (const cursor of this.#cursors) {
      this.#place(cursor);
      cursor.track.log.addCursor(cursor);
      if (cursor.isWaiting) cursor.track.requestKeyframe();
    }
  }

  /** The track of the frame that `next` answered last. */
  get track(): Track {
    return this.#track;
  }
  /** How this viewer's copy of that frame differs; `undefined`: it is sent the shared bytes. */
  get edit(): Edit | undefined {
    return this.#edit;
  }
  /** That frame is the reader's first of its track, or the first with another codec than the one before. */
  get isNewGeneration(): boolean {
    return this.#isNewGeneration;
  }
  /** The tracks it reads. */
  get tracks(): Track[] {
    return this.#cursors.map((cursor) => cursor.track);
  }

  #place(cursor: Cursor): void {
    const { track } = cursor;
    const { log } = track;
    if (track.kind !== "video") return;
    cursor.isWaiting = true;
    const key = log.keyframe;
    if (this.#options.start === "live" || !key || (this.#options.dropsCorrupt && key.isCorrupt)) return;
    const isHeld = log.at(key.index) === key;
    if (this.#options.start === "keyframe") {
      if (!isHeld) return;
      cursor.next = key.index;
      cursor.isWaiting = false;
      return;
    }
    const count = log.nextIndex - key.index;
    if (!isHeld || count > SQUEEZE_LIMIT.frames || log.position - key.position > SQUEEZE_LIMIT.bytes) {
      key.payload.share?.();
      cursor.still = key;
      return;
    }
    cursor.next = key.index;
    cursor.isWaiting = false;
    if (count < 2) return;
    const last = log.newest!.timestamp;
    const average = (last - key.timestamp) / (count - 1);
    const spacing = Math.max(1, Math.min(Math.floor(track.codec.clockRate / 1000), Math.floor(average)));
    cursor.squeeze = { end: log.nextIndex, spacing, last, ratio: Math.min(1, spacing / average) };
  }

  /** The next frame in order of arrival, or `undefined` when there is none yet. */
  next(): Frame | undefined {
    if (this.#isClosed) return undefined;
    for (;;) {
      let first: Cursor | undefined;
      let frame: Frame | undefined;
      for (const cursor of this.#cursors) {
        const candidate = this.#peek(cursor);
        if (candidate && (!frame || candidate.order < frame.order)) {
          first = cursor;
          frame = candidate;
        }
      }
      if (!first || !frame) return undefined;
      if (this.#take(first, frame)) return frame;
    }
  }

  /** Moves it to the newest keyframe if it is late, as `next` does: for an owner that cannot read now. */
  catchUp(): void {
    if (this.#isClosed) return;
    for (const cursor of this.#cursors) this.#peek(cursor);
  }

  #peek(cursor: Cursor): Frame | undefined {
    const { log, kind } = cursor.track;
    if (kind !== "video") {
      if (!this.#isStarted) return undefined;
      if (cursor.next < log.firstIndex) this.#skipTo(cursor, log.firstIndex);
      return log.at(cursor.next);
    }
    if (cursor.isWaiting) return cursor.still ?? this.#awaitKeyframe(cursor);
    if (cursor.next < log.firstIndex) {
      this.#lose(cursor);
      return cursor.isWaiting ? this.#awaitKeyframe(cursor) : log.at(cursor.next);
    }
    const frame = log.at(cursor.next);
    if (!frame) return undefined;
    const key = log.keyframe;
    if (key && key.index > frame.index && this.#isLate(cursor, frame)) {
      this.#skipTo(cursor, key.index);
      return log.at(key.index);
    }
    return frame;
  }

  #isLate(cursor: Cursor, frame: Frame): boolean {
    const { log } = cursor.track;
    return log.newest!.arrivalMs - frame.arrivalMs > LAG_LIMIT.ms || log.position - frame.position > LAG_LIMIT.bytes;
  }

  // Its place has gone: on at the newest keyframe, or at the next one when that has gone too.
  #lose(cursor: Cursor): void {
    const { log } = cursor.track;
    const key = log.keyframe;
    if (key && key.index >= cursor.next && log.at(key.index)) return this.#skipTo(cursor, key.index);
    this.#skipTo(cursor, log.nextIndex);
    cursor.awaitKeyframe();
  }

  #skipTo(cursor: Cursor, index: number): void {
    this.skips++;
    this.dropped += index - cursor.next;
    cursor.next = index;
    cursor.squeeze = undefined;
  }

  #awaitKeyframe(cursor: Cursor): Frame | undefined {
    const { log } = cursor.track;
    const key = log.keyframe;
    if (key && key.index >= cursor.next && log.at(key.index) && !(this.#options.dropsCorrupt && key.isCorrupt)) {
      cursor.isWaiting = false;
      cursor.next = key.index;
      return key;
    }
    const patience = this.#options.keyframePatienceMs;
    if (patience !== undefined && !this.#isStarted && performance.now() - this.#createdMs > patience) {
      cursor.isWaiting = false;
      cursor.next = Math.max(cursor.next, log.nextIndex - 1);
      return log.at(cursor.next);
    }
    return undefined;
  }

  /** Moves the cursor past the frame; false when the frame is not for this viewer. */
  #take(cursor: Cursor, frame: Frame): boolean {
    if (cursor.still === frame) {
      cursor.still = undefined;
      this.#edit = this.#stillEdit(cursor, frame);
    } else {
      cursor.next = frame.index + 1;
      if (frame.isCorrupt && this.#options.dropsCorrupt) {
        if (cursor.track.kind === "video") cursor.awaitKeyframe();
        cursor.squeeze = undefined;
        this.dropped++;
        return false;
      }
      this.#edit = cursor.squeeze && this.#squeezeEdit(cursor, frame);
    }
    frame.payload.share?.();
    this.#track = cursor.track;
    this.#isNewGeneration = frame.generation !== cursor.generation;
    cursor.generation = frame.generation;
    if (!this.#isStarted && cursor.track.kind === "video") this.#startSound(frame);
    return true;
  }

  // Sound begins with the picture: with what arrived since the keyframe, or at the live edge when that is where the
  // picture is.
  #startSound(frame: Frame): void {
    this.#isStarted = true;
    for (const cursor of this.#cursors) {
      if (cursor.track.kind === "video") continue;
      const { log } = cursor.track;
      if (this.#options.start === "now") {
        // The cursor has stood at the live edge since the reader was made; what came before the picture is old.
        const edge = this.#edit ? log.nextIndex : cursor.next;
        cursor.next = Math.max(cursor.next, Math.min(edge, log.nextIndex));
      } else {
        let index = log.nextIndex;
        while (index > log.firstIndex && log.at(index - 1)!.order > frame.order) index--;
        cursor.next = index;
      }
    }
  }

  #squeezeEdit(cursor: Cursor, frame: Frame): Edit | undefined {
    const { end, spacing, last, ratio } = cursor.squeeze!;
    if (frame.index >= end - 1) {
      cursor.squeeze = undefined;
      if (frame.index >= end || frame.compositionOffset === 0) return undefined;
    }
    const timestamp = last - (end - 1 - frame.index) * spacing;
    return {
      timeDelta: timestamp - frame.timestamp,
      compositionOffset: Math.round(frame.compositionOffset * ratio),
      duration: spacing,
      sequenceDelta: 0,
    };
  }

  // The still stands for the present picture until the next keyframe comes.
  #stillEdit(cursor: Cursor, frame: Frame): Edit {
    const newest = cursor.track.log.newest ?? frame;
    return { timeDelta: newest.timestamp - frame.timestamp, compositionOffset: 0, sequenceDelta: 0 };
  }

  /** Frames, bytes and time between the reader's place and the live edge, over all its tracks. */
  get lag(): { frames: number; bytes: number; ms: number } {
    const lag = { frames: 0, bytes: 0, ms: 0 };
    for (const { track, next, isWaiting } of this.#cursors) {
      const frame = isWaiting ? undefined : track.log.at(next);
      if (!frame) continue;
      lag.frames += track.log.nextIndex - next;
      lag.bytes += track.log.position - frame.position;
      lag.ms = Math.max(lag.ms, track.log.newest!.arrivalMs - frame.arrivalMs);
    }
    return lag;
  }

  /** Reads another track in place of one that was replaced, from its live edge. */
  replace(was: Track, is: Track): void {
    const index = this.#cursors.findIndex((cursor) => cursor.track === was);
    if (index < 0 || this.#isClosed) return;
    was.log.removeCursor(this.#cursors[index]!);
    const cursor = new Cursor(this, is);
    this.#cursors[index] = cursor;
    is.log.addCursor(cursor);
    if (is.kind === "video") cursor.awaitKeyframe();
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const cursor of this.#cursors) cursor.track.log.removeCursor(cursor);
  }
}
