import assert from "node:assert/strict";
import fc from "fast-check";
import { decodePcma, decodePcmu, encodePcma, encodePcmu } from "./g711.ts";

const CODES = Uint8Array.from({ length: 256 }, (_, code) => code);

// ITU-T G.711 tables 1 and 2, in 16 bits: code, sample.
const PCMA = [[0xd5, 8], [0x55, -8], [0xaa, 32256], [0x2a, -32256], [0xc5, 264], [0xf5, 528], [0x80, 5504]] as const;
const PCMU = [[0xff, 0], [0x7f, 0], [0x80, 32124], [0x00, -32124], [0xfe, 8], [0xef, 132], [0x9f, 8316]] as const;

Deno.test("decodePcma() and decodePcmu() have the values of ITU-T G.711", () => {
  for (const [code, sample] of PCMA) assert.equal(decodePcma(Uint8Array.of(code))[0], sample);
  for (const [code, sample] of PCMU) assert.equal(decodePcmu(Uint8Array.of(code))[0], sample);
});

Deno.test("encodePcma() undoes decodePcma()", () => assert.deepEqual(encodePcma(decodePcma(CODES)), CODES));

Deno.test("encodePcmu() undoes decodePcmu(), but for the second zero", () => {
  const expected = CODES.slice();
  expected[0x7f] = 0xff;
  assert.deepEqual(encodePcmu(decodePcmu(CODES)), expected);
});

Deno.test("encodePcma() and encodePcmu() change their code at the decision values", () => {
  const steps = (encode: (samples: Int16Array) => Uint8Array) => (samples: number[]) => [
    ...encode(Int16Array.from(samples)),
  ];
  assert.deepEqual(steps(encodePcma)([0, 15, 16, 31, 16383, 16384, 17407, 17408]), [
    ...[0xd5, 0xd5, 0xd4, 0xd4],
    ...[0xba, 0xa5, 0xa5, 0xa4],
  ]);
  assert.deepEqual(steps(encodePcma)([-1, -16, -17, 32767, -32768]), [0x55, 0x55, 0x54, 0xaa, 0x2a]);
  assert.deepEqual(steps(encodePcmu)([0, 3, 4, 11, 12, -1, -4, -5]), [
    ...[0xff, 0xff, 0xfe, 0xfe],
    ...[0xfd, 0x7f, 0x7f, 0x7e],
  ]);
  assert.deepEqual(steps(encodePcmu)([32767, -32768, 31612]), [0x80, 0x00, 0x80]);
});

Deno.test("encodePcma() and encodePcmu() stay within a step of the sample", () => {
  fc.assert(fc.property(fc.integer({ min: -32768, max: 32767 }), (sample) => {
    const input = Int16Array.of(sample);
    const limit = Math.max(16, Math.abs(sample) / 16);
    const clipped = Math.max(-32124, Math.min(32124, sample));
    assert.ok(Math.abs(decodePcma(encodePcma(input))[0]! - clipped) <= limit);
    assert.ok(Math.abs(decodePcmu(encodePcmu(input))[0]! - clipped) <= limit);
  }));
});
