import { aacFmtp, parseAudioSpecificConfig } from "../codecs/aac.ts";
import { isAv1Keyframe, parseAv1SequenceHeader, splitObus } from "../codecs/av1.ts";
import { h264Fmtp, H264Nal, h264NalType, parseH264Sps } from "../codecs/h264.ts";
import { h265Fmtp, H265Nal, h265NalType, isH265Keyframe, parseH265Sps } from "../codecs/h265.ts";
import { isVp8Keyframe } from "../codecs/vp8.ts";
import { isVp9Keyframe } from "../codecs/vp9.ts";
import { type Codec, hasSameParameters } from "./codec.ts";

/** What a frame's units tell: whether a decoder can start there, and the codec if the parameter sets inside are new. */
export interface Inspection {
  readonly isKeyframe: boolean;
  readonly codec?: Codec;
}

/** Looks into the units of a frame. Audio, JPEG and what is unknown can start anywhere. */
export function inspect(codec: Codec, units: readonly Uint8Array[]): Inspection {
  switch (codec.name) {
    case "H264":
      return inspectNals(codec, units, h264NalType, (type) => type === H264Nal.IDR, isH264ParameterSet);
    case "H265":
      return inspectNals(codec, units, h265NalType, isH265Keyframe, isH265ParameterSet);
    case "AV1":
      return inspectAv1(codec, units);
    case "VP8":
      return { isKeyframe: units[0] !== undefined && isVp8Keyframe(units[0]) };
    case "VP9":
      return { isKeyframe: units[0] !== undefined && isVp9Keyframe(units[0]) };
    default:
      return { isKeyframe: true };
  }
}

const isH264ParameterSet = (type: number) => type === H264Nal.SPS || type === H264Nal.PPS;
const isH265ParameterSet = (type: number) => type === H265Nal.VPS || type === H265Nal.SPS || type === H265Nal.PPS;

function inspectNals(
  codec: Codec,
  units: readonly Uint8Array[],
  typeOf: (nal: Uint8Array) => number,
  isKey: (type: number) => boolean,
  isSet: (type: number) => boolean,
): Inspection {
  let isKeyframe = false;
  let sets: Uint8Array[] | undefined;
  for (const unit of units) {
    if (unit.length === 0) continue;
    const type = typeOf(unit);
    if (isKey(type)) isKeyframe = true;
    else if (isSet(type)) (sets ??= []).push(unit);
  }
  if (!sets) return { isKeyframe };
  const next = withParameterSets(codec, mergeSets(codec.parameterSets, sets, typeOf));
  return hasSameParameters(codec, next) ? { isKeyframe } : { isKeyframe, codec: next };
}

// A camera may repeat only some of its sets: the others stay. Sorted by type, which is the order decoders want.
function mergeSets(
  known: readonly Uint8Array[],
  news: readonly Uint8Array[],
  typeOf: (nal: Uint8Array) => number,
): Uint8Array[] {
  const types = new Set(news.map(typeOf));
  const merged = known.filter((set) => !types.has(typeOf(set)));
  for (const set of news) if (!merged.some((one) => isSame(one, set))) merged.push(set.slice());
  return merged.sort((a, b) => typeOf(a) - typeOf(b));
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function inspectAv1(codec: Codec, units: readonly Uint8Array[]): Inspection {
  const unit = units[0];
  if (!unit) return { isKeyframe: false };
  const isKeyframe = isAv1Keyframe(unit);
  if (!isKeyframe) return { isKeyframe };
  const header = splitObus(unit).find((obu) => (obu[0]! >> 3 & 15) === 1);
  if (!header) return { isKeyframe };
  const next = withParameterSets(codec, [header.slice()]);
  return hasSameParameters(codec, next) ? { isKeyframe } : { isKeyframe, codec: next };
}

/**
 * The codec with these parameter sets, and with what they tell: fmtp, picture size, AAC rate and channels. Sets that
 * cannot be read are kept as they are.
 */
export function withParameterSets(codec: Codec, sets: readonly Uint8Array[]): Codec {
  const next = { ...codec, parameterSets: sets };
  try {
    switch (codec.name) {
      case "H264": {
        const sps = sets.find((set) => h264NalType(set) === H264Nal.SPS);
        return sps ? { ...next, fmtp: h264Fmtp([...sets]), ...sizeOf(parseH264Sps(sps)) } : next;
      }
      case "H265": {
        const sps = sets.find((set) => h265NalType(set) === H265Nal.SPS);
        return sps ? { ...next, fmtp: h265Fmtp([...sets]), ...sizeOf(parseH265Sps(sps)) } : next;
      }
      case "AV1":
        return sets[0] ? { ...next, ...sizeOf(parseAv1SequenceHeader(sets[0])) } : next;
      case "MPEG4-GENERIC": {
        if (!sets[0]) return next;
        const { sampleRate, channels } = parseAudioSpecificConfig(sets[0]);
        return {
          ...next,
          fmtp: aacFmtp(sets[0]),
          clockRate: codec.clockRate || sampleRate,
          channels: codec.channels || channels,
        };
      }
      default:
        return next;
    }
  } catch {
    // An odd SPS plays in many decoders all the same: pass it on.
    return next;
  }
}

function sizeOf({ width, height }: { width: number; height: number }): { width: number; height: number } {
  return { width, height };
}

/** How many pictures are decoded ahead of their turn; `undefined` when the parameter sets do not say. */
export function reorderDepthOf(codec: Codec): number | undefined {
  try {
    if (codec.name === "H264") {
      const sps = codec.parameterSets.find((set) => h264NalType(set) === H264Nal.SPS);
      return sps && parseH264Sps(sps).reorderDepth;
    }
    if (codec.name === "H265") {
      const sps = codec.parameterSets.find((set) => h265NalType(set) === H265Nal.SPS);
      return sps && parseH265Sps(sps).reorderDepth;
    }
  } catch {
    return undefined;
  }
  return 0;
}
