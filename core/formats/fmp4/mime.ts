import { av1CodecString } from "../../codecs/av1.ts";
import { H264Nal, h264NalType } from "../../codecs/h264.ts";
import { type Codec, codec, kindOf } from "../../media/codec.ts";

const NAMES = [
  "H264",
  "H265",
  "AV1",
  "VP8",
  "VP9",
  "MPEG4-GENERIC",
  "OPUS",
  "FLAC",
  "MPA",
  "PCMA",
  "PCMU",
  "L16",
  "PCML",
] as const;

/** What can be muxed into MP4, as wishes: any rate, any number of channels. PCM and G.711 become FLAC. */
export const fmp4Codecs: readonly Codec[] = NAMES.map((name) => codec(name, { clockRate: 0, kind: kindOf(name) }));

const FLAC_RATES = new Set([8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000]);

/** Whether a codec is muxed as FLAC made from its samples. */
export function becomesFlac(name: string): boolean {
  return name === "PCMA" || name === "PCMU" || name === "L16" || name === "PCML";
}

/** Whether a codec can be muxed; raw samples only at the rates that FLAC frames can name. */
export function canMuxFmp4({ name, clockRate, channels }: Codec): boolean {
  if (becomesFlac(name)) return (clockRate === 0 || FLAC_RATES.has(clockRate)) && channels <= 2;
  return NAMES.some((one) => one === name);
}

/** The error for a codec that cannot be muxed. */
export function cannotMux({ name, clockRate, channels }: Codec): TypeError {
  return new TypeError(`Cannot mux "${name}/${clockRate}/${channels}" into MP4: choose another codec`);
}

/**
 * The MIME type with the codecs in the order of the tracks, in the form that MSE players of the contract are told:
 * `video/mp4; codecs="avc1.64001F,mp4a.40.2"`. Profiles and levels are rounded to what browsers are sure to accept.
 * Throws a `TypeError` for a codec that cannot be muxed.
 */
export function fmp4Mime(codecs: readonly Codec[]): string {
  return `video/mp4; codecs="${codecs.map(codecText).join(",")}"`;
}

function codecText(codec: Codec): string {
  if (!canMuxFmp4(codec)) throw cannotMux(codec);
  switch (codec.name) {
    case "H264":
      return `avc1.${h264Profile(codec)}`;
    case "H265":
      return "hvc1.1.6.L153.B0";
    case "AV1":
      return av1Text(codec);
    case "VP8":
      return "vp08.00.41.08";
    case "VP9":
      return "vp09.00.41.08";
    case "MPEG4-GENERIC":
      return "mp4a.40.2";
    case "MPA":
      return "mp4a.6B";
    case "OPUS":
      return "opus";
    default:
      return "flac";
  }
}

// Profile 42 or 4D, else 64; constraints E0 or 40, else 00; level 30, 31 or 40, else 41.
function h264Profile(codec: Codec): string {
  const known = profileLevelId(codec);
  if (!known) return "640029";
  const [profile, constraints, level] = known;
  return hex(profile === 0x42 || profile === 0x4d ? profile : 0x64) +
    hex(constraints === 0xe0 || constraints === 0x40 ? constraints : 0) +
    hex(level === 30 || level === 31 || level === 40 ? level : 41);
}

function profileLevelId({ parameterSets, fmtp }: Codec): [number, number, number] | undefined {
  const sps = parameterSets.find((set) => set.length >= 4 && h264NalType(set) === H264Nal.SPS);
  if (sps) return [sps[1]!, sps[2]!, sps[3]!];
  const id = /profile-level-id=([0-9a-f]{6})/i.exec(fmtp)?.[1];
  if (!id) return undefined;
  const value = parseInt(id, 16);
  return [value >> 16, value >> 8 & 255, value & 255];
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

function av1Text({ parameterSets: [header] }: Codec): string {
  try {
    if (header) return av1CodecString(header);
  } catch {
    // An odd header may play all the same.
  }
  return "av01.0.08M.08";
}
