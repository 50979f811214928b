import { type H265Sps, parseH265Sps } from "./h265_sps.ts";
import { decodeSets, type NalConfig, pushSet, readSets } from "./nal_config.ts";
import { fmtpValue, toBase64 } from "./text.ts";

export { type H265Sps, parseH265Sps };

/** Types of H.265 NAL units (H.265 table 7-1); `AP` and `FU` are those of RTP (RFC 7798 §4.4). */
export const H265Nal = {
  TRAIL_N: 0,
  TRAIL_R: 1,
  RASL_N: 8,
  RASL_R: 9,
  BLA_W_LP: 16,
  IDR_W_RADL: 19,
  IDR_N_LP: 20,
  CRA: 21,
  VPS: 32,
  SPS: 33,
  PPS: 34,
  AUD: 35,
  EOS: 36,
  EOB: 37,
  FILLER: 38,
  PREFIX_SEI: 39,
  SUFFIX_SEI: 40,
  AP: 48,
  FU: 49,
} as const;

/** The type of a NAL unit that is not empty. */
export function h265NalType(nal: Uint8Array): number {
  return nal[0]! >> 1 & 63;
}

/** Whether a decoder can start at a NAL unit of this type: BLA, IDR and CRA pictures. */
export function isH265Keyframe(type: number): boolean {
  return type >= H265Nal.BLA_W_LP && type <= H265Nal.CRA;
}

/** SDP format parameters of parameter sets (RFC 7798 §7.1). */
export function h265Fmtp(sets: readonly Uint8Array[]): string {
  const parts = [`profile-id=${tryParse(ofType(sets, H265Nal.SPS)[0])?.profileIdc || 1}`];
  for (const { key, type } of SPROPS) {
    const found = ofType(sets, type);
    if (found.length > 0) parts.push(`${key}=${found.map(toBase64).join(",")}`);
  }
  return parts.join(";");
}

const SPROPS = [
  { key: "sprop-vps", type: H265Nal.VPS },
  { key: "sprop-sps", type: H265Nal.SPS },
  { key: "sprop-pps", type: H265Nal.PPS },
] as const;

/** The parameter sets in SDP format parameters, in the order VPS, SPS, PPS; what cannot be read is left out. */
export function parseH265Fmtp(fmtp: string): Uint8Array[] {
  const sets = SPROPS.flatMap(({ key }) => (fmtpValue(fmtp, key) ?? "").split(",").flatMap(decodeSets));
  return SPROPS.flatMap(({ type }) => ofType(sets, type));
}

function ofType(sets: readonly Uint8Array[], type: number): Uint8Array[] {
  return sets.filter((set) => set.length > 2 && h265NalType(set) === type);
}

function tryParse(sps: Uint8Array | undefined): H265Sps | undefined {
  try {
    return sps && parseH265Sps(sps);
  } catch {
    // Only its profile is wanted, which has a usual value.
    return undefined;
  }
}

function firstSps(sets: readonly Uint8Array[]): H265Sps {
  const sps = ofType(sets, H265Nal.SPS)[0];
  if (!sps) throw new RangeError("Cannot describe H265 without a sequence parameter set");
  return parseH265Sps(sps);
}

/**
 * The RFC 6381 name of parameter sets: `hvc1.1.6.L153.B0` (ISO/IEC 14496-15 §E.3). Throws a `RangeError` without a
 * readable sequence parameter set.
 */
export function hevcCodecString(sets: readonly Uint8Array[]): string {
  const sps = firstSps(sets);
  const space = ["", "A", "B", "C"][sps.profileSpace];
  let reversed = 0;
  for (let i = 0; i < 32; i++) reversed = reversed * 2 + (sps.compatibility >>> i & 1);
  let text = `hvc1.${space}${sps.profileIdc}.${hex(reversed)}.${sps.tier === 1 ? "H" : "L"}${sps.levelIdc}`;
  const last = sps.constraints.findLastIndex((byte) => byte !== 0);
  for (let i = 0; i <= last; i++) text += `.${hex(sps.constraints[i]!)}`;
  return text;
}

function hex(value: number): string {
  return value.toString(16).toUpperCase();
}

/**
 * The `hvcC` record of parameter sets, for lengths of 4 bytes (ISO/IEC 14496-15 §8.3.3.1). `isComplete` says that no
 * sets come in band, which a `hvc1` entry demands. Throws a `RangeError` without a readable sequence parameter set.
 */
export function hevcConfig(sets: readonly Uint8Array[], isComplete = false): Uint8Array {
  const sps = firstSps(sets);
  const record = [
    1,
    sps.profileSpace << 6 | sps.tier << 5 | sps.profileIdc,
    sps.compatibility >>> 24,
    sps.compatibility >>> 16 & 255,
    sps.compatibility >>> 8 & 255,
    sps.compatibility & 255,
    ...sps.constraints,
    sps.levelIdc,
    // No least spatial segmentation, parallelism unknown.
    0xf0,
    0,
    0xfc,
    0xfc | sps.chromaFormat,
    0xf8 | sps.bitDepth - 8 & 7,
    0xf8 | sps.chromaBitDepth - 8 & 7,
    // Average frame rate unknown.
    0,
    0,
    sps.temporalLayers << 3 | (sps.isTemporalIdNested ? 4 : 0) | 3,
  ];
  const arrays = SPROPS.map(({ type }) => ({ type, found: ofType(sets, type).slice(0, 255) }))
    .filter(({ found }) => found.length > 0);
  record.push(arrays.length);
  for (const { type, found } of arrays) {
    record.push((isComplete ? 0x80 : 0) | type, 0, found.length);
    for (const set of found) pushSet(record, set);
  }
  return Uint8Array.from(record);
}

/** Reads an `hvcC` record; only VPS, SPS and PPS are given. Throws a `RangeError` when it is broken. */
export function parseHevcConfig(record: Uint8Array): NalConfig {
  // Some writers leave the version at 0.
  if (record.length < 23 || record[0]! > 1) throw new RangeError("Not an hvcC record");
  const all: Uint8Array[] = [];
  let at = 23;
  for (let arrays = record[22]!; arrays > 0; arrays--) {
    if (at + 3 > record.length) throw new RangeError("The record of parameter sets is cut short");
    at = readSets(record, at + 3, record[at + 1]! << 8 | record[at + 2]!, all);
  }
  return {
    lengthSize: (record[21]! & 3) + 1,
    parameterSets: SPROPS.flatMap(({ type }) => ofType(all, type)),
  };
}
