import { unescapeRbsp } from "./annexb.ts";
import { BitReader } from "./bits.ts";

/** What an H.265 sequence parameter set tells (H.265 §7.3.2.2). */
export interface H265Sps {
  readonly profileSpace: number;
  /** 1 is the high tier. */
  readonly tier: number;
  readonly profileIdc: number;
  /** 32 flags, the flag of profile 0 highest. */
  readonly compatibility: number;
  /** The six bytes of constraint flags. */
  readonly constraints: Uint8Array;
  /** Thirty times the level. */
  readonly levelIdc: number;
  readonly temporalLayers: number;
  readonly isTemporalIdNested: boolean;
  readonly id: number;
  /** 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chromaFormat: number;
  /** Of luma. */
  readonly bitDepth: number;
  readonly chromaBitDepth: number;
  /** Pixels that are shown. */
  readonly width: number;
  readonly height: number;
  /** How many pictures are decoded ahead of their turn, with all temporal layers. */
  readonly reorderDepth: number | undefined;
  /** Pictures per second, where the set tells. */
  readonly frameRate?: number;
}

/** Level 6.2 allows no picture wider or higher than this (H.265 §A.4.1). */
const MAX_PIXELS = 16888;
const EXTENDED_ASPECT = 255;

/** Reads a sequence parameter set (a NAL unit without start code). Throws a `RangeError` when it is broken. */
export function parseH265Sps(sps: Uint8Array): H265Sps {
  if (sps.length < 4 || (sps[0]! >> 1 & 63) !== 33) throw new RangeError("Not an H265 sequence parameter set");
  const plain = unescapeRbsp(sps);
  const bits = new BitReader(plain, 2);
  bits.skip(4);
  const subLayers = bits.u(3);
  if (subLayers > 6) throw new RangeError(`${subLayers + 1} temporal layers are more than the 7 allowed`);
  const isTemporalIdNested = bits.flag();
  const profile = readProfile(bits, plain, subLayers);
  const id = bits.ue();
  const size = readSize(bits);
  const bitDepth = bits.ue() + 8;
  const chromaBitDepth = bits.ue() + 8;
  if (bitDepth > 16 || chromaBitDepth > 16) throw new RangeError("A bit depth above 16 does not exist");
  const orderBits = bits.ue() + 4;
  if (orderBits > 16) throw new RangeError(`A picture order count of ${orderBits} bits is not allowed`);
  let reorderDepth = 0;
  const hasAllLayers = bits.flag();
  for (let i = hasAllLayers ? 0 : subLayers; i <= subLayers; i++) {
    bits.ue();
    reorderDepth = bits.ue();
    bits.ue();
  }
  return {
    ...profile,
    temporalLayers: subLayers + 1,
    isTemporalIdNested,
    id,
    ...size,
    bitDepth,
    chromaBitDepth,
    reorderDepth: reorderDepth <= 16 ? reorderDepth : undefined,
    ...readTiming(bits, orderBits),
  };
}

type Profile = Pick<H265Sps, "profileSpace" | "tier" | "profileIdc" | "compatibility" | "constraints" | "levelIdc">;

function readProfile(bits: BitReader, plain: Uint8Array, subLayers: number): Profile {
  const profileSpace = bits.u(2);
  const tier = bits.u(1);
  const profileIdc = bits.u(5);
  const compatibility = bits.u(32);
  const at = bits.position >> 3;
  bits.skip(48);
  const constraints = plain.slice(at, at + 6);
  const levelIdc = bits.u(8);
  const has: [boolean, boolean][] = [];
  for (let i = 0; i < subLayers; i++) has.push([bits.flag(), bits.flag()]);
  if (subLayers > 0) bits.skip(2 * (8 - subLayers));
  for (const [hasProfile, hasLevel] of has) bits.skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0));
  return { profileSpace, tier, profileIdc, compatibility, constraints, levelIdc };
}

function readSize(bits: BitReader): { chromaFormat: number; width: number; height: number } {
  const chromaFormat = bits.ue();
  if (chromaFormat > 3) throw new RangeError(`Chroma format ${chromaFormat} does not exist`);
  if (chromaFormat === 3) bits.flag();
  let width = bits.ue();
  let height = bits.ue();
  if (width > MAX_PIXELS || height > MAX_PIXELS) {
    throw new RangeError(`A picture of ${width}x${height} is larger than any level allows`);
  }
  if (bits.flag()) {
    width -= (bits.ue() + bits.ue()) * (chromaFormat === 1 || chromaFormat === 2 ? 2 : 1);
    height -= (bits.ue() + bits.ue()) * (chromaFormat === 1 ? 2 : 1);
  }
  if (width <= 0 || height <= 0) throw new RangeError("The cropping leaves nothing of the picture");
  return { chromaFormat, width, height };
}

function readTiming(bits: BitReader, orderBits: number): { frameRate?: number } {
  try {
    skipTools(bits, orderBits);
    if (!bits.flag()) return {};
    if (bits.flag() && bits.u(8) === EXTENDED_ASPECT) bits.skip(32);
    if (bits.flag()) bits.flag();
    if (bits.flag()) {
      bits.skip(4);
      if (bits.flag()) bits.skip(24);
    }
    if (bits.flag()) {
      bits.ue();
      bits.ue();
    }
    bits.skip(3);
    if (bits.flag()) { for (let i = 0; i < 4; i++) bits.ue(); }
    if (!bits.flag()) return {};
    const units = bits.u(32);
    const scale = bits.u(32);
    return units > 0 && scale > 0 ? { frameRate: scale / units } : {};
  } catch (error) {
    // The picture is described before this part: a set that ends too early is still of use.
    if (!(error instanceof RangeError)) throw error;
    return {};
  }
}

function skipTools(bits: BitReader, orderBits: number): void {
  for (let i = 0; i < 6; i++) bits.ue();
  if (bits.flag() && bits.flag()) skipScalingLists(bits);
  bits.skip(2);
  if (bits.flag()) {
    bits.skip(8);
    bits.ue();
    bits.ue();
    bits.flag();
  }
  skipReferenceSets(bits);
  if (bits.flag()) {
    const count = bits.ue();
    if (count > 32) throw new RangeError(`${count} long-term pictures are more than the 32 allowed`);
    bits.skip(count * (orderBits + 1));
  }
  bits.skip(2);
}

// H.265 §7.3.4.
function skipScalingLists(bits: BitReader): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (!bits.flag()) {
        bits.ue();
        continue;
      }
      if (size > 1) bits.se();
      for (let i = Math.min(64, 1 << 4 + (size << 1)); i > 0; i--) bits.se();
    }
  }
}

// H.265 §7.3.7. A set predicted from the one before has one picture more at most; which of them it drops decides how
// many flags the next one has.
function skipReferenceSets(bits: BitReader): void {
  const count = bits.ue();
  if (count > 64) throw new RangeError(`${count} reference picture sets are more than the 64 allowed`);
  let pictures = 0;
  for (let set = 0; set < count; set++) {
    if (set > 0 && bits.flag()) {
      bits.flag();
      bits.ue();
      let kept = 0;
      for (let i = 0; i <= pictures; i++) {
        if (bits.flag() || bits.flag()) kept++;
      }
      pictures = kept;
      continue;
    }
    const before = bits.ue();
    const after = bits.ue();
    if (before > 16 || after > 16) {
      throw new RangeError("A reference picture set of more than 16 pictures is not allowed");
    }
    pictures = before + after;
    for (let i = 0; i < pictures; i++) {
      bits.ue();
      bits.flag();
    }
  }
}
