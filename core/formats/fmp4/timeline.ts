import type { Frame } from "../../media/frame.ts";
import type { Edit } from "../../media/rendition.ts";
import type { Fmp4Rendition } from "./rendition.ts";

/**
 * Media Source Extensions take a step in decode time beyond twice the last duration for a gap: they then drop pictures up
 * to the next keyframe, and leave a hole in the sound at which players stop (MSE §3.5.8). Less than 2, as they round.
 */
const LONGEST_STEP = 1.75;

/** Who has fallen behind by more than this takes the gap: sound at once, pictures at the next keyframe. */
const MOST_BEHIND_SECONDS = 1.5;
/** Sound whose picture has no gap catches up from as far, as a step of it costs pictures up to the next keyframe. */
const MOST_BEHIND_ALONE_SECONDS = 10;

interface Place {
  readonly isVideo: boolean;
  /** Of what follows; a track may be replaced by one with another. */
  rate: number;
  decodeTime: number;
  duration: number;
  /** The gaps that it has gone over. */
  gaps: number;
}

/**
 * One viewer's copy of the fragments of its tracks: times begin at 0 with its first frame, numbers at 1, and decode times
 * never step further than players bear. After a short gap (frames that the viewer skipped) the decode time catches up
 * little by little; presentation times of pictures stay exact, those of sound catch up with it. After a long one (a camera
 * that was away) it steps, as sound that catches up would hold the picture up.
 */
export class Fmp4Timeline {
  readonly #places = new Map<number, Place>();
  #baseSeconds: number | undefined;
  #count = 0;
  /** A player that takes a gap in one track takes any step of the others, once. */
  #gaps = 0;
  readonly #isCopiedAtOnce: boolean;

  /** `isCopiedAtOnce`: whoever gets the bytes is done with them before another viewer asks, so they may be shared. */
  constructor({ isCopiedAtOnce = false }: { readonly isCopiedAtOnce?: boolean } = {}) {
    this.#isCopiedAtOnce = isCopiedAtOnce;
  }

  /**
   * The viewer's fragment of a frame, with the reader's edit; `undefined` when there is nothing to send: the frame has no
   * sample, or belongs before the first.
   */
  bytes(rendition: Fmp4Rendition, frame: Frame, edit?: Edit): Uint8Array | undefined {
    const chunk = rendition.chunk(frame);
    if (chunk.bytes.length === 0) return undefined;
    const { track } = rendition;
    const rate = track.codec.clockRate || 90000;
    const time = frame.timestamp + (edit?.timeDelta ?? 0);
    this.#baseSeconds ??= time / rate;
    const base = Math.round(this.#baseSeconds * rate);
    if (time < base) return undefined;
    const duration = edit?.duration ?? chunk.duration;
    const place = this.#places.get(track.id);
    let decodeTime = time - base;
    if (place) {
      if (place.rate !== rate) convert(place, rate);
      const limit = place.decodeTime + Math.floor(LONGEST_STEP * place.duration);
      if (decodeTime > limit && place.gaps === this.#gaps) {
        if (this.#steps(decodeTime / rate, (decodeTime - limit) / rate, place, frame)) this.#gaps++;
        else decodeTime = limit;
      }
      decodeTime = Math.max(decodeTime, place.decodeTime + 1);
      place.decodeTime = decodeTime;
      place.duration = duration;
      place.gaps = this.#gaps;
    } else {
      this.#places.set(track.id, { isVideo: track.kind === "video", rate, decodeTime, duration, gaps: this.#gaps });
    }
    const own: Edit = {
      timeDelta: decodeTime - frame.timestamp,
      compositionOffset: track.kind === "video"
        ? (edit?.compositionOffset ?? frame.compositionOffset) + time - base - decodeTime
        : 0,
      duration,
      sequenceDelta: ++this.#count - chunk.number,
    };
    return this.#isCopiedAtOnce ? rendition.patchShared(chunk, frame, own) : rendition.patch(chunk, frame, own);
  }

  #steps(seconds: number, behindSeconds: number, { isVideo }: Place, frame: Frame): boolean {
    if (behindSeconds <= MOST_BEHIND_SECONDS) return false;
    if (isVideo) return frame.isKeyframe;
    const hasGap = ({ decodeTime, rate }: Place) => seconds - decodeTime / rate > MOST_BEHIND_SECONDS;
    const goesOn = [...this.#places.values()].some((other) => other.isVideo && !hasGap(other));
    return !goesOn || behindSeconds > MOST_BEHIND_ALONE_SECONDS;
  }
}

function convert(place: Place, rate: number): void {
  const ratio = rate / place.rate;
  place.rate = rate;
  place.decodeTime = Math.round(place.decodeTime * ratio);
  place.duration *= ratio;
}
