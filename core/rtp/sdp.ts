import { isUsualAacFmtp } from "./payloads/aac.ts";
import { latmConfigOfFmtp } from "./payloads/latm.ts";
import { parseAacFmtp, parseAudioSpecificConfig } from "../codecs/aac.ts";
import { parseH264Fmtp } from "../codecs/h264.ts";
import { parseH265Fmtp } from "../codecs/h265.ts";
import { fmtpValue } from "../codecs/text.ts";
import { type Codec, codec as makeCodec, type Kind } from "../media/codec.ts";
import { withParameterSets } from "../media/inspect.ts";
import type { Direction } from "../media/media.ts";
import { StreamError } from "../util/errors.ts";

/** What a session description offers. */
export interface SdpSession {
  readonly name: string;
  /** The text behind `o=`. */
  readonly origin: string;
  /** The control attribute of the whole session. */
  readonly control?: string;
  readonly medias: readonly SdpMedia[];
}

/** One media line of a description. */
export interface SdpMedia {
  readonly kind: Kind;
  /** As seen by who reads a camera: `recvonly` for what it sends, `sendonly` for its speaker. */
  readonly direction: Direction;
  readonly control?: string;
  /** In the order of the media line, each with its payload type. */
  readonly codecs: readonly Codec[];
  readonly port: number;
  readonly protocol: string;
  /** Attributes by name; of those that repeat, all values in order. */
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

/** The lines of one media. */
interface MediaLines {
  readonly kind: string;
  readonly port: number;
  readonly protocol: string;
  readonly payloadTypes: readonly number[];
  readonly attributes: Map<string, string[]>;
  bandwidth: number | undefined;
}

/**
 * Reads a session description (RFC 8866), forgiving all that cameras do to it: only media lines and the attributes below
 * them count, lines that cannot be read are passed over. Throws a `StreamError` (`PROTOCOL`) when there is no media line.
 */
export function parseSdp(text: string): SdpSession {
  let name = "";
  let origin = "";
  let control: string | undefined;
  const medias: MediaLines[] = [];
  for (const raw of text.split(/[\r\n]+/)) {
    const line = raw.trim();
    const value = line.slice(2).trim();
    const media = medias.at(-1);
    switch (line.slice(0, 2)) {
      case "m=":
        medias.push(parseMediaLine(value));
        break;
      case "a=": {
        const [key, rest] = splitAttribute(value);
        if (media) addAttribute(media.attributes, key, rest);
        else if (key === "control") control ??= rest;
        break;
      }
      case "b=":
        if (media && /^AS:\d+$/i.test(value)) media.bandwidth = Number(value.slice(3));
        break;
      case "s=":
        // Quirk(EZVIZ): more of these inside the medias. The first counts.
        if (!media && name === "") name = value;
        break;
      case "o=":
        if (!media) origin = value;
        break;
    }
  }
  if (medias.length === 0) throw new StreamError("PROTOCOL", "Cannot read the SDP: it has no media line");
  return {
    name,
    origin,
    ...(control === undefined ? {} : { control }),
    medias: medias.map((media) => toMedia(media, medias, origin)),
  };
}

function parseMediaLine(value: string): MediaLines {
  const [kind = "", port = "", protocol = "", ...formats] = value.split(/\s+/);
  const payloadTypes = formats.filter((format) => /^\d{1,3}$/.test(format)).map(Number).filter((type) => type < 128);
  return {
    kind,
    port: Math.min(65535, Number.parseInt(port, 10) || 0),
    protocol,
    payloadTypes: [...new Set(payloadTypes)],
    attributes: new Map(),
    bandwidth: undefined,
  };
}

function splitAttribute(text: string): [string, string] {
  const cut = text.indexOf(":");
  return cut < 0 ? [text.trim(), ""] : [text.slice(0, cut).trim(), text.slice(cut + 1).trim()];
}

function addAttribute(attributes: Map<string, string[]>, key: string, value: string): void {
  const values = attributes.get(key);
  if (values) values.push(value);
  else attributes.set(key, [value]);
}

function toMedia(media: MediaLines, all: readonly MediaLines[], origin: string): SdpMedia {
  const kind: Kind = media.kind === "video" || media.kind === "audio" ? media.kind : "application";
  const control = media.attributes.get("control")?.[0];
  // Quirk(CV-RTSPHandler): cameras with this origin mark what they send as `sendonly`.
  const isSpeaker = media.attributes.has("sendonly") && !origin.startsWith("CV-RTSPHandler");
  return {
    kind,
    direction: isSpeaker ? "sendonly" : "recvonly",
    ...(control === undefined || control === "" ? {} : { control }),
    codecs: media.payloadTypes.map((payloadType) => toCodec(payloadType, kind, media, all)),
    port: media.port,
    protocol: media.protocol,
    attributes: media.attributes,
  };
}

/** Payload types whose meaning is fixed (RFC 3551 §6). */
const STATIC_TYPES: Readonly<Record<number, { name: string; clockRate: number; channels?: number }>> = {
  0: { name: "PCMU", clockRate: 8000 },
  3: { name: "GSM", clockRate: 8000 },
  8: { name: "PCMA", clockRate: 8000 },
  9: { name: "G722", clockRate: 8000 },
  10: { name: "L16", clockRate: 44100, channels: 2 },
  11: { name: "L16", clockRate: 44100 },
  13: { name: "CN", clockRate: 8000 },
  14: { name: "MPA", clockRate: 90000 },
  18: { name: "G729", clockRate: 8000 },
  26: { name: "JPEG", clockRate: 90000 },
  32: { name: "MPV", clockRate: 90000 },
  33: { name: "MP2T", clockRate: 90000 },
  34: { name: "H263", clockRate: 90000 },
};

/** The rates and channels of 16-bit PCM by its bandwidth in kbit/s. */
const PCM_OF_BANDWIDTH: Readonly<Record<number, { clockRate: number; channels?: number }>> = {
  128: { clockRate: 8000 },
  256: { clockRate: 16000 },
  384: { clockRate: 24000 },
  512: { clockRate: 32000 },
  705: { clockRate: 44100 },
  768: { clockRate: 48000 },
  1411: { clockRate: 44100, channels: 2 },
  1536: { clockRate: 48000, channels: 2 },
};

function toCodec(payloadType: number, kind: Kind, media: MediaLines, all: readonly MediaLines[]): Codec {
  const known = readRtpmap(payloadType, media) ?? STATIC_TYPES[payloadType] ?? guess(payloadType, kind, media);
  let fmtp = ofPayloadType(media.attributes.get("fmtp"), payloadType) ?? "";
  if (fmtp === "" && known.name === "H264") {
    const other = all.find((one) => ofPayloadType(one.attributes.get("fmtp"), payloadType) !== undefined);
    fmtp = ofPayloadType(other?.attributes.get("fmtp"), payloadType) ?? "";
  }
  const plain = makeCodec(known.name, {
    kind,
    clockRate: known.clockRate,
    channels: known.channels ?? 0,
    fmtp,
    payloadType,
  });
  return withFmtp(plain);
}

/** The value of an attribute that begins with a payload type, for that type. */
function ofPayloadType(values: readonly string[] | undefined, payloadType: number): string | undefined {
  for (const value of values ?? []) {
    const match = /^(\d+)\s+(.*)$/.exec(value);
    if (match && Number(match[1]) === payloadType) return match[2]!.trim();
  }
  return undefined;
}

function readRtpmap(
  payloadType: number,
  media: MediaLines,
): { name: string; clockRate: number; channels?: number } | undefined {
  const rtpmap = ofPayloadType(media.attributes.get("rtpmap"), payloadType);
  if (rtpmap === undefined) return undefined;
  const [rawName = "", rate = "", count = ""] = rtpmap.split("/").map((part) => part.trim());
  const name = rawName.toUpperCase();
  if (name === "") return undefined;
  // RFC 7587 §7 allows no other; some cameras write the rate of their encoder.
  if (name === "OPUS") return { name, clockRate: 48000, channels: 2 };
  const channels = Number.parseInt(count, 10);
  return {
    // Quirk(Hikvision): `PCM/48000`, maybe with payload type 11, is little endian.
    name: name === "PCM" ? "PCML" : name,
    clockRate: Math.min(0xffffffff, Number.parseInt(rate, 10) || 0),
    ...(channels > 1 && channels < 256 ? { channels } : {}),
  };
}

function guess(
  payloadType: number,
  kind: Kind,
  media: MediaLines,
): { name: string; clockRate: number; channels?: number } {
  // What ffmpeg writes for pcm_s16le, which has no RTP name.
  const isDynamic = kind === "audio" && payloadType >= 96 && payloadType <= 98;
  const pcm = isDynamic ? PCM_OF_BANDWIDTH[media.bandwidth ?? 0] : undefined;
  return pcm ? { name: "PCML", ...pcm } : { name: String(payloadType), clockRate: kind === "video" ? 90000 : 0 };
}

/** The codec with what its format parameters tell; with the parameters as they are when they tell nothing. */
function withFmtp(codec: Codec): Codec {
  switch (codec.name) {
    case "H264": {
      const sets = parseH264Fmtp(codec.fmtp);
      return sets.length > 0 ? withParameterSets(codec, sets) : codec;
    }
    case "H265": {
      const hasAll = ["sprop-vps", "sprop-sps", "sprop-pps"].every((key) => fmtpValue(codec.fmtp, key));
      if (!hasAll) return { ...codec, fmtp: "" };
      const sets = parseH265Fmtp(codec.fmtp);
      if (sets.length === 0) return codec;
      const known = withParameterSets(codec, sets);
      // Tells how packets are to be read.
      const difference = fmtpValue(codec.fmtp, "sprop-max-don-diff");
      return difference ? { ...known, fmtp: `${known.fmtp};sprop-max-don-diff=${difference}` } : known;
    }
    case "MPEG4-GENERIC":
      return withAacConfig(codec, parseAacFmtp(codec.fmtp));
    case "MP4A-LATM": {
      // Inside, AAC has one name; that it comes as LATM is seen by `cpresent` (RFC 6416 §7.3: 1 when it is left out).
      const fmtp = fmtpValue(codec.fmtp, "cpresent") === undefined
        ? ["cpresent=1", codec.fmtp].filter((part) => part !== "").join(";")
        : codec.fmtp;
      return { ...withAacConfig({ ...codec, name: "MPEG4-GENERIC" }, latmConfigOfFmtp(fmtp)?.asc), fmtp };
    }
    default:
      return codec;
  }
}

function withAacConfig(codec: Codec, asc: Uint8Array | undefined): Codec {
  if (!asc) return codec;
  try {
    const { objectType } = parseAudioSpecificConfig(asc);
    const known = withParameterSets(codec, [asc]);
    // Enhanced low delay, which players do not take for AAC.
    if (objectType === 39) return { ...known, name: "ELD" };
    return isUsualAacFmtp(codec.fmtp) ? known : { ...known, fmtp: codec.fmtp };
  } catch {
    // An odd configuration may play all the same: pass it on.
    return codec;
  }
}

/** What a description that we write says of one media. */
export interface SdpOffer {
  readonly kind: Kind;
  readonly direction: Direction;
  readonly codec: Codec;
  readonly payloadType: number;
  readonly control: string;
}

/** Writes a session description in the contract's form (§5.1), with `\r\n` behind each line. */
export function writeSdp(session: { readonly name: string; readonly medias: readonly SdpOffer[] }): string {
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    `s=${oneLine(session.name) || "-"}`,
    "c=IN IP4 0.0.0.0",
    "t=0 0",
  ];
  for (const { kind, direction, codec, payloadType, control } of session.medias) {
    const { clockRate, channels } = codec;
    const rate = clockRate || (codec.kind === "audio" ? 8000 : 90000);
    lines.push(`m=${kind} 0 RTP/AVP ${payloadType}`);
    lines.push(`a=rtpmap:${payloadType} ${rtpName(codec)}/${rate}${channels > 1 ? `/${channels}` : ""}`);
    const fmtp = rtpFmtp(codec);
    if (fmtp !== "") lines.push(`a=fmtp:${payloadType} ${fmtp}`);
    lines.push(`a=${direction}`, `a=control:${oneLine(control)}`);
  }
  return lines.join("\r\n") + "\r\n";
}

function rtpName(codec: Codec): string {
  if (codec.name === "ELD" || codec.name === "MP4A-LATM") return "MPEG4-GENERIC";
  return codec.name === "PCML" ? "L16" : oneLine(codec.name);
}

/** The format parameters that tell a player how to decode the packets that our renditions make of a codec. */
export function rtpFmtp(codec: Codec): string {
  const { fmtp, parameterSets } = codec;
  const isLatm = fmtpValue(fmtp, "cpresent") !== undefined;
  if (parameterSets.length === 0) return isLatm ? "" : oneLine(fmtp);
  if (fmtp !== "" && !isLatm) return oneLine(fmtp);
  const name = codec.name === "ELD" || codec.name === "MP4A-LATM" ? "MPEG4-GENERIC" : codec.name;
  return oneLine(withParameterSets({ ...codec, name, fmtp: "" }, parameterSets).fmtp);
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ").trim();
}
