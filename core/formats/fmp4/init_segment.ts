import type { Codec } from "../../media/codec.ts";
import { ascii, box, fullBox, u16, u32 } from "./boxes.ts";
import { pictureSize, sampleEntry } from "./sample_entry.ts";

/** One track of an init segment; a `Track` is one. Its number in the file is `id + 1`. */
export interface Fmp4Track {
  readonly id: number;
  readonly codec: Codec;
}

/** What players are told of how to show the picture; the pictures stay as they are. */
export interface Fmp4InitOptions {
  /** Clockwise, in degrees: 90, 180 or 270; other values are ignored. */
  readonly rotate?: number;
  /** Shape of a pixel, width to height. */
  readonly scale?: readonly [number, number];
}

const ONE = 0x10000;

/**
 * `ftyp` and `moov` for fragments of these tracks (ISO/IEC 14496-12 §8.8). Timescales are the clock rates of the codecs.
 * Parameter sets that are not known yet are replaced by those of a 1920x1080 picture. Throws a `TypeError` for a codec
 * that cannot be muxed.
 */
export function fmp4InitSegment(tracks: readonly Fmp4Track[], options: Fmp4InitOptions = {}): Uint8Array {
  const ftyp = box("ftyp", ascii("iso5"), u32(512), ascii("iso5iso6mp41"));
  const nextId = tracks.reduce((next, { id }) => Math.max(next, id + 2), 1);
  const moov = box(
    "moov",
    fullBox(
      "mvhd",
      0,
      0,
      u32(0),
      u32(0),
      u32(1000),
      u32(0),
      u32(ONE),
      u16(0x100),
      new Uint8Array(10),
      UNITY,
      PREDEFINED,
      u32(nextId),
    ),
    ...tracks.map((track) => trak(track, options)),
    box("mvex", ...tracks.map(({ id }) => fullBox("trex", 0, 0, u32(id + 1), u32(1), u32(0), u32(0), u32(0)))),
  );
  const bytes = new Uint8Array(ftyp.length + moov.length);
  bytes.set(ftyp);
  bytes.set(moov, ftyp.length);
  return bytes;
}

const PREDEFINED = new Uint8Array(24);
const UNITY = matrix(ONE, 0, 0, ONE, 0, 0);

function matrix(a: number, b: number, c: number, d: number, x: number, y: number): number[] {
  return [a, b, 0, c, d, 0, x, y, 0x40000000].flatMap(u32);
}

function rotation(degrees: number | undefined, width: number, height: number): number[] {
  switch (degrees) {
    case 90:
      return matrix(0, ONE, -ONE, 0, height * ONE, 0);
    case 180:
      return matrix(-ONE, 0, 0, -ONE, width * ONE, height * ONE);
    case 270:
      return matrix(0, -ONE, ONE, 0, 0, width * ONE);
    default:
      return UNITY;
  }
}

function trak({ id, codec }: Fmp4Track, { rotate, scale = [1, 1] }: Fmp4InitOptions): Uint8Array {
  const isVideo = codec.kind === "video";
  const { width, height } = isVideo ? pictureSize(codec) : { width: 0, height: 0 };
  const tkhd = fullBox(
    "tkhd",
    0,
    3, // enabled, in the presentation
    u32(0),
    u32(0),
    u32(id + 1),
    u32(0),
    u32(0),
    new Uint8Array(8),
    u16(0),
    u16(isVideo ? 0 : 1),
    u16(isVideo ? 0 : 0x100),
    u16(0),
    isVideo ? rotation(rotate, width, height) : UNITY,
    u16(Math.min(0xffff, Math.round(width * scale[0] / scale[1]))),
    u16(0),
    u16(height),
    u16(0),
  );
  const mdia = box(
    "mdia",
    fullBox("mdhd", 0, 0, u32(0), u32(0), u32(codec.clockRate || 90000), u32(0), UNDETERMINED, u16(0)),
    fullBox(
      "hdlr",
      0,
      0,
      u32(0),
      ascii(isVideo ? "vide" : "soun"),
      new Uint8Array(12),
      ascii(isVideo ? "video" : "audio"),
      [0],
    ),
    box(
      "minf",
      isVideo ? fullBox("vmhd", 0, 1, new Uint8Array(8)) : fullBox("smhd", 0, 0, u32(0)),
      box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1))),
      box(
        "stbl",
        fullBox("stsd", 0, 0, u32(1), sampleEntry(codec, scale)),
        fullBox("stts", 0, 0, u32(0)),
        fullBox("stsc", 0, 0, u32(0)),
        fullBox("stsz", 0, 0, u32(0), u32(0)),
        fullBox("stco", 0, 0, u32(0)),
      ),
    ),
  );
  return box("trak", tkhd, mdia);
}

// Language "und".
const UNDETERMINED = u16(0x55c4);
