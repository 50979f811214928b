import { readAudioSpecificConfig } from "./aac.ts";
import { BitReader } from "./bits.ts";

/** How a LATM stream of one AAC layer is put together (ISO/IEC 14496-3 §1.7.3, StreamMuxConfig). */
export interface LatmConfig {
  readonly asc: Uint8Array;
  /** AAC frames in each element. */
  readonly subFrames: number;
  /** Bytes of each frame, where they are not told frame by frame. */
  readonly frameBytes: number | undefined;
}

/**
 * Reads a StreamMuxConfig, as the `config` of `MP4A-LATM` has it (RFC 6416 §7.3). Throws a `RangeError` when it is broken,
 * or for more than one program or layer.
 */
export function parseStreamMuxConfig(config: Uint8Array): LatmConfig {
  return readConfig(config, new BitReader(config));
}

function readConfig(bytes: Uint8Array, bits: BitReader): LatmConfig {
  const version = bits.u(1);
  if (version === 1 && bits.flag()) throw new RangeError("LATM of a later version is not supported");
  if (version === 1) readValue(bits);
  bits.skip(1);
  const subFrames = bits.u(6) + 1;
  if (bits.u(4) !== 0 || bits.u(3) !== 0) throw new RangeError("LATM of several programs or layers is not supported");
  const length = version === 1 ? readValue(bits) : undefined;
  const start = bits.position;
  readAudioSpecificConfig(bits);
  const end = length === undefined ? bits.position : start + length;
  if (end < bits.position) throw new RangeError("The AAC configuration is longer than LATM says");
  bits.skip(end - bits.position);
  const lengthType = bits.u(3);
  if (lengthType > 1) throw new RangeError(`LATM frame length type ${lengthType} is not AAC`);
  let frameBytes: number | undefined;
  if (lengthType === 0) bits.skip(8);
  else frameBytes = bits.u(9) + 20;
  if (bits.flag()) {
    if (version === 1) readValue(bits);
    else skipEscaped(bits);
  }
  if (bits.flag()) bits.skip(8);
  return { asc: bitsOf(bytes, start, end - start), subFrames, frameBytes };
}

function readValue(bits: BitReader): number {
  return bits.u(8 * (bits.u(2) + 1));
}

function skipEscaped(bits: BitReader): void {
  while (bits.flag()) bits.skip(8);
  bits.skip(8);
}

/** Bits from anywhere as bytes, filled up with zeros; a view where they are whole bytes. */
function bitsOf(bytes: Uint8Array, start: number, count: number): Uint8Array {
  const at = start >> 3;
  const shift = start & 7;
  const size = count + 7 >> 3;
  if (shift === 0 && (count & 7) === 0) return bytes.subarray(at, at + size);
  const copy = new Uint8Array(size);
  for (let i = 0; i < size; i++) copy[i] = (bytes[at + i]! << 8 | (bytes[at + i + 1] ?? 0)) >> 8 - shift;
  if (count & 7) copy[size - 1]! &= 0xff00 >> (count & 7);
  return copy;
}

/** What one LATM element holds. */
export interface LatmElement {
  readonly config: LatmConfig;
  /** Raw AAC frames. */
  readonly frames: readonly Uint8Array[];
}

/**
 * Takes the AAC frames out of one AudioMuxElement. `known` is the configuration so far; `hasConfig` says whether elements
 * bring one (always in LOAS, over RTP unless `cpresent=0`). `undefined` when the element is broken or nothing is known.
 */
export function parseLatm(
  element: Uint8Array,
  known: LatmConfig | undefined,
  hasConfig: boolean,
): LatmElement | undefined {
  try {
    const bits = new BitReader(element);
    const config = hasConfig && !bits.flag() ? readConfig(element, bits) : known;
    if (!config) return undefined;
    const frames: Uint8Array[] = [];
    for (let i = 0; i < config.subFrames; i++) {
      const size = config.frameBytes ?? readFrameSize(bits);
      const start = bits.position;
      bits.skip(size * 8);
      if (size > 0) frames.push(bitsOf(element, start, size * 8));
    }
    return { config, frames };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

function readFrameSize(bits: BitReader): number {
  let size = 0;
  let part: number;
  do {
    part = bits.u(8);
    size += part;
  } while (part === 255);
  return size;
}

/** Bytes in front of an element in LOAS. */
export const LOAS_HEADER_BYTES = 3;

/**
 * The bytes of the LOAS frame at an offset, header included (ISO/IEC 14496-3 §1.7.2); `undefined` when there is none. The
 * frame may pass the end of the bytes.
 */
export function loasFrameLength(bytes: Uint8Array, offset = 0): number | undefined {
  if (offset < 0 || bytes.length - offset < LOAS_HEADER_BYTES) return undefined;
  if (bytes[offset] !== 0x56 || (bytes[offset + 1]! & 0xe0) !== 0xe0) return undefined;
  return LOAS_HEADER_BYTES + ((bytes[offset + 1]! & 31) << 8 | bytes[offset + 2]!);
}
