import type { Codec } from "./codec.ts";

/**
 * The bytes of a frame in the form in which they arrived. `core/rtp` implements it for RTP packets; {@linkcode Units} is
 * for whole units.
 */
export interface Payload {
  /** What the payload costs in memory. */
  readonly byteLength: number;
  /**
   * The frame as units: NAL units without start codes, one AV1 temporal unit or VP8/VP9 frame, one audio frame, one
   * JPEG. Converted at each call and not kept: renditions keep what they make of it.
   */
  units(): readonly Uint8Array[];
  /** Somebody besides the log has the frame from now on. */
  share?(): void;
  /** The log has dropped the frame: memory that it shared with nobody can be given back at once. */
  discard?(): void;
}

/** A payload that arrived as whole units (from a container or an elementary stream). */
export class Units implements Payload {
  readonly byteLength: number;
  readonly #units: readonly Uint8Array[];

  constructor(units: readonly Uint8Array[]) {
    this.#units = units;
    this.byteLength = units.reduce((sum, unit) => sum + unit.length, 0);
  }
  units(): readonly Uint8Array[] {
    return this.#units;
  }
}

/**
 * One decodable unit of one track (an access unit or an audio frame), shared by every reader and never changed once it
 * is in the log.
 */
export interface Frame {
  /** Position in its track's log; counts up by one for the life of the track. */
  readonly index: number;
  /** Position among all frames of the program, in order of arrival: how readers of several tracks interleave them. */
  readonly order: number;
  /** Decode time in ticks of the track's clock, unwrapped, strictly increasing. */
  readonly timestamp: number;
  /** Presentation time less decode time, in ticks. */
  readonly compositionOffset: number;
  /** A decoder can start here. */
  readonly isKeyframe: boolean;
  /** Packets of it were lost, or it refers to pictures of a connection that has ended. */
  readonly isCorrupt: boolean;
  /** When it was complete, by this machine's monotonic clock. */
  readonly arrivalMs: number;
  /** Which of the track's codecs it belongs to; see `Track.codecOf`. */
  readonly generation: number;
  readonly payload: Payload;
  /** Bytes appended to the log before this frame: the difference of two is the distance between them. */
  readonly position: number;
}

/** What a source says of a frame; the track makes a {@linkcode Frame} of it. */
export interface FrameInput {
  readonly payload: Payload;
  /** Presentation time in ticks of the track's clock as the source counts them, wrapped at 32 bits or not at all. */
  readonly pts: number;
  /** Decode time on the same scale, where the source knows it; derived from the order of the pictures otherwise. */
  readonly dts?: number;
  readonly isKeyframe: boolean;
  readonly isCorrupt?: boolean;
  /** Defaults to now. */
  readonly arrivalMs?: number;
  /** A new codec that holds from this frame on (other parameter sets); ignored when it equals the current one. */
  readonly codec?: Codec;
}
