import { H264Nal, h264NalType, parseH264Sps } from "../codecs/h264.ts";
import { H265Nal, h265NalType, parseH265Sps } from "../codecs/h265.ts";
import { type Codec, codec } from "../media/codec.ts";
import { Units } from "../media/frame.ts";
import type { FrameInput } from "../media/frame.ts";
import { inspect } from "../media/inspect.ts";

/** Codecs that come as NAL units. */
export type NalCodecName = "H264" | "H265";

const H265_FILLER = 38;
/** What may wait for the slices that it belongs to. */
const MAX_HELD_BYTES = 64 << 10;

/** Whether a unit is no part of a frame's payload: delimiters and filler. */
export function isDelimiter(name: NalCodecName, nal: Uint8Array): boolean {
  if (name === "H264") {
    const type = h264NalType(nal);
    return type === H264Nal.AUD || type === H264Nal.FILLER;
  }
  const type = h265NalType(nal);
  return type === H265Nal.AUD || type === H265_FILLER;
}

/** Whether a unit holds a part of a picture. */
export function isSlice(name: NalCodecName, nal: Uint8Array): boolean {
  if (name === "H265") return h265NalType(nal) < 32;
  const type = h264NalType(nal);
  return type === H264Nal.SLICE || type === H264Nal.DPA || type === H264Nal.IDR;
}

/** Follows the parameter sets of a stream of NAL units, and makes frames of access units once they are known. */
export class NalStream {
  readonly name: NalCodecName;
  #codec: Codec;
  #isKnown = false;
  #held: Uint8Array[] = [];
  #isHeldCorrupt = false;

  constructor(name: NalCodecName) {
    this.name = name;
    this.#codec = codec(name);
  }

  /** Known once all kinds of parameter sets have come. */
  get codec(): Codec | undefined {
    return this.#isKnown ? this.#codec : undefined;
  }

  /**
   * The frame of an access unit, its delimiters left out; `undefined` as long as a decoder could not start. Units without
   * a slice, which some encoders give a packet of their own, are kept for the frame that comes next.
   */
  frame(
    units: readonly Uint8Array[],
    times: Omit<FrameInput, "payload" | "isKeyframe" | "codec">,
  ): FrameInput | undefined {
    let kept = units.filter((unit) => !isDelimiter(this.name, unit));
    let isCorrupt = times.isCorrupt ?? false;
    if (!kept.some((unit) => isSlice(this.name, unit))) {
      this.#hold(kept, isCorrupt);
      return undefined;
    }
    if (this.#held.length > 0) kept = [...this.#held, ...kept];
    isCorrupt ||= this.#isHeldCorrupt;
    this.#held = [];
    this.#isHeldCorrupt = false;
    const { isKeyframe, codec } = inspect(this.#codec, kept);
    if (codec) {
      this.#codec = codec;
      this.#isKnown = this.#hasAllSets();
    }
    if (!this.#isKnown) return undefined;
    const frame = { ...times, payload: new Units(kept), isKeyframe, isCorrupt };
    return isKeyframe || codec ? { ...frame, codec: this.#codec } : frame;
  }

  #hold(units: readonly Uint8Array[], isCorrupt: boolean): void {
    // Copies, as the packet that they are a part of may be large.
    for (const unit of units) this.#held.push(unit.slice());
    this.#isHeldCorrupt ||= isCorrupt;
    if (this.#held.reduce((sum, unit) => sum + unit.length, 0) <= MAX_HELD_BYTES) return;
    this.#held = [];
    this.#isHeldCorrupt = true;
  }

  #hasAllSets(): boolean {
    const typeOf = this.name === "H264" ? h264NalType : h265NalType;
    const needed = this.name === "H264" ? [H264Nal.SPS, H264Nal.PPS] : [H265Nal.VPS, H265Nal.SPS, H265Nal.PPS];
    return needed.every((type) => this.#codec.parameterSets.some((set) => typeOf(set) === type));
  }

  /** Ticks of 90 kHz between two pictures, where the parameter sets tell. */
  get period(): number | undefined {
    try {
      const sps = this.#codec.parameterSets;
      const rate = this.name === "H264"
        ? parseH264Sps(sps.find((set) => h264NalType(set) === H264Nal.SPS)!).frameRate
        : parseH265Sps(sps.find((set) => h265NalType(set) === H265Nal.SPS)!).frameRate;
      return rate && rate >= 1 && rate <= 240 ? Math.round(90000 / rate) : undefined;
    } catch {
      return undefined;
    }
  }
}
