import {
  type Codec,
  codec,
  files,
  type Fmp4FileTrack,
  inspect,
  parseAvcConfig,
  type Payload,
  readFmp4,
  splitLengthPrefixed,
  Units,
  withParameterSets,
} from "../../core/mod.ts";

/** One frame of a clip; times in ticks of its codec's clock, from 0. */
export interface ClipFrame {
  readonly dts: number;
  readonly pts: number;
  readonly isKeyframe: boolean;
  readonly payload: Payload;
}

/** One codec of a clip. */
export interface ClipTrack {
  readonly codec: Codec;
  readonly frames: readonly ClipFrame[];
  /** Ticks from one turn of the loop to the next. */
  readonly period: number;
}

/** Pictures and sound that can be played in a loop. */
export interface Clip {
  readonly tracks: readonly ClipTrack[];
}

let shipped: Promise<Clip> | undefined;

/** The clip that is shipped with the program; read at the first call. */
export function shippedClip(): Promise<Clip> {
  shipped ??= files.read(new URL("./clip.mp4", import.meta.url)).then(readClip, (error) => {
    shipped = undefined;
    throw error;
  });
  return shipped;
}

/** Reads a fragmented MP4 with H264 and AAC. All tracks repeat after the same time, that of the longest. */
export function readClip(bytes: Uint8Array): Clip {
  const tracks = readFmp4(bytes).tracks.filter((track) => track.samples.length > 0);
  if (tracks.length === 0) throw new TypeError("Cannot read the demo clip: it has no frames");
  const seconds = Math.max(...tracks.map((track) => endOf(track) / track.timescale));
  return { tracks: tracks.map((track) => readTrack(track, seconds)) };
}

function endOf({ samples }: Fmp4FileTrack): number {
  const last = samples[samples.length - 1]!;
  return last.dts + last.duration;
}

function readTrack(track: Fmp4FileTrack, seconds: number): ClipTrack {
  const { codec, units } = track.handler === "vide" ? readVideo(track) : readAudio(track);
  const frames = track.samples.map(({ dts, pts, bytes }) => {
    const parts = units(bytes);
    return { dts, pts, isKeyframe: inspect(codec, parts).isKeyframe, payload: new Units(parts) };
  });
  return { codec, frames, period: Math.round(seconds * track.timescale) };
}

function readVideo({ config, timescale }: Fmp4FileTrack) {
  const record = config.get("avcC");
  if (!record) throw new TypeError("Cannot read the demo clip: its pictures are not H264");
  const { parameterSets, lengthSize } = parseAvcConfig(record);
  return {
    codec: withParameterSets(codec("H264", { clockRate: timescale }), parameterSets),
    units: (bytes: Uint8Array) => splitLengthPrefixed(bytes, lengthSize),
  };
}

function readAudio({ config, timescale }: Fmp4FileTrack) {
  const asc = decoderConfig(config.get("esds") ?? new Uint8Array());
  if (!asc) throw new TypeError("Cannot read the demo clip: its sound is not AAC");
  return {
    codec: withParameterSets(codec("MPEG4-GENERIC", { clockRate: timescale }), [asc]),
    units: (bytes: Uint8Array) => [bytes],
  };
}

/** Bytes between the head of a descriptor and the descriptors in it, by tag (ISO/IEC 14496-1 §7.2.6). */
const NESTED: ReadonlyMap<number, number> = new Map([[3, 3], [4, 13]]);
const DECODER_CONFIG = 5;

/** The AudioSpecificConfig in the body of an `esds` box: version and flags, then nested descriptors. */
function decoderConfig(esds: Uint8Array): Uint8Array | undefined {
  let at = 4;
  while (at + 2 <= esds.length) {
    const tag = esds[at++]!;
    let size = 0;
    for (let more = true; more && at < esds.length; at++) {
      size = size << 7 | esds[at]! & 127;
      more = esds[at]! > 127;
    }
    if (tag === DECODER_CONFIG) return esds.subarray(at, at + size);
    at += NESTED.get(tag) ?? size;
  }
  return undefined;
}
