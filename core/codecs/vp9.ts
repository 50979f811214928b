import { BitReader } from "./bits.ts";

/** What the header of a VP9 frame tells that can be decoded by itself (VP9 §6.2). */
export interface Vp9Header {
  readonly profile: number;
  readonly bitDepth: number;
  /** 7 is RGB; see VP9 §7.2.2. */
  readonly colorSpace: number;
  readonly isFullRange: boolean;
  readonly subsamplingX: boolean;
  readonly subsamplingY: boolean;
  readonly width: number;
  readonly height: number;
}

/** Whether a VP9 frame, or the first of a superframe, can be decoded by itself. */
export function isVp9Keyframe(frame: Uint8Array): boolean {
  const byte = frame[0];
  if (byte === undefined || (byte & 0xc0) !== 0x80) return false;
  // Profile 3 has a reserved bit before show_existing_frame and frame_type.
  return (byte & 0x30) === 0x30 ? (byte & 0x06) === 0 : (byte & 0x0c) === 0;
}

const RGB = 7;

/** The header of a VP9 keyframe; `undefined` for other frames and for what cannot be read. */
export function parseVp9Header(frame: Uint8Array): Vp9Header | undefined {
  if (!isVp9Keyframe(frame)) return undefined;
  try {
    return readHeader(new BitReader(frame));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

function readHeader(bits: BitReader): Vp9Header | undefined {
  bits.skip(2);
  const profile = bits.u(1) + 2 * bits.u(1);
  if (profile === 3 && bits.flag()) return undefined;
  bits.skip(4);
  if (bits.u(24) !== 0x498342) return undefined;
  const bitDepth = profile < 2 ? 8 : bits.flag() ? 12 : 10;
  const colorSpace = bits.u(3);
  let isFullRange = true;
  let subsamplingX = false;
  let subsamplingY = false;
  const isOdd = (profile & 1) === 1;
  if (colorSpace !== RGB) {
    isFullRange = bits.flag();
    subsamplingX = isOdd ? bits.flag() : true;
    subsamplingY = isOdd ? bits.flag() : true;
  } else if (!isOdd) {
    return undefined;
  }
  if (isOdd) bits.skip(1);
  const width = bits.u(16) + 1;
  const height = bits.u(16) + 1;
  return { profile, bitDepth, colorSpace, isFullRange, subsamplingX, subsamplingY, width, height };
}

// The largest picture, in luma samples, of each level (VP9 levels).
const LEVELS: readonly (readonly [number, number])[] = [
  [36864, 10],
  [73728, 11],
  [122880, 20],
  [245760, 21],
  [552960, 30],
  [983040, 31],
  [2228224, 40],
  [8912896, 50],
  [35651584, 60],
];

/** The least level, times ten, that allows a picture of this size. */
export function vp9Level({ width, height }: { width: number; height: number }): number {
  const samples = width * height;
  return LEVELS.find(([limit]) => samples <= limit)?.[1] ?? 62;
}

/** The body of the `vpcC` box of a keyframe's header, version and flags included (VP codec ISO media binding §2). */
export function vp9Config(header: Vp9Header): Uint8Array {
  const { profile, bitDepth, isFullRange, colorSpace } = header;
  const [primaries, transfer, matrix] = COLOR_CODES[colorSpace] ?? UNSPECIFIED;
  return Uint8Array.of(
    ...[1, 0, 0, 0],
    ...[profile, vp9Level(header), bitDepth << 4 | chromaCode(header) << 1 | (isFullRange ? 1 : 0)],
    ...[primaries, transfer, matrix],
    ...[0, 0],
  );
}

const UNSPECIFIED = [2, 2, 2] as const;
// BT.601, BT.709, SMPTE-170, SMPTE-240, BT.2020 and RGB by color_space, as codes of ISO/IEC 23091-2.
const COLOR_CODES: readonly (readonly [number, number, number])[] = [
  UNSPECIFIED,
  [5, 6, 5],
  [1, 1, 1],
  [6, 6, 6],
  [7, 7, 7],
  [9, 14, 9],
  UNSPECIFIED,
  [1, 13, 0],
];

// 1 is 4:2:0 with samples colocated, the usual of VP9.
function chromaCode({ subsamplingX, subsamplingY }: Vp9Header): number {
  return subsamplingX ? subsamplingY ? 1 : 2 : 3;
}

/** The RFC 6381 name of a keyframe's header: `vp09.00.10.08`. */
export function vp9CodecString(header: Vp9Header): string {
  const two = (value: number) => value.toString().padStart(2, "0");
  return `vp09.${two(header.profile)}.${two(vp9Level(header))}.${two(header.bitDepth)}`;
}
