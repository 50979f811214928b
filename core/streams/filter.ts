import { type Codec, codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";

const ALIASES: Readonly<Record<string, string>> = {
  "": "ANY",
  COPY: "ANY",
  MJPEG: "JPEG",
  AAC: "MPEG4-GENERIC",
  MP3: "MPA",
  AVC: "H264",
  HEVC: "H265",
  PCM: "L16",
};

function codecOf(name: string, kind: "video" | "audio"): Codec {
  const upper = name.trim().toUpperCase();
  return codec(ALIASES[upper] ?? upper, { kind, clockRate: 0 });
}

function mediaOf(kind: "video" | "audio", direction: Media["direction"], value: string): Media {
  return { kind, direction, codecs: value.split(",").map((name) => codecOf(name, kind)) };
}

/**
 * The medias that a codec filter asks for (contract §2.13): `video`, `audio=aac,opus`, `video=all`; pictures first, then
 * sound. Other keys are ignored; no key, no media.
 */
export function mediasOfQuery(query: URLSearchParams): Media[] {
  return [
    ...query.getAll("video").map((value) => mediaOf("video", "sendonly", value)),
    ...query.getAll("audio").map((value) => mediaOf("audio", "sendonly", value)),
  ];
}

/** As {@linkcode mediasOfQuery}, with `microphone`, which asks for a camera's speaker (probe and preload). */
export function mediasOfProbe(query: URLSearchParams): Media[] {
  return [
    ...mediasOfQuery(query),
    ...query.getAll("microphone").map((value) => mediaOf("audio", "recvonly", value)),
  ];
}
