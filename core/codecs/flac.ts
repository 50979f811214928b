/** How the samples of a FLAC stream are to be taken; 16 bit. */
export interface FlacFormat {
  /** Up to 1048575 Hz. */
  readonly sampleRate: number;
  /** Default 1. */
  readonly channels?: number;
}

const MAX_RATE = 0xfffff;
const BITS = 16;

/** STREAMINFO of a live stream: frames of 16 to 65535 samples, length and digest unknown (RFC 9639 §8.2). */
export function flacStreamInfo({ sampleRate, channels = 1 }: FlacFormat): Uint8Array {
  if (sampleRate < 1 || sampleRate > MAX_RATE) throw new RangeError(`FLAC has no code for ${sampleRate} Hz`);
  if (channels < 1 || channels > 8) throw new RangeError(`FLAC has no code for ${channels} channels`);
  const info = new Uint8Array(34);
  info.set([0, 16, 0xff, 0xff]);
  info[10] = sampleRate >> 12;
  info[11] = sampleRate >> 4;
  info[12] = (sampleRate & 15) << 4 | channels - 1 << 1 | BITS - 1 >> 4;
  info[13] = (BITS - 1 & 15) << 4;
  return info;
}

/** The body of the `dfLa` box, version and flags included, of a STREAMINFO (FLAC in ISOBMFF §3.3.2). */
export function dfLa(streamInfo: Uint8Array): Uint8Array {
  const body = new Uint8Array(8 + streamInfo.length);
  body[4] = 0x80;
  body[7] = streamInfo.length;
  body.set(streamInfo, 8);
  return body;
}

/** Where a frame stands, and in which format. */
export interface FlacFrameOptions extends FlacFormat {
  /** Samples (of one channel) before this frame; written modulo 2^31, beyond which FFmpeg and Chromium refuse frames. */
  readonly sampleNumber: number;
}

const MAX_NUMBER = 2 ** 31;

// RFC 9639 §9.1.2.
const RATE_CODES = new Map([
  [88200, 1],
  [176400, 2],
  [192000, 3],
  [8000, 4],
  [16000, 5],
  [22050, 6],
  [24000, 7],
  [32000, 8],
  [44100, 9],
  [48000, 10],
  [96000, 11],
]);
// The rate in Hz is at the end of the header; in STREAMINFO.
const RATE_IN_HEADER = 13;
const RATE_IN_STREAM_INFO = 0;
const VERBATIM = 0x02;

/**
 * One FLAC frame that holds samples as they are (RFC 9639 §9), 16 bit, channels interleaved, at most two. Throws a
 * `RangeError` for no samples or more than 65535 of a channel.
 */
export function flacFrame(samples: Int16Array, options: FlacFrameOptions): Uint8Array {
  const { sampleRate, channels = 1, sampleNumber } = options;
  if (channels < 1 || channels > 2) throw new RangeError(`Cannot write a FLAC frame of ${channels} channels`);
  const blockSize = Math.floor(samples.length / channels);
  if (blockSize < 1 || blockSize > 0xffff) throw new RangeError(`A FLAC frame cannot hold ${blockSize} samples`);
  const rateCode = RATE_CODES.get(sampleRate) ?? (sampleRate <= 0xffff ? RATE_IN_HEADER : RATE_IN_STREAM_INFO);
  const tail = [...codedNumber(sampleNumber % MAX_NUMBER), blockSize - 1 >> 8, blockSize - 1];
  if (rateCode === RATE_IN_HEADER) tail.push(sampleRate >> 8, sampleRate);
  const headerLength = 4 + tail.length + 1;
  const frame = new Uint8Array(headerLength + channels * (1 + blockSize * 2) + 2);
  // Sync code with variable block size; block size in 16 bits; 16 bits a sample.
  frame.set([0xff, 0xf9, 0x70 | rateCode, channels - 1 << 4 | 4 << 1]);
  frame.set(tail, 4);
  frame[headerLength - 1] = checksum8(frame, headerLength - 1);
  let at = headerLength;
  for (let channel = 0; channel < channels; channel++) {
    frame[at++] = VERBATIM;
    for (let i = 0; i < blockSize; i++) {
      const sample = samples[i * channels + channel]!;
      frame[at++] = sample >> 8;
      frame[at++] = sample;
    }
  }
  const sum = checksum16(frame, at);
  frame[at] = sum >> 8;
  frame[at + 1] = sum;
  return frame;
}

/** A number of up to 31 bits, coded as UTF-8 codes characters (RFC 9639 §9.1.5). */
function codedNumber(number: number): number[] {
  if (number < 0x80) return [number];
  const tail: number[] = [];
  let left = number;
  // The first byte of a number with n more bytes has room for 6 - n bits.
  while (tail.length === 0 || left >= 1 << 6 - tail.length) {
    tail.unshift(0x80 | left & 63);
    left >>= 6;
  }
  const lead = 0xff00 >> tail.length + 1 & 0xff;
  return [lead | left, ...tail];
}

function tableOf(width: 8 | 16, polynomial: number): Uint16Array {
  const top = 1 << width - 1;
  const mask = (1 << width) - 1;
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let sum = byte << width - 8;
    for (let bit = 0; bit < 8; bit++) sum = (sum & top ? sum << 1 ^ polynomial : sum << 1) & mask;
    return sum;
  });
}

// Made when the first frame comes: at the start of the program they would be what the optimizer is loaded for (5 MB).
let table8: Uint16Array | undefined;
let table16: Uint16Array | undefined;

function checksum8(bytes: Uint8Array, length: number): number {
  const table = table8 ??= tableOf(8, 0x07);
  let sum = 0;
  for (let i = 0; i < length; i++) sum = table[sum ^ bytes[i]!]!;
  return sum;
}

function checksum16(bytes: Uint8Array, length: number): number {
  const table = table16 ??= tableOf(16, 0x8005);
  let sum = 0;
  for (let i = 0; i < length; i++) sum = (sum << 8 ^ table[sum >> 8 ^ bytes[i]!]!) & 0xffff;
  return sum;
}
