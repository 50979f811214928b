import { type Codec, codec, fmp4Codecs, type Media, mediasOfQuery } from "../../core/mod.ts";

const WILDCARDS = new Set(["ANY", "ALL"]);
const SAMPLES = ["PCMA", "PCMU", "L16", "PCML"];

function wish(kind: "video" | "audio", names: readonly string[]): Media {
  return { kind, direction: "sendonly", codecs: names.map((name) => codec(name, { kind, clockRate: 0 })) };
}

/**
 * What an MP4 file is to hold (contract §7.2): `video` and `audio` filters, else `mp4`, `mp4=flac`, `mp4=all`, else H264,
 * H265 and AAC. What MP4 cannot hold is left out of the filters.
 */
export function wishesOfQuery(query: URLSearchParams): Media[] {
  const filtered = mediasOfQuery(query);
  if (filtered.length > 0) return filtered.map(withinMp4).filter((media) => media.codecs.length > 0);
  const mode = query.get("mp4");
  const audio = ["MPEG4-GENERIC"];
  if (mode === "flac") audio.push(...SAMPLES);
  else if (mode !== null && mode !== "") audio.push(...SAMPLES, "OPUS", "MPA");
  return [wish("video", ["H264", "H265"]), wish("audio", audio)];
}

// A wildcard takes the first track that fits, so it has to be said what fits.
function withinMp4(media: Media): Media {
  const codecs = media.codecs.flatMap((one): readonly Codec[] => {
    const fitting = fmp4Codecs.filter(({ kind, name }) =>
      kind === media.kind && (WILDCARDS.has(one.name) || name === one.name)
    );
    return one.name === "ALL" && fitting.length > 0 ? [...fitting, one] : fitting;
  });
  return { ...media, codecs };
}

/** Codec strings that browsers test for, and what they stand for (contract §4.3); others are ignored. */
const STRINGS: Readonly<Record<string, readonly string[]>> = {
  "avc1.640029": ["H264"],
  "hvc1.1.6.L153.B0": ["H265"],
  "av01.0.08M.08": ["AV1"],
  "mp4a.40.2": ["MPEG4-GENERIC"],
  flac: SAMPLES,
  opus: ["OPUS"],
};

/** What a player with Media Source Extensions can take, by the codec strings that it sent; none known: the usual. */
export function wishesOfStrings(value: unknown, kinds: readonly ("video" | "audio")[]): Media[] {
  const strings = typeof value === "string" ? value.split(",").map((text) => text.trim()) : [];
  const names = strings.flatMap((text) => STRINGS[text] ?? []);
  const known = names.length > 0 ? names : ["H264", "H265", "MPEG4-GENERIC"];
  return kinds.flatMap((kind) => {
    const fitting = known.filter((name) => (codec(name).kind === "video") === (kind === "video"));
    return fitting.length > 0 ? [wish(kind, fitting)] : [];
  });
}
