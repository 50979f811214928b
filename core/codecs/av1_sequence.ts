import { BitReader } from "./bits.ts";

/** What an AV1 sequence header tells (AV1 §5.5). */
export interface Av1Sequence {
  /** 0 Main, 1 High, 2 Professional. */
  readonly profile: number;
  /** `seq_level_idx` of the first operating point: 4 times (level - 2), 31 for none. */
  readonly level: number;
  /** 1 is the high tier. */
  readonly tier: number;
  readonly isStill: boolean;
  readonly isReducedStill: boolean;
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly isMonochrome: boolean;
  readonly subsamplingX: boolean;
  readonly subsamplingY: boolean;
  /** 0 unknown, 1 vertical, 2 colocated. */
  readonly chromaPosition: number;
  /** Pictures per second, where the header tells. */
  readonly frameRate?: number;
}

const UNSPECIFIED = 2;
const SELECT = 2;

/** Reads a sequence header OBU, with or without a size in its header. Throws a `RangeError` when it is broken. */
export function parseAv1SequenceHeader(obu: Uint8Array): Av1Sequence {
  const header = obu[0] ?? 0;
  if ((header >> 3 & 15) !== 1) throw new RangeError("Not an AV1 sequence header");
  const bits = new BitReader(obu, header & 4 ? 2 : 1);
  if (header & 2) skipLeb128(bits);
  const profile = bits.u(3);
  if (profile > 2) throw new RangeError(`AV1 profile ${profile} does not exist`);
  const isStill = bits.flag();
  const isReducedStill = bits.flag();
  const { level, tier, frameRate } = isReducedStill ? { level: bits.u(5), tier: 0 } : readOperatingPoints(bits);
  const widthBits = bits.u(4) + 1;
  const heightBits = bits.u(4) + 1;
  const width = bits.u(widthBits) + 1;
  const height = bits.u(heightBits) + 1;
  skipTools(bits, isReducedStill);
  return {
    profile,
    level,
    tier,
    isStill,
    isReducedStill,
    width,
    height,
    ...readColor(bits, profile),
    ...(frameRate === undefined ? {} : { frameRate }),
  };
}

function skipLeb128(bits: BitReader): void {
  for (let i = 0; i < 8; i++) if (bits.u(8) < 128) return;
  throw new RangeError("The size of an AV1 OBU is longer than 8 bytes");
}

function readOperatingPoints(bits: BitReader): { level: number; tier: number; frameRate?: number } {
  let frameRate: number | undefined;
  let delayBits = 0;
  if (bits.flag()) {
    const units = bits.u(32);
    const scale = bits.u(32);
    // Without equal intervals the rate is only that of the clock.
    if (bits.flag()) {
      const ticks = bits.ue() + 1;
      if (units > 0 && scale > 0) frameRate = scale / (units * ticks);
    }
    if (bits.flag()) {
      delayBits = bits.u(5) + 1;
      bits.skip(32 + 5 + 5);
    }
  }
  const hasDelay = bits.flag();
  const count = bits.u(5) + 1;
  let first: { level: number; tier: number } | undefined;
  for (let i = 0; i < count; i++) {
    bits.skip(12);
    const level = bits.u(5);
    const tier = level > 7 ? bits.u(1) : 0;
    first ??= { level, tier };
    if (delayBits > 0 && bits.flag()) bits.skip(2 * delayBits + 1);
    if (hasDelay && bits.flag()) bits.skip(4);
  }
  return { ...first!, ...(frameRate === undefined ? {} : { frameRate }) };
}

function skipTools(bits: BitReader, isReducedStill: boolean): void {
  if (!isReducedStill && bits.flag()) bits.skip(4 + 3);
  bits.skip(3);
  if (!isReducedStill) {
    bits.skip(4);
    const hasOrderHint = bits.flag();
    if (hasOrderHint) bits.skip(2);
    const screenTools = bits.flag() ? SELECT : bits.u(1);
    if (screenTools > 0 && !bits.flag()) bits.skip(1);
    if (hasOrderHint) bits.skip(3);
  }
  bits.skip(3);
}

type Color = Pick<Av1Sequence, "bitDepth" | "isMonochrome" | "subsamplingX" | "subsamplingY" | "chromaPosition">;

// AV1 §5.5.2.
function readColor(bits: BitReader, profile: number): Color {
  const isDeep = bits.flag();
  const bitDepth = profile === 2 && isDeep ? bits.flag() ? 12 : 10 : isDeep ? 10 : 8;
  const isMonochrome = profile !== 1 && bits.flag();
  const [primaries, transfer, matrix] = bits.flag()
    ? [bits.u(8), bits.u(8), bits.u(8)]
    : [UNSPECIFIED, UNSPECIFIED, UNSPECIFIED];
  if (isMonochrome) {
    return { bitDepth, isMonochrome, subsamplingX: true, subsamplingY: true, chromaPosition: 0 };
  }
  const isSrgb = primaries === 1 && transfer === 13 && matrix === 0;
  if (isSrgb) return { bitDepth, isMonochrome, subsamplingX: false, subsamplingY: false, chromaPosition: 0 };
  bits.skip(1);
  let subsamplingX = profile !== 1;
  let subsamplingY = profile === 0;
  if (profile === 2 && bitDepth === 12) {
    subsamplingX = bits.flag();
    subsamplingY = subsamplingX && bits.flag();
  }
  const chromaPosition = subsamplingX && subsamplingY ? bits.u(2) : 0;
  return { bitDepth, isMonochrome, subsamplingX, subsamplingY, chromaPosition };
}
