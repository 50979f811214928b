/** A copy with the two bytes of each 16-bit sample exchanged (L16 ↔ PCML); an odd last byte is left out. */
export function swap16(bytes: Uint8Array): Uint8Array {
  const swapped = new Uint8Array(bytes.length & ~1);
  for (let i = 0; i < swapped.length; i += 2) {
    swapped[i] = bytes[i + 1]!;
    swapped[i + 1] = bytes[i]!;
  }
  return swapped;
}

/** The samples of L16 (16 bit, big endian); an odd last byte is left out. */
export function decodeL16(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes[2 * i]! << 8 | bytes[2 * i + 1]!;
  return samples;
}

/** The samples of PCML (16 bit, little endian); an odd last byte is left out. */
export function decodePcml(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes[2 * i + 1]! << 8 | bytes[2 * i]!;
  return samples;
}

/** Samples as L16 (16 bit, big endian). */
export function encodeL16(samples: Int16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  for (let i = 0; i < samples.length; i++) {
    bytes[2 * i] = samples[i]! >> 8;
    bytes[2 * i + 1] = samples[i]!;
  }
  return bytes;
}

/** Samples as PCML (16 bit, little endian). */
export function encodePcml(samples: Int16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  for (let i = 0; i < samples.length; i++) {
    bytes[2 * i] = samples[i]!;
    bytes[2 * i + 1] = samples[i]! >> 8;
  }
  return bytes;
}
