import { fromHex } from "./text.ts";

/** Quantizers of ITU-T T.81 tables K.1 and K.2, in zigzag order. */
const LUMA = Uint8Array.of(
  16,
  11,
  12,
  14,
  12,
  10,
  16,
  14,
  13,
  14,
  18,
  17,
  16,
  19,
  24,
  40,
  26,
  24,
  22,
  22,
  24,
  49,
  35,
  37,
  29,
  40,
  58,
  51,
  61,
  60,
  57,
  51,
  56,
  55,
  64,
  72,
  92,
  78,
  64,
  68,
  87,
  69,
  55,
  56,
  80,
  109,
  81,
  87,
  95,
  98,
  103,
  104,
  103,
  62,
  77,
  113,
  121,
  112,
  100,
  120,
  92,
  101,
  103,
  99,
);
const CHROMA = Uint8Array.of(
  17,
  18,
  18,
  24,
  21,
  24,
  47,
  26,
  26,
  47,
  99,
  66,
  56,
  66,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
  99,
);

/**
 * The quantizers of an RTP quality of 1 to 99 (RFC 2435 §4.2): 64 for luma, then 64 for chroma, in zigzag order. Other
 * qualities are taken as the nearest of these.
 */
export function jpegQuantTables(quality: number): Uint8Array {
  const q = Math.min(99, Math.max(1, Math.round(quality)));
  const scale = q < 50 ? Math.floor(5000 / q) : 200 - 2 * q;
  const tables = new Uint8Array(128);
  for (let i = 0; i < 128; i++) {
    const base = i < 64 ? LUMA[i]! : CHROMA[i - 64]!;
    tables[i] = Math.min(255, Math.max(1, Math.floor((base * scale + 50) / 100)));
  }
  return tables;
}

/** The usual Huffman tables (ITU-T T.81 tables K.3 to K.6) as the body of one DHT segment: DC of luma and chroma, then AC. */
export const STANDARD_HUFFMAN_TABLES: Uint8Array = fromHex(
  "0000010501010101010100000000000000" +
    "000102030405060708090a0b" +
    "0100030101010101010101010000000000" +
    "000102030405060708090a0b" +
    "100002010303020403050504040000017d" +
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728" +
    "292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83848586878889" +
    "8a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2" +
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa" +
    "1100020102040403040705040400010277" +
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a26" +
    "2728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a828384858687" +
    "88898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9da" +
    "e2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
)!;
