import { BitReader } from "./bits.ts";
import { fmtpValue, fromHex, toHex } from "./text.ts";

/** What an AAC decoder configuration tells (ISO/IEC 14496-3 §1.6.2.1). */
export interface AudioSpecificConfig {
  /** The type that is signalled first, as RFC 6381 names it: 2 AAC-LC, 5 HE-AAC, 29 HE-AAC v2, 39 AAC-ELD. */
  readonly objectType: number;
  /** The type of the stream inside HE-AAC (usually 2); `objectType` otherwise. */
  readonly coreObjectType: number;
  /** Of the coded stream; HE-AAC plays at `outputRate`, twice as high. */
  readonly sampleRate: number;
  readonly outputRate: number;
  /** Of the coded stream; HE-AAC v2 plays one as two. 0 when the configuration leaves it to the stream. */
  readonly channels: number;
  /** Samples of a frame at `sampleRate`: 1024 as a rule. */
  readonly samplesPerFrame: number;
}

const RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
const EXPLICIT_RATE = 15;
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8];
const SBR = 5;
const PARAMETRIC_STEREO = 29;
const ELD = 39;
const SBR_SYNC = 0x2b7;
// Types whose configuration begins as GASpecificConfig.
const GENERAL = new Set([1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23]);

/** Reads an AudioSpecificConfig. Throws a `RangeError` when it is broken. */
export function parseAudioSpecificConfig(asc: Uint8Array): AudioSpecificConfig {
  const bits = new BitReader(asc);
  const config = readAudioSpecificConfig(bits);
  const { objectType, sampleRate } = config;
  // HE-AAC that old decoders may take for AAC-LC is signalled behind the configuration.
  return objectType === SBR || objectType === PARAMETRIC_STEREO
    ? config
    : { ...config, outputRate: readHiddenRate(bits) ?? sampleRate };
}

/** Reads an AudioSpecificConfig without what may follow it, from bits that go on. Throws a `RangeError`. */
export function readAudioSpecificConfig(bits: BitReader): AudioSpecificConfig {
  const objectType = readObjectType(bits);
  const sampleRate = readRate(bits);
  let channels = readChannels(bits);
  let coreObjectType = objectType;
  let outputRate = sampleRate;
  if (objectType === SBR || objectType === PARAMETRIC_STEREO) {
    outputRate = readRate(bits);
    coreObjectType = readObjectType(bits);
    if (coreObjectType === 22) bits.skip(4);
  }
  let samplesPerFrame = 1024;
  if (coreObjectType === ELD) {
    samplesPerFrame = bits.flag() ? 480 : 512;
  } else if (GENERAL.has(coreObjectType)) {
    const isShort = bits.flag();
    samplesPerFrame = coreObjectType === 23 ? isShort ? 480 : 512 : isShort ? 960 : 1024;
    if (bits.flag()) bits.skip(14);
    const hasExtension = bits.flag();
    if (channels === 0) channels = readProgramChannels(bits);
    if (hasExtension) skipExtension(bits, coreObjectType);
  }
  return { objectType, coreObjectType, sampleRate, outputRate, channels, samplesPerFrame };
}

function readObjectType(bits: BitReader): number {
  const type = bits.u(5);
  return type === 31 ? 32 + bits.u(6) : type;
}

function readRate(bits: BitReader): number {
  const index = bits.u(4);
  const rate = index === EXPLICIT_RATE ? bits.u(24) : RATES[index];
  if (!rate) throw new RangeError(`AAC sample rate index ${index} does not exist`);
  return rate;
}

function readChannels(bits: BitReader): number {
  const index = bits.u(4);
  const channels = CHANNELS[index] ?? ({ 11: 7, 12: 8, 13: 24, 14: 8 } as Record<number, number>)[index];
  if (channels === undefined) throw new RangeError(`AAC channel configuration ${index} does not exist`);
  return channels;
}

// program_config_element (ISO/IEC 14496-3 §4.4.1.1), as far as it lists channels.
function readProgramChannels(bits: BitReader): number {
  bits.skip(4 + 2 + 4);
  const elements = bits.u(4) + bits.u(4) + bits.u(4);
  const lowFrequency = bits.u(2);
  bits.skip(3 + 4);
  if (bits.flag()) bits.skip(4);
  if (bits.flag()) bits.skip(4);
  if (bits.flag()) bits.skip(3);
  let channels = lowFrequency;
  for (let i = 0; i < elements; i++) {
    channels += bits.flag() ? 2 : 1;
    bits.skip(4);
  }
  return channels;
}

function skipExtension(bits: BitReader, type: number): void {
  if (type === 22) bits.skip(16);
  if (type === 17 || type === 19 || type === 20 || type === 23) bits.skip(3);
  bits.skip(1);
}

function readHiddenRate(bits: BitReader): number | undefined {
  if (bits.left < 17 || bits.u(11) !== SBR_SYNC || bits.u(5) !== SBR || !bits.flag() || bits.left < 4) return undefined;
  const index = bits.u(4);
  return index === EXPLICIT_RATE ? bits.left < 24 ? undefined : bits.u(24) : RATES[index];
}

/** Makes an AudioSpecificConfig for frames of 1024 samples. Throws a `RangeError` for channels that have no code. */
export function makeAudioSpecificConfig(
  { objectType, sampleRate, channels }: Pick<AudioSpecificConfig, "objectType" | "sampleRate" | "channels">,
): Uint8Array {
  const code = CHANNELS.indexOf(channels);
  if (code < 1) throw new RangeError(`AAC of ${channels} channels has no channel configuration`);
  if (objectType < 1 || objectType > 30) throw new RangeError(`AAC object type ${objectType} is not supported`);
  const index = RATES.indexOf(sampleRate);
  const fields: [number, number][] = [[objectType, 5]];
  if (index < 0) fields.push([EXPLICIT_RATE, 4], [sampleRate >> 12, 12], [sampleRate & 0xfff, 12]);
  else fields.push([index, 4]);
  fields.push([code, 4], [0, 3]);
  const asc = new Uint8Array(index < 0 ? 5 : 2);
  let at = 0;
  for (const [value, count] of fields) {
    for (let bit = count - 1; bit >= 0; bit--, at++) if (value >> bit & 1) asc[at >> 3]! |= 0x80 >> (at & 7);
  }
  return asc;
}

/** SDP format parameters of an AudioSpecificConfig (RFC 3640 §3.3.6). */
export function aacFmtp(asc: Uint8Array): string {
  return "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=" +
    toHex(asc);
}

/** The AudioSpecificConfig in SDP format parameters; `undefined` when there is none. */
export function parseAacFmtp(fmtp: string): Uint8Array | undefined {
  const asc = fromHex(fmtpValue(fmtp, "config") ?? "");
  return asc && asc.length > 0 ? asc : undefined;
}

/** What an ADTS header tells (ISO/IEC 14496-3 §1.A.2.2). */
export interface AdtsHeader {
  readonly asc: Uint8Array;
  readonly objectType: number;
  readonly sampleRate: number;
  /** 0 when the stream itself tells. */
  readonly channels: number;
  /** Of the whole frame, header included. */
  readonly frameLength: number;
  /** 7, or 9 with a checksum. */
  readonly headerLength: number;
  /** AAC frames behind this header: 1 as a rule. */
  readonly blocks: number;
}

/** Reads the ADTS header at an offset; `undefined` when there is none. The frame may pass the end of the bytes. */
export function parseAdtsHeader(bytes: Uint8Array, offset = 0): AdtsHeader | undefined {
  if (offset < 0 || bytes.length - offset < 7) return undefined;
  if (bytes[offset] !== 0xff || (bytes[offset + 1]! & 0xf6) !== 0xf0) return undefined;
  const headerLength = bytes[offset + 1]! & 1 ? 7 : 9;
  const objectType = (bytes[offset + 2]! >> 6) + 1;
  const rateIndex = bytes[offset + 2]! >> 2 & 15;
  const sampleRate = RATES[rateIndex];
  const channelCode = (bytes[offset + 2]! & 1) << 2 | bytes[offset + 3]! >> 6;
  const frameLength = (bytes[offset + 3]! & 3) << 11 | bytes[offset + 4]! << 3 | bytes[offset + 5]! >> 5;
  if (sampleRate === undefined || frameLength < headerLength) return undefined;
  return {
    asc: Uint8Array.of(objectType << 3 | rateIndex >> 1, (rateIndex & 1) << 7 | channelCode << 3),
    objectType,
    sampleRate,
    channels: CHANNELS[channelCode]!,
    frameLength,
    headerLength,
    blocks: (bytes[offset + 6]! & 3) + 1,
  };
}

/**
 * The ADTS header (7 bytes) of one frame of `payloadLength` bytes. Throws a `RangeError` for what ADTS has no code: long
 * frames, odd sample rates, object types above 4.
 */
export function adtsHeader(asc: Uint8Array, payloadLength: number): Uint8Array {
  const { coreObjectType, sampleRate, channels } = parseAudioSpecificConfig(asc);
  const rateIndex = RATES.indexOf(sampleRate);
  const channelCode = CHANNELS.indexOf(channels);
  if (rateIndex < 0) throw new RangeError(`ADTS has no code for a sample rate of ${sampleRate}`);
  if (channelCode < 0) throw new RangeError(`ADTS has no code for ${channels} channels`);
  if (coreObjectType < 1 || coreObjectType > 4) throw new RangeError(`ADTS has no code for type ${coreObjectType}`);
  const length = payloadLength + 7;
  if (length > 0x1fff) throw new RangeError(`An AAC frame of ${payloadLength} bytes is too long for ADTS`);
  return Uint8Array.of(
    0xff,
    0xf1,
    coreObjectType - 1 << 6 | rateIndex << 2 | channelCode >> 2,
    (channelCode & 3) << 6 | length >> 11,
    length >> 3 & 255,
    (length & 7) << 5 | 0x1f,
    0xfc,
  );
}
