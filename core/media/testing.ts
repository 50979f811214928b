/** Makes tracks and frames for tests. */
import { codec } from "./codec.ts";
import { type Payload, Units } from "./frame.ts";
import { Track } from "./track.ts";

/** A payload of a given size. */
export function payload(size = 100): Payload {
  return new Units([new Uint8Array(size)]);
}

/** A video track fed at 25 frames a second of a clock that the test owns. */
export class TestVideo {
  readonly track: Track;
  nowMs = 1000;
  pts = 0;

  constructor(options: { id?: number; maxBytes?: number } = {}) {
    this.track = new Track(
      options.id ?? 0,
      codec("VP8"),
      options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes },
    );
  }
  /** Appends frames, a keyframe first when `isKeyframe`. */
  feed(count: number, { isKeyframe = false, size = 100, isCorrupt = false } = {}): void {
    for (let i = 0; i < count; i++) {
      this.track.append({
        payload: payload(size),
        pts: this.pts,
        dts: this.pts,
        isKeyframe: isKeyframe && i === 0,
        isCorrupt,
        arrivalMs: this.nowMs,
      });
      this.pts += 3600;
      this.nowMs += 40;
    }
  }
}

/** An audio track of 20 ms frames. */
export class TestAudio {
  readonly track: Track;
  pts = 0;

  constructor(id = 1) {
    this.track = new Track(id, codec("OPUS", { clockRate: 48000, channels: 2 }));
  }
  feed(count: number, nowMs: number): void {
    for (let i = 0; i < count; i++) {
      this.track.append({ payload: payload(40), pts: this.pts, isKeyframe: true, arrivalMs: nowMs + i * 20 });
      this.pts += 960;
    }
  }
}
