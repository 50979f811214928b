import { flacFrame, flacStreamInfo } from "../../codecs/flac.ts";
import { decodePcma, decodePcmu } from "../../codecs/g711.ts";
import { decodeL16, decodePcml } from "../../codecs/pcm.ts";
import type { Codec } from "../../media/codec.ts";

const STREAMINFO_BYTES = 34;
/** A FLAC frame holds no more of a channel. */
const MAX_SAMPLES = 0xffff;
/** Frames count samples in 36 bits. */
const SAMPLE_NUMBERS = 2 ** 36;

/** STREAMINFO of a FLAC track: that of the source, or one made for samples that become FLAC. */
export function streamInfoOf({ name, parameterSets: [header], clockRate, channels }: Codec): Uint8Array {
  // The source's header may have its marker "fLaC" and a block header in front.
  if (name === "FLAC" && header && header.length >= STREAMINFO_BYTES) {
    const start = header[0] === 0x66 && header.length >= 8 + STREAMINFO_BYTES ? 8 : header.length >= 38 ? 4 : 0;
    return header.subarray(start, start + STREAMINFO_BYTES);
  }
  return flacStreamInfo({ sampleRate: clockRate || 8000, channels: channels || 1 });
}

/** The samples of a frame of G.711 or linear PCM, as 16 bit. */
export function decodeSamples(name: string, units: readonly Uint8Array[]): Int16Array {
  const bytes = units.length === 1 ? units[0]! : join(units);
  switch (name) {
    case "PCMA":
      return decodePcma(bytes);
    case "PCMU":
      return decodePcmu(bytes);
    case "L16":
      return decodeL16(bytes);
    default:
      return decodePcml(bytes);
  }
}

/** A verbatim FLAC frame of samples; `undefined` when there are none. `timestamp` counts samples of the track. */
export function flacSample(
  { clockRate, channels }: Codec,
  samples: Int16Array,
  timestamp: number,
): Uint8Array | undefined {
  const width = channels || 1;
  if (samples.length < width) return undefined;
  return flacFrame(samples.length > MAX_SAMPLES * width ? samples.subarray(0, MAX_SAMPLES * width) : samples, {
    sampleRate: clockRate || 8000,
    channels: width,
    sampleNumber: Math.max(0, timestamp) % SAMPLE_NUMBERS,
  });
}

function join(units: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(units.reduce((sum, unit) => sum + unit.length, 0));
  let at = 0;
  for (const unit of units) {
    bytes.set(unit, at);
    at += unit.length;
  }
  return bytes;
}
