import type { Codec } from "../media/codec.ts";
import type { FrameInput } from "../media/frame.ts";

/** One elementary stream that a demuxer has found. */
export interface DemuxedStream {
  /** What tells it from the others: the PID of a transport stream, 0 where there is only one. */
  readonly id: number;
  /** Known once the stream has told its parameters; no frame of it is given before. */
  readonly codec: Codec | undefined;
}

/** Takes the frames of a demuxer, in the order in which they are complete. */
export type FrameListener = (stream: DemuxedStream, frame: FrameInput) => void;

/**
 * Cuts a byte stream into frames. It never throws on what it reads: what it cannot use is left out, and it holds a
 * bounded number of bytes.
 */
export interface Demuxer {
  /** What has been found so far. */
  readonly streams: readonly DemuxedStream[];
  /** Takes the next bytes, in pieces of any size; they are copied where they are kept. `arrivalMs` defaults to now. */
  push(bytes: Uint8Array, arrivalMs?: number): void;
  /** Gives the last frames, whose ends only the end of the stream tells. */
  flush(): void;
}
