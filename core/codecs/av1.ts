import { type Av1Sequence, parseAv1SequenceHeader } from "./av1_sequence.ts";

export { type Av1Sequence, parseAv1SequenceHeader };

/** Types of AV1 OBUs (AV1 §6.2.2). */
export const Av1Obu = {
  SEQUENCE_HEADER: 1,
  TEMPORAL_DELIMITER: 2,
  FRAME_HEADER: 3,
  TILE_GROUP: 4,
  METADATA: 5,
  FRAME: 6,
  REDUNDANT_FRAME_HEADER: 7,
  TILE_LIST: 8,
  PADDING: 15,
} as const;

/** The type of an OBU that is not empty. */
export function av1ObuType(obu: Uint8Array): number {
  return obu[0]! >> 3 & 15;
}

/**
 * The OBUs of a temporal unit, each whole with its header, as views (AV1 §5.3). One without a size reaches to the end;
 * nothing is given from an OBU that passes the end.
 */
export function splitObus(temporalUnit: Uint8Array): Uint8Array[] {
  const obus: Uint8Array[] = [];
  for (let at = 0; at < temporalUnit.length;) {
    const end = obuEnd(temporalUnit, at);
    if (end < 0) break;
    obus.push(temporalUnit.subarray(at, end));
    at = end;
  }
  return obus;
}

const HAS_EXTENSION = 4;
const HAS_SIZE = 2;

/** Where the OBU at `at` ends; -1 when it passes the end of the bytes. */
function obuEnd(bytes: Uint8Array, at: number): number {
  const header = bytes[at]!;
  if ((header & HAS_SIZE) === 0) return bytes.length;
  let size = 0;
  let index = at + (header & HAS_EXTENSION ? 2 : 1);
  for (let i = 0; i < 8 && index < bytes.length; i++) {
    const byte = bytes[index++]!;
    size += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return size <= bytes.length - index ? index + size : -1;
  }
  return -1;
}

/** Where the payload of the OBU at `at` begins. */
function payloadStart(bytes: Uint8Array, at: number): number {
  const header = bytes[at]!;
  let index = at + (header & HAS_EXTENSION ? 2 : 1);
  if (header & HAS_SIZE) { while (index < bytes.length && bytes[index++]! >= 128); }
  return index;
}

/**
 * Whether a decoder can start at a temporal unit: its first frame is a key frame that is shown. The sequence header may
 * be in the unit or have come before.
 */
export function isAv1Keyframe(temporalUnit: Uint8Array): boolean {
  for (let at = 0; at < temporalUnit.length;) {
    const end = obuEnd(temporalUnit, at);
    if (end < 0) return false;
    const type = temporalUnit[at]! >> 3 & 15;
    const start = payloadStart(temporalUnit, at);
    if (type === Av1Obu.SEQUENCE_HEADER) {
      // A still picture with the reduced header: its frame headers have no type.
      if (start < end && (temporalUnit[start]! & 0x18) === 0x18) return true;
    } else if (type === Av1Obu.FRAME || type === Av1Obu.FRAME_HEADER) {
      // show_existing_frame 0, frame_type 0 (2 bits), show_frame 1.
      return start < end && (temporalUnit[start]! & 0xf0) === 0x10;
    }
    at = end;
  }
  return false;
}

/** An OBU with its size in the header: the OBU itself when it has one. Over RTP they come without. */
export function withObuSize(obu: Uint8Array): Uint8Array {
  if (obu.length === 0 || obu[0]! & HAS_SIZE) return obu;
  const headerBytes = Math.min(obu.length, obu[0]! & HAS_EXTENSION ? 2 : 1);
  const size: number[] = [];
  for (let left = obu.length - headerBytes;; left = Math.floor(left / 128)) {
    if (left < 128) {
      size.push(left);
      break;
    }
    size.push(left % 128 | 128);
  }
  const sized = new Uint8Array(obu.length + size.length);
  sized.set(obu.subarray(0, headerBytes));
  sized[0] = obu[0]! | HAS_SIZE;
  sized.set(size, headerBytes);
  sized.set(obu.subarray(headerBytes), headerBytes + size.length);
  return sized;
}

/**
 * The `av1C` record of a sequence header OBU (AV1 in ISOBMFF §2.3.3). Throws a `RangeError` when the OBU cannot be read.
 */
export function av1Config(sequenceHeader: Uint8Array): Uint8Array {
  const sequence = parseAv1SequenceHeader(sequenceHeader);
  const obu = withObuSize(sequenceHeader);
  const record = new Uint8Array(4 + obu.length);
  record[0] = 0x81;
  record[1] = sequence.profile << 5 | sequence.level;
  record[2] = sequence.tier << 7 | (sequence.bitDepth > 8 ? 0x40 : 0) | (sequence.bitDepth === 12 ? 0x20 : 0) |
    (sequence.isMonochrome ? 0x10 : 0) | (sequence.subsamplingX ? 8 : 0) | (sequence.subsamplingY ? 4 : 0) |
    sequence.chromaPosition;
  record.set(obu, 4);
  return record;
}

/** The sequence header OBU in an `av1C` record, as a view; `undefined` when it holds none. */
export function parseAv1Config(record: Uint8Array): Uint8Array | undefined {
  if (record.length < 4 || record[0] !== 0x81) return undefined;
  return splitObus(record.subarray(4)).find((obu) => av1ObuType(obu) === Av1Obu.SEQUENCE_HEADER);
}

/** The RFC 6381 name of a sequence header OBU: `av01.0.04M.08`. Throws a `RangeError` when the OBU cannot be read. */
export function av1CodecString(sequenceHeader: Uint8Array): string {
  const { profile, level, tier, bitDepth } = parseAv1SequenceHeader(sequenceHeader);
  const two = (value: number) => value.toString().padStart(2, "0");
  return `av01.${profile}.${two(level)}${tier === 1 ? "H" : "M"}.${two(bitDepth)}`;
}
