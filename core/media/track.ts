import { SourceClock, TrackClock } from "./clock.ts";
import { type Codec, hasSameParameters, type Kind } from "./codec.ts";
import { DecodeOrder } from "./decode_order.ts";
import type { Frame, FrameInput } from "./frame.ts";
import { reorderDepthOf } from "./inspect.ts";
import { Log } from "./log.ts";
import type { Rendition } from "./rendition.ts";

/** What a track may be told when it is made. */
export interface TrackOptions {
  /** Payload bytes its log holds at most. */
  readonly maxBytes?: number;
  /** Shared by the tracks of one source, so that sound and picture stay together. */
  readonly sourceClock?: SourceClock;
}

/** Sound is kept this long, so that a viewer who starts at the newest keyframe hears what belongs to it. */
const AUDIO_KEEP_MS = 10_000;
const OPAQUE_KEEP_MS = 2000;
const GENERATIONS_KEPT = 8;
/** Some cameras never send a keyframe, whatever their parameter sets. */
const KEYFRAME_PATIENCE_MS = 10_000;

let frameOrder = 0;

/**
 * The live flow of one codec of one source: a log of frames, and its renditions. It outlives the connection that feeds
 * it, so viewers stay when a camera reconnects.
 */
export class Track {
  /** Lowest free number in its stream, from 0: fixes RTSP channels and payload types, and (plus 1) MP4 track ids. */
  readonly id: number;
  readonly kind: Kind;
  readonly log: Log;
  readonly #renditions = new Map<string, Rendition>();
  readonly #codecs: Codec[];
  readonly #clock: TrackClock;
  #order: DecodeOrder;
  #generation = 0;
  #lastTimestamp = -Infinity;
  // Until then a frame that is no keyframe belongs to a picture that nobody has.
  #keyframeByMs = 0;
  /** The frame to come refers to pictures of another connection, unless it is a keyframe. */
  #isCutOff = false;
  /** Frames and payload bytes that came in. */
  frames = 0;
  bytes = 0;
  /** Packets that came in, for sources that speak RTP (frames otherwise), and packets that were lost on the way. */
  packets = 0;
  lost = 0;
  /** Called when a viewer waits for a keyframe; set by a producer that can ask its source for one. Must not throw. */
  onKeyframeWanted: (() => void) | undefined;

  constructor(id: number, codec: Codec, options: TrackOptions = {}) {
    this.id = id;
    this.kind = codec.kind;
    this.#codecs = [codec];
    this.#clock = new TrackClock(codec.clockRate, options.sourceClock ?? new SourceClock());
    this.#order = this.#orderFor(codec);
    this.log = new Log({
      ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
      keepMs: this.kind === "audio" ? AUDIO_KEEP_MS : this.kind === "application" ? OPAQUE_KEEP_MS : 0,
    }, (firstIndex) => {
      for (const rendition of this.#renditions.values()) rendition.trim(firstIndex);
    });
  }

  #orderFor(codec: Codec): DecodeOrder {
    return new DecodeOrder(this.kind === "video" ? reorderDepthOf(codec) : 0, Math.round(codec.clockRate / 25));
  }

  /** The codec of the newest frame. */
  get codec(): Codec {
    return this.#codecs[this.#generation]!;
  }
  /** Counts up with each change of parameter sets. */
  get generation(): number {
    return this.#generation;
  }
  /** The codec of an earlier frame; old ones are forgotten in favour of the oldest kept. */
  codecOf(generation: number): Codec {
    return this.#codecs[generation] ?? this.codec;
  }

  /** The log's time of the newest frame's arrival; 0 before the first. */
  get lastArrivalMs(): number {
    return this.log.newest?.arrivalMs ?? 0;
  }

  /** Appends a frame: rebases its times, derives the decode time, takes over a new codec, wakes the readers. */
  append(input: FrameInput): void {
    if (input.codec && !hasSameParameters(input.codec, this.codec)) this.#setCodec(input.codec);
    const arrivalMs = input.arrivalMs ?? performance.now();
    if (this.#keyframeByMs > 0) {
      if (!input.isKeyframe && arrivalMs < this.#keyframeByMs) return input.payload.discard?.();
      this.#keyframeByMs = 0;
    }
    const pts = this.#clock.place(input.pts, arrivalMs);
    let timestamp = input.dts === undefined
      ? this.kind === "video" ? this.#order.next(pts) : pts
      : pts - (input.pts - input.dts);
    if (timestamp <= this.#lastTimestamp) timestamp = this.#lastTimestamp + 1;
    this.#lastTimestamp = timestamp;
    const isCorrupt = (input.isCorrupt ?? false) || (this.#isCutOff && !input.isKeyframe);
    this.#isCutOff = false;
    const size = input.payload.byteLength;
    this.frames++;
    this.bytes += size;
    const frame: Frame = {
      index: this.log.nextIndex,
      order: frameOrder++,
      timestamp,
      compositionOffset: this.kind === "video" ? pts - timestamp : 0,
      isKeyframe: input.isKeyframe,
      isCorrupt,
      arrivalMs,
      generation: this.#generation,
      payload: input.payload,
      position: this.log.position,
    };
    this.log.append(frame);
  }

  #setCodec(codec: Codec): void {
    this.#generation++;
    this.#codecs[this.#generation] = codec;
    delete this.#codecs[this.#generation - GENERATIONS_KEPT];
    this.#order = this.#orderFor(codec);
  }

  /** Learns parameter sets before the first frame (from an SDP or a header), without a new generation. */
  describe(codec: Codec): void {
    if (this.log.nextIndex > 0 || hasSameParameters(codec, this.codec)) return;
    this.#codecs[this.#generation] = codec;
    this.#order = this.#orderFor(codec);
  }

  /**
   * A new connection feeds the track from now on. Its first picture is corrupt unless it is a keyframe; with other
   * parameter sets, it waits for one.
   */
  restart(codec?: Codec): void {
    this.#clock.restart();
    this.#order.restart();
    if (!codec || codec.parameterSets.length === 0 || hasSameParameters(codec, this.codec)) {
      this.#isCutOff = this.kind === "video" && this.log.nextIndex > 0;
      return;
    }
    this.#setCodec(codec);
    if (this.kind === "video") this.#keyframeByMs = performance.now() + KEYFRAME_PATIENCE_MS;
  }

  /** RTCP sender report of the source: RTP timestamp, and the wall clock it stands for in ms since 1970. */
  synchronize(rtpTimestamp: number, wallMs: number): void {
    this.#clock.synchronize(rtpTimestamp, wallMs);
  }

  /** The wall clock (ms since 1970) of a timestamp of this track. */
  wallMsOf(timestamp: number): number {
    return Date.now() - performance.now() + timestamp * 1000 / (this.codec.clockRate || 90000);
  }

  /** A rendition shared by all who use the same key; give it back with `releaseRendition`. */
  rendition<R extends Rendition>(key: string, make: () => R): R {
    let rendition = this.#renditions.get(key) as R | undefined;
    if (!rendition) {
      rendition = make();
      this.#renditions.set(key, rendition);
    }
    rendition.users++;
    return rendition;
  }

  releaseRendition(key: string): void {
    const rendition = this.#renditions.get(key);
    if (rendition && --rendition.users <= 0) this.#renditions.delete(key);
  }

  /** Bytes held by renditions. */
  get renditionBytes(): number {
    let sum = 0;
    for (const rendition of this.#renditions.values()) sum += rendition.byteLength;
    return sum;
  }

  /** Says that a viewer cannot go on before the next keyframe. Sources that make none on demand send it in their own time. */
  requestKeyframe(): void {
    this.onKeyframeWanted?.();
  }

  /** Drops the log. */
  close(): void {
    this.log.close();
    this.#renditions.clear();
  }
}
