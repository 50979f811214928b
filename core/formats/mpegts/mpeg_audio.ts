/** What the header of an MPEG audio frame tells (ISO/IEC 11172-3 §2.4.1.3, 13818-3 §2.4.2.3). */
export interface MpegAudioHeader {
  readonly frameLength: number;
  readonly samples: number;
  readonly sampleRate: number;
  readonly channels: number;
}

export const MPEG_AUDIO_HEADER_BYTES = 4;

const RATES = [44100, 48000, 32000];
// By layer, in kbit/s; for version 1, then for versions 2 and 2.5.
const BITRATES: readonly (readonly (readonly number[])[])[] = [
  [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  [
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
];

/** Reads the header at an offset; `undefined` when there is none, or of a free bit rate. */
export function readMpegAudioHeader(bytes: Uint8Array, offset: number): MpegAudioHeader | undefined {
  if (bytes[offset] !== 0xff || offset + 4 > bytes.length) return undefined;
  const second = bytes[offset + 1]!;
  const third = bytes[offset + 2]!;
  const version = second >> 3 & 3;
  const layer = 4 - (second >> 1 & 3);
  if ((second & 0xe0) !== 0xe0 || version === 1 || layer === 4) return undefined;
  const isFirst = version === 3;
  const bitrate = BITRATES[isFirst ? 0 : 1]![layer - 1]![(third >> 4) - 1];
  const rate = RATES[third >> 2 & 3];
  if (bitrate === undefined || rate === undefined) return undefined;
  const sampleRate = isFirst ? rate : version === 2 ? rate / 2 : rate / 4;
  const padding = third >> 1 & 1;
  const samples = layer === 1 ? 384 : layer === 2 || isFirst ? 1152 : 576;
  return {
    frameLength: layer === 1
      ? (Math.floor(12000 * bitrate / sampleRate) + padding) * 4
      : Math.floor(samples / 8 * bitrate * 1000 / sampleRate) + padding,
    samples,
    sampleRate,
    channels: bytes[offset + 3]! >> 6 === 3 ? 1 : 2,
  };
}
