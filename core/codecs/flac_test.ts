import assert from "node:assert/strict";
import { dfLa, flacFrame, flacStreamInfo } from "./flac.ts";
import { toHex } from "./text.ts";

const SAMPLES = Int16Array.of(0, 1, -1, 32767, -32768, 258);

// FFmpeg and libFLAC decode these frames to the same samples, checksums verified.
const FRAMES = [
  ["mono", { sampleRate: 8000, sampleNumber: 0 }, "fff97408000005a70200000001ffff7fff800001023170"],
  [
    "stereo, with a long number",
    { sampleRate: 48000, channels: 2, sampleNumber: 123456789 },
    "fff97a18fc8796bcb4950002ef020000ffff80000200017fff01023428",
  ],
  [
    "a rate without a code",
    { sampleRate: 11025, sampleNumber: 0 },
    "fff97d080000052b11080200000001ffff7fff8000010255c9",
  ],
] as const;

for (const [name, options, expected] of FRAMES) {
  Deno.test(`flacFrame() writes ${name}`, () => assert.equal(toHex(flacFrame(SAMPLES, options)), expected));
}

Deno.test("flacFrame() codes sample numbers as UTF-8, modulo 2^31", () => {
  const codes: readonly (readonly [number, string])[] = [
    [0x7f, "7f"],
    [0x80, "c280"],
    [0x7ff, "dfbf"],
    [0x800, "e0a080"],
    [0xffff, "efbfbf"],
    [0x10000, "f0908080"],
    [2 ** 21, "f888808080"],
    [2 ** 26, "fc8480808080"],
    [2 ** 31 - 1, "fdbfbfbfbfbf"],
    [2 ** 31, "00"],
    [2 ** 40 + 5, "05"],
  ];
  for (const [sampleNumber, code] of codes) {
    const frame = flacFrame(SAMPLES, { sampleRate: 8000, sampleNumber });
    assert.equal(toHex(frame.subarray(4, 4 + code.length / 2)), code);
    assert.equal(frame.length, 4 + code.length / 2 + 3 + 1 + 12 + 2);
  }
});

Deno.test("flacFrame() refuses no samples and too many", () => {
  const options = { sampleRate: 8000, sampleNumber: 0 };
  assert.throws(() => flacFrame(new Int16Array(0), options), RangeError);
  assert.throws(() => flacFrame(new Int16Array(65536), options), RangeError);
  assert.throws(() => flacFrame(SAMPLES, { ...options, channels: 3 }), RangeError);
  assert.equal(flacFrame(new Int16Array(65535), options).length, 4 + 1 + 2 + 1 + 1 + 131070 + 2);
});

Deno.test("flacStreamInfo() and dfLa() describe the stream", () => {
  const info = flacStreamInfo({ sampleRate: 44100, channels: 2 });
  assert.equal(toHex(info), "0010ffff0000000000000ac442f0000000000000000000000000000000000000000000".slice(0, 68));
  assert.equal(toHex(dfLa(info).subarray(0, 12)), "00000000800000220010ffff");
  assert.throws(() => flacStreamInfo({ sampleRate: 0 }), RangeError);
  assert.throws(() => flacStreamInfo({ sampleRate: 8000, channels: 9 }), RangeError);
});
