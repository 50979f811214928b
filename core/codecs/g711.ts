/** Tables of ITU-T G.711, made on first use; samples are 16 bit, of which A-law keeps 13 and µ-law 14. */
let alawSamples: Int16Array | undefined;
let mulawSamples: Int16Array | undefined;
let alawCodes: Uint8Array | undefined;
let mulawCodes: Uint8Array | undefined;

/** The samples of A-law bytes. */
export function decodePcma(bytes: Uint8Array): Int16Array {
  return decode(bytes, alawSamples ??= Int16Array.from({ length: 256 }, (_, code) => alawSample(code)));
}

/** The samples of µ-law bytes. */
export function decodePcmu(bytes: Uint8Array): Int16Array {
  return decode(bytes, mulawSamples ??= Int16Array.from({ length: 256 }, (_, code) => mulawSample(code)));
}

/** Samples as A-law. */
export function encodePcma(samples: Int16Array): Uint8Array {
  return encode(samples, alawCodes ??= codesOf(alawCode));
}

/** Samples as µ-law. */
export function encodePcmu(samples: Int16Array): Uint8Array {
  return encode(samples, mulawCodes ??= codesOf(mulawCode));
}

function decode(bytes: Uint8Array, table: Int16Array): Int16Array {
  const samples = new Int16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) samples[i] = table[bytes[i]!]!;
  return samples;
}

function encode(samples: Int16Array, table: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++) bytes[i] = table[samples[i]! & 0xffff]!;
  return bytes;
}

function codesOf(codeOf: (sample: number) => number): Uint8Array {
  return Uint8Array.from({ length: 0x10000 }, (_, i) => codeOf(i << 16 >> 16));
}

// Even bits of A-law codes are inverted on the line.
function alawSample(code: number): number {
  const bits = code ^ 0x55;
  const segment = bits >> 4 & 7;
  const step = bits & 15;
  const size = segment === 0 ? step * 2 + 1 : step * 2 + 33 << segment - 1;
  return (bits & 0x80 ? size : -size) * 8;
}

function alawCode(sample: number): number {
  // One's complement: each code stands for as many negative samples as positive ones.
  let size = (sample < 0 ? ~sample : sample) >> 4;
  let segment = 0;
  if (size > 15) {
    for (segment = 1; size > 31; segment++) size >>= 1;
    size -= 16;
  }
  return (segment << 4 | size | (sample < 0 ? 0 : 0x80)) ^ 0x55;
}

const MULAW_BIAS = 33;

function mulawSample(code: number): number {
  const bits = ~code;
  const segment = bits >> 4 & 7;
  const size = ((bits & 15) * 2 + MULAW_BIAS << segment) - MULAW_BIAS;
  return (bits & 0x80 ? -size : size) * 4;
}

function mulawCode(sample: number): number {
  const size = Math.min(0x1fff, ((sample < 0 ? ~sample : sample) >> 2) + MULAW_BIAS);
  const segment = 26 - Math.clz32(size);
  const step = size >> segment + 1 & 15;
  return ~(segment << 4 | step | (sample < 0 ? 0x80 : 0)) & 255;
}
