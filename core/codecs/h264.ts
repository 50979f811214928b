import { type H264Sps, parseH264Sps } from "./h264_sps.ts";
import { decodeSets, type NalConfig, pushSet, readSets } from "./nal_config.ts";
import { fmtpValue, toBase64, toHex } from "./text.ts";

export { type H264Sps, parseH264Sps };

/** Types of H.264 NAL units (H.264 table 7-1). */
export const H264Nal = { SLICE: 1, DPA: 2, IDR: 5, SEI: 6, SPS: 7, PPS: 8, AUD: 9, FILLER: 12 } as const;

/** The type of a NAL unit that is not empty. */
export function h264NalType(nal: Uint8Array): number {
  return nal[0]! & 31;
}

/** The name of a profile as clients know it: `Baseline`, `Main`, `Extended`, `High`, others as `0x6E`. */
export function h264ProfileName(profileIdc: number): string {
  switch (profileIdc) {
    case 66:
      return "Baseline";
    case 77:
      return "Main";
    case 88:
      return "Extended";
    case 100:
      return "High";
    default:
      return `0x${profileIdc.toString(16).toUpperCase().padStart(2, "0")}`;
  }
}

/** SDP format parameters of parameter sets (RFC 6184 §8.1). */
export function h264Fmtp(sets: readonly Uint8Array[]): string {
  const all = [...ofType(sets, H264Nal.SPS), ...ofType(sets, H264Nal.PPS)];
  const first = all[0];
  let fmtp = "packetization-mode=1";
  if (first && first.length >= 4 && h264NalType(first) === H264Nal.SPS) {
    fmtp += `;profile-level-id=${toHex(first.subarray(1, 4)).toUpperCase()}`;
  }
  return all.length > 0 ? `${fmtp};sprop-parameter-sets=${all.map(toBase64).join(",")}` : fmtp;
}

/** The parameter sets in SDP format parameters, sequence sets first; what cannot be read is left out. */
export function parseH264Fmtp(fmtp: string): Uint8Array[] {
  const sets = (fmtpValue(fmtp, "sprop-parameter-sets") ?? "").split(",").flatMap(decodeSets);
  return [...ofType(sets, H264Nal.SPS), ...ofType(sets, H264Nal.PPS)];
}

function ofType(sets: readonly Uint8Array[], type: number): Uint8Array[] {
  return sets.filter((set) => set.length > 0 && h264NalType(set) === type);
}

/** The RFC 6381 name of parameter sets: `avc1.64001F`. Throws a `RangeError` without a sequence parameter set. */
export function avcCodecString(sets: readonly Uint8Array[]): string {
  return `avc1.${toHex(firstSps(sets).subarray(1, 4)).toUpperCase()}`;
}

function firstSps(sets: readonly Uint8Array[]): Uint8Array {
  const sps = ofType(sets, H264Nal.SPS)[0];
  if (!sps || sps.length < 4) throw new RangeError("Cannot describe H264 without a sequence parameter set");
  return sps;
}

/**
 * The `avcC` record of parameter sets, for lengths of 4 bytes (ISO/IEC 14496-15 §5.3.3.1). Throws a `RangeError` without
 * a sequence parameter set, or when a set is longer than the record can say.
 */
export function avcConfig(sets: readonly Uint8Array[]): Uint8Array {
  const sps = firstSps(sets);
  const spsList = ofType(sets, H264Nal.SPS).slice(0, 31);
  const ppsList = ofType(sets, H264Nal.PPS).slice(0, 255);
  const record = [1, sps[1]!, sps[2]!, sps[3]!, 0xff, 0xe0 | spsList.length];
  for (const set of spsList) pushSet(record, set);
  record.push(ppsList.length);
  for (const set of ppsList) pushSet(record, set);
  if (![66, 77, 88].includes(sps[1]!)) {
    const { chromaFormat, bitDepth, chromaBitDepth } = tryParse(sps) ?? USUAL_FORMAT;
    record.push(0xfc | chromaFormat, 0xf8 | bitDepth - 8, 0xf8 | chromaBitDepth - 8, 0);
  }
  return Uint8Array.from(record);
}

const USUAL_FORMAT = { chromaFormat: 1, bitDepth: 8, chromaBitDepth: 8 };

function tryParse(sps: Uint8Array): H264Sps | undefined {
  try {
    return parseH264Sps(sps);
  } catch {
    // An odd set plays in many decoders all the same.
    return undefined;
  }
}

/** Reads an `avcC` record. Throws a `RangeError` when it is broken. */
export function parseAvcConfig(record: Uint8Array): NalConfig {
  if (record.length < 6 || record[0] !== 1) throw new RangeError("Not an avcC record");
  const parameterSets: Uint8Array[] = [];
  let at = readSets(record, 6, record[5]! & 31, parameterSets);
  // A record may end behind the sequence sets: the picture sets are in band then.
  if (at < record.length) at = readSets(record, at + 1, record[at]!, parameterSets);
  return { lengthSize: (record[4]! & 3) + 1, parameterSets };
}
