import { unescapeRbsp } from "./annexb.ts";
import { BitReader } from "./bits.ts";

/** What an H.264 sequence parameter set tells (H.264 §7.3.2.1.1). */
export interface H264Sps {
  readonly profileIdc: number;
  /** The byte of `constraint_set` flags, the first flag highest. */
  readonly constraints: number;
  /** Ten times the level. */
  readonly levelIdc: number;
  readonly id: number;
  /** 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chromaFormat: number;
  /** Of luma. */
  readonly bitDepth: number;
  readonly chromaBitDepth: number;
  /** Pixels that are shown. */
  readonly width: number;
  readonly height: number;
  /** Pictures may be coded as fields. */
  readonly isInterlaced: boolean;
  readonly pictureOrderCountType: number;
  readonly referenceFrames: number;
  /** How many pictures are decoded ahead of their turn; `undefined` when the set does not say. */
  readonly reorderDepth: number | undefined;
  /** Pictures per second, where the set tells. */
  readonly frameRate?: number;
  /** Width and height of a pixel, where the set tells. */
  readonly sampleAspect?: readonly [number, number];
}

const BASELINE = 66;
const HAS_CHROMA = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
// Profiles of which `constraint_set3` makes one without prediction between pictures (H.264 §E.2.1).
const CAN_BE_INTRA = new Set([44, 86, 100, 110, 122, 244]);
const CONSTRAINT_SET3 = 0x10;
const EXTENDED_ASPECT = 255;
/** Level 6.2 allows no picture wider or higher than this, in macroblocks (H.264 §A.3.1). */
const MAX_MACROBLOCKS = 1055;

// Table E-1.
const ASPECTS: readonly (readonly [number, number])[] = [
  [1, 1],
  [12, 11],
  [10, 11],
  [16, 11],
  [40, 33],
  [24, 11],
  [20, 11],
  [32, 11],
  [80, 33],
  [18, 11],
  [15, 11],
  [64, 33],
  [160, 99],
  [4, 3],
  [3, 2],
  [2, 1],
];

/** Reads a sequence parameter set (a NAL unit without start code). Throws a `RangeError` when it is broken. */
export function parseH264Sps(sps: Uint8Array): H264Sps {
  if (sps.length < 4 || (sps[0]! & 31) !== 7) throw new RangeError("Not an H264 sequence parameter set");
  const bits = new BitReader(unescapeRbsp(sps), 1);
  const profileIdc = bits.u(8);
  const constraints = bits.u(8);
  const levelIdc = bits.u(8);
  const id = bits.ue();
  const format = HAS_CHROMA.has(profileIdc) ? readFormat(bits) : { chromaFormat: 1, bitDepth: 8, chromaBitDepth: 8 };
  bits.ue();
  const pictureOrderCountType = bits.ue();
  skipPictureOrderCount(bits, pictureOrderCountType);
  const referenceFrames = bits.ue();
  bits.flag();
  const size = readSize(bits, format.chromaFormat);
  return {
    profileIdc,
    constraints,
    levelIdc,
    id,
    ...format,
    ...size,
    pictureOrderCountType,
    referenceFrames,
    ...readUsability(bits, profileIdc, constraints, pictureOrderCountType),
  };
}

function readFormat(bits: BitReader): { chromaFormat: number; bitDepth: number; chromaBitDepth: number } {
  const chromaFormat = bits.ue();
  if (chromaFormat > 3) throw new RangeError(`Chroma format ${chromaFormat} does not exist`);
  if (chromaFormat === 3) bits.flag();
  const bitDepth = bits.ue() + 8;
  const chromaBitDepth = bits.ue() + 8;
  if (bitDepth > 14 || chromaBitDepth > 14) throw new RangeError(`A bit depth above 14 does not exist`);
  bits.flag();
  if (bits.flag()) skipScalingLists(bits, chromaFormat === 3 ? 12 : 8);
  return { chromaFormat, bitDepth, chromaBitDepth };
}

function skipScalingLists(bits: BitReader, count: number): void {
  for (let list = 0; list < count; list++) {
    if (!bits.flag()) continue;
    let last = 8;
    for (let i = 0; i < (list < 6 ? 16 : 64); i++) {
      const next = (last + bits.se() + 256) % 256;
      if (next === 0) break;
      last = next;
    }
  }
}

function skipPictureOrderCount(bits: BitReader, type: number): void {
  if (type === 0) {
    bits.ue();
  } else if (type === 1) {
    bits.flag();
    bits.se();
    bits.se();
    const cycle = bits.ue();
    if (cycle > 255) throw new RangeError(`A picture order cycle of ${cycle} frames is not allowed`);
    for (let i = 0; i < cycle; i++) bits.se();
  } else if (type > 2) {
    throw new RangeError(`Picture order count type ${type} does not exist`);
  }
}

function readSize(
  bits: BitReader,
  chromaFormat: number,
): { width: number; height: number; isInterlaced: boolean } {
  const across = bits.ue() + 1;
  const units = bits.ue() + 1;
  const isInterlaced = !bits.flag();
  const fields = isInterlaced ? 2 : 1;
  if (across > MAX_MACROBLOCKS || units * fields > MAX_MACROBLOCKS) {
    throw new RangeError(`A picture of ${across}x${units * fields} macroblocks is larger than any level allows`);
  }
  if (isInterlaced) bits.flag();
  bits.flag();
  let width = across * 16;
  let height = units * fields * 16;
  if (bits.flag()) {
    const stepX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
    const stepY = (chromaFormat === 1 ? 2 : 1) * fields;
    width -= (bits.ue() + bits.ue()) * stepX;
    height -= (bits.ue() + bits.ue()) * stepY;
    if (width <= 0 || height <= 0) throw new RangeError("The cropping leaves nothing of the picture");
  }
  return { width, height, isInterlaced };
}

type Usability = Pick<H264Sps, "reorderDepth" | "frameRate" | "sampleAspect">;

function readUsability(bits: BitReader, profileIdc: number, constraints: number, orderType: number): Usability {
  const isIntra = CAN_BE_INTRA.has(profileIdc) && (constraints & CONSTRAINT_SET3) !== 0;
  const isOrdered = isIntra || profileIdc === BASELINE || orderType === 2;
  const known: { -readonly [K in keyof Usability]: Usability[K] } = { reorderDepth: isOrdered ? 0 : undefined };
  try {
    if (!bits.flag()) return known;
    readAspect(bits, known);
    if (bits.flag()) bits.flag();
    if (bits.flag()) {
      bits.skip(4);
      if (bits.flag()) bits.skip(24);
    }
    if (bits.flag()) {
      bits.ue();
      bits.ue();
    }
    if (bits.flag()) {
      const units = bits.u(32);
      const scale = bits.u(32);
      bits.flag();
      // A frame lasts two ticks, also where pictures are never split into fields.
      if (units > 0 && scale > 0) known.frameRate = scale / (2 * units);
    }
    const hasNalTiming = bits.flag();
    if (hasNalTiming) skipBufferTiming(bits);
    const hasVclTiming = bits.flag();
    if (hasVclTiming) skipBufferTiming(bits);
    if (hasNalTiming || hasVclTiming) bits.flag();
    bits.flag();
    if (bits.flag()) {
      bits.flag();
      bits.ue();
      bits.ue();
      bits.ue();
      bits.ue();
      const depth = bits.ue();
      const buffered = bits.ue();
      if (!isIntra && depth <= buffered && buffered <= 16) known.reorderDepth = depth;
    }
  } catch (error) {
    // The picture is described before this part: a set that ends too early is still of use.
    if (!(error instanceof RangeError)) throw error;
  }
  return known;
}

function readAspect(bits: BitReader, known: { sampleAspect?: readonly [number, number] }): void {
  if (!bits.flag()) return;
  const code = bits.u(8);
  const aspect = code === EXTENDED_ASPECT ? [bits.u(16), bits.u(16)] as const : ASPECTS[code - 1];
  if (aspect && aspect[0] > 0 && aspect[1] > 0) known.sampleAspect = aspect;
}

function skipBufferTiming(bits: BitReader): void {
  const count = bits.ue() + 1;
  if (count > 32) throw new RangeError(`${count} buffer descriptions are more than the 32 allowed`);
  bits.skip(8);
  for (let i = 0; i < count; i++) {
    bits.ue();
    bits.ue();
    bits.flag();
  }
  bits.skip(20);
}
