import type { Frame } from "../../media/frame.ts";
import { type Chunk, type Edit, Rendition } from "../../media/rendition.ts";
import type { Track } from "../../media/track.ts";
import { DELTA_FLAGS, FragmentAt, KEYFRAME_FLAGS, makeFragment, viewOf, writeTimes } from "./fragment.ts";
import { canMuxFmp4, cannotMux } from "./mime.ts";
import { sampleOf } from "./sample.ts";

/** A frame as one fragment; no bytes when nothing of it belongs into MP4. */
export interface Fmp4Chunk extends Chunk {
  /** Of `bytes`. */
  readonly view: DataView;
  /** Ticks that it lasts. */
  readonly duration: number;
}

/** Frames a second, as long as nothing is known. */
const USUAL_RATE = 25;

/** A track as MP4 fragments: each frame is a `moof` and an `mdat` of its own (ISO/IEC 14496-12 §8.8). */
export class Fmp4Rendition extends Rendition<Fmp4Chunk> {
  #last: { readonly index: number; readonly timestamp: number; readonly interval: number } | undefined;

  constructor(track: Track) {
    super(track, 1);
  }

  protected override build(frame: Frame): Fmp4Chunk {
    const sample = sampleOf(this.track.codecOf(frame.generation), frame);
    if (sample.parts.length === 0) return { bytes: EMPTY, view: EMPTY_VIEW, count: 0, number: 0, duration: 0 };
    const flags = frame.isKeyframe || this.track.kind !== "video" ? KEYFRAME_FLAGS : DELTA_FLAGS;
    const bytes = makeFragment(sample, this.track.id + 1, flags);
    const duration = sample.duration || this.#interval(frame);
    const view = viewOf(bytes);
    writeTimes(view, frame.timestamp, frame.compositionOffset, duration);
    return { bytes, view, count: 1, number: 0, duration };
  }

  // What a frame lasts is known when the next one comes; until then it is taken to last as long as the one before.
  #interval(frame: Frame): number {
    const rate = this.track.codec.clockRate || 90000;
    const usual = Math.round(rate / USUAL_RATE);
    const before = this.#before(frame.index);
    const interval = before ? frame.timestamp - before.timestamp : usual;
    this.#last = { index: frame.index, timestamp: frame.timestamp, interval };
    // A pause is no duration, unless all frames come that slowly: players would go on into it and freeze.
    return interval > rate ? Math.min(interval, before?.interval ?? usual) : interval;
  }

  // A keyframe makes the log drop what came before it: the frame built last is remembered.
  #before(index: number): { readonly timestamp: number; readonly interval: number | undefined } | undefined {
    if (this.#last?.index === index - 1) return this.#last;
    const { log } = this.track;
    const before = log.at(index - 1);
    const earlier = log.at(index - 2);
    return before && {
      timestamp: before.timestamp,
      interval: earlier && before.timestamp - earlier.timestamp,
    };
  }

  protected override stamp(chunk: Fmp4Chunk): void {
    if (chunk.bytes.length > 0) chunk.view.setUint32(FragmentAt.sequence, chunk.number);
  }

  override patch(chunk: Fmp4Chunk, frame: Frame, edit: Edit): Uint8Array {
    if (chunk.bytes.length === 0) return chunk.bytes;
    const bytes = new Uint8Array(chunk.bytes);
    this.#write(viewOf(bytes), chunk, frame, edit);
    return bytes;
  }

  /**
   * The shared bytes with an edit applied in place, for whoever copies them at once: they are right until the next viewer
   * asks. Without a copy of each frame for each viewer, nothing is left to collect.
   */
  patchShared(chunk: Fmp4Chunk, frame: Frame, edit: Edit): Uint8Array {
    if (chunk.bytes.length > 0) this.#write(chunk.view, chunk, frame, edit);
    return chunk.bytes;
  }

  #write(view: DataView, chunk: Fmp4Chunk, frame: Frame, edit: Edit): void {
    view.setUint32(FragmentAt.sequence, chunk.number + edit.sequenceDelta);
    writeTimes(
      view,
      frame.timestamp + edit.timeDelta,
      edit.compositionOffset ?? frame.compositionOffset,
      edit.duration ?? chunk.duration,
    );
  }
}

const EMPTY = new Uint8Array(0);
const EMPTY_VIEW = viewOf(EMPTY);
const KEY = "fmp4";

/** The rendition of a track that all its MP4 viewers share. Throws a `TypeError` for a codec that cannot be muxed. */
export function fmp4RenditionOf(track: Track): { readonly rendition: Fmp4Rendition; release(): void } {
  if (!canMuxFmp4(track.codec)) throw cannotMux(track.codec);
  const rendition = track.rendition(KEY, () => new Fmp4Rendition(track));
  let isReleased = false;
  return {
    rendition,
    release: () => {
      if (isReleased) return;
      isReleased = true;
      track.releaseRendition(KEY);
    },
  };
}
