import { parseAudioSpecificConfig } from "../../codecs/aac.ts";
import { Av1Obu, av1ObuType, splitObus } from "../../codecs/av1.ts";
import { H264Nal, h264NalType } from "../../codecs/h264.ts";
import { H265Nal, h265NalType } from "../../codecs/h265.ts";
import { opusSamples } from "../../codecs/opus.ts";
import type { Codec } from "../../media/codec.ts";
import type { Frame } from "../../media/frame.ts";
import { decodeSamples, flacSample } from "./flac.ts";

/** The bytes of a frame as MP4 has them, not joined yet. */
export interface Sample {
  readonly parts: readonly Uint8Array[];
  /** Each part goes behind its length (u32). */
  readonly isLengthPrefixed: boolean;
  /** How many ticks it lasts, where its bytes tell; 0 otherwise. */
  readonly duration: number;
}

const H265_FILLER = 38;

/** What the sample of a frame consists of; no parts when nothing of it belongs into MP4. */
export function sampleOf(codec: Codec, frame: Frame): Sample {
  const units = frame.payload.units();
  switch (codec.name) {
    case "H264":
      return { parts: units.filter(isH264Part), isLengthPrefixed: true, duration: 0 };
    case "H265":
      return { parts: units.filter(isH265Part), isLengthPrefixed: true, duration: 0 };
    case "AV1":
      return plain(units.flatMap(splitObus).filter(isAv1Part));
    case "MPEG4-GENERIC":
      return plain(units, aacDuration(codec));
    case "OPUS":
      return plain(units, units.reduce((sum, unit) => sum + opusSamples(unit), 0));
    case "PCMA":
    case "PCMU":
    case "L16":
    case "PCML":
      return flac(codec, frame, units);
    default:
      return plain(units);
  }
}

function plain(units: readonly Uint8Array[], duration = 0): Sample {
  return { parts: units.filter(isNotEmpty), isLengthPrefixed: false, duration };
}

function isNotEmpty(unit: Uint8Array): boolean {
  return unit.length > 0;
}

// Parameter sets live in the sample entry of avc1 and hvc1 (ISO/IEC 14496-15 §5.4.2.1); delimiters and filler say nothing.
function isH264Part(nal: Uint8Array): boolean {
  if (nal.length === 0) return false;
  const type = h264NalType(nal);
  return type !== H264Nal.SPS && type !== H264Nal.PPS && type !== H264Nal.AUD && type !== H264Nal.FILLER;
}

function isH265Part(nal: Uint8Array): boolean {
  if (nal.length === 0) return false;
  const type = h265NalType(nal);
  return (type < H265Nal.VPS || type > H265Nal.AUD) && type !== H265_FILLER;
}

// AV1 in ISOBMFF §2.4.
function isAv1Part(obu: Uint8Array): boolean {
  const type = av1ObuType(obu);
  return type !== Av1Obu.TEMPORAL_DELIMITER && type !== Av1Obu.PADDING;
}

const aacDurations = new WeakMap<Codec, number>();

function aacDuration(codec: Codec): number {
  let duration = aacDurations.get(codec);
  if (duration === undefined) {
    duration = 1024;
    try {
      const { samplesPerFrame, sampleRate } = parseAudioSpecificConfig(codec.parameterSets[0] ?? new Uint8Array(0));
      // The clock of HE-AAC may be that of its output.
      duration = Math.round(samplesPerFrame * (codec.clockRate || sampleRate) / sampleRate);
    } catch {
      // No configuration, or an odd one: frames of the usual size.
    }
    aacDurations.set(codec, duration);
  }
  return duration;
}

function flac(codec: Codec, frame: Frame, units: readonly Uint8Array[]): Sample {
  const samples = decodeSamples(codec.name, units);
  const sample = flacSample(codec, samples, frame.timestamp);
  return plain(sample ? [sample] : [], Math.floor(samples.length / (codec.channels || 1)));
}
