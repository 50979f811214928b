import assert from "node:assert/strict";
import fc from "fast-check";
import { BitReader } from "./bits.ts";
import { binary, ue } from "./testing.ts";

Deno.test("BitReader.u() reads across bytes, up to 32 bits", () => {
  const bits = new BitReader(Uint8Array.of(0b10110011, 0xff, 0xff, 0xff, 0xfe, 0x01));
  assert.equal(bits.u(3), 0b101);
  assert.equal(bits.u(0), 0);
  assert.equal(bits.u(32), 0b10011_11111111_11111111_11111111_111);
  assert.equal(bits.position, 35);
  assert.equal(bits.left, 13);
  assert.throws(() => bits.u(14), RangeError);
  assert.throws(() => bits.u(33), RangeError);
  assert.equal(bits.u(13), 0b1111000000001);
});

Deno.test("BitReader.ue() and se() read Exp-Golomb numbers", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 2 ** 31 - 2 }), { maxLength: 20 }), (values) => {
    const bits = new BitReader(binary(values.map(ue).join("")));
    assert.deepEqual(values.map(() => bits.ue()), values);
  }));
  const bits = new BitReader(binary([0, 1, 2, 3, 4, 5].map(ue).join("")));
  assert.deepEqual([0, 0, 0, 0, 0, 0].map(() => bits.se()), [0, 1, -1, 2, -2, 3]);
  assert.equal(new BitReader(binary("0".repeat(32) + "1" + "0".repeat(32))).ue(), 2 ** 32 - 1);
  assert.throws(() => new BitReader(new Uint8Array(20)).ue(), RangeError);
});

Deno.test("BitReader.skip() stops at the end", () => {
  const bits = new BitReader(new Uint8Array(2), 1);
  assert.throws(() => bits.skip(9), RangeError);
  bits.skip(8);
  assert.equal(bits.left, 0);
  assert.throws(() => bits.flag(), RangeError);
});
