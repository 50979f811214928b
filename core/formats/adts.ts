import { type AdtsHeader, parseAdtsHeader } from "../codecs/aac.ts";
import { type Codec, codec } from "../media/codec.ts";
import { Units } from "../media/frame.ts";
import { withParameterSets } from "../media/inspect.ts";
import type { DemuxedStream, Demuxer, FrameListener } from "./demuxer.ts";
import { FrameCutter } from "./frame_cutter.ts";
import { SoundPace } from "./pace.ts";

/** Bytes of an ADTS header without a checksum. */
export const ADTS_HEADER_BYTES = 7;
const SAMPLES = 1024;

/** The codec of AAC with this configuration, `was` when it is the same; its clock is the sample rate. */
export function aacCodec(asc: Uint8Array, sampleRate: number, channels: number, was: Codec | undefined): Codec {
  const known = was?.parameterSets[0];
  if (was && known && known.length === asc.length && known.every((byte, i) => byte === asc[i])) return was;
  return withParameterSets(codec("MPEG4-GENERIC", { clockRate: sampleRate, channels }), [asc.slice()]);
}

/** AAC in ADTS frames (ISO/IEC 13818-7 §6.2) as a frame source. Times count samples; see {@linkcode SoundPace}. */
export class AdtsDemuxer implements Demuxer {
  readonly #cutter = new FrameCutter<AdtsHeader>(parseAdtsHeader, ADTS_HEADER_BYTES);
  readonly #stream: { id: number; codec: Codec | undefined } = { id: 0, codec: undefined };
  readonly #onFrame: FrameListener;
  readonly streams: readonly DemuxedStream[] = [this.#stream];
  #pace: SoundPace | undefined;

  constructor(onFrame: FrameListener) {
    this.#onFrame = onFrame;
  }

  push(bytes: Uint8Array, arrivalMs: number = performance.now()): void {
    this.#cutter.push(bytes, (frame, header) => {
      const known = this.#stream.codec = aacCodec(header.asc, header.sampleRate, header.channels, this.#stream.codec);
      if (this.#pace?.rate !== known.clockRate) this.#pace = new SoundPace(known.clockRate);
      this.#onFrame(this.#stream, {
        payload: new Units([frame.slice(header.headerLength)]),
        pts: this.#pace.place(SAMPLES * header.blocks, arrivalMs),
        isKeyframe: true,
        arrivalMs,
        codec: known,
      });
    });
  }

  /** Nothing is held back: a frame without its end is of no use. */
  flush(): void {}
}
