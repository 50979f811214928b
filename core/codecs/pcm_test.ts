import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeL16, decodePcml, encodeL16, encodePcml, swap16 } from "./pcm.ts";
import { hex } from "./testing.ts";

Deno.test("swap16() exchanges the bytes of samples and leaves its input alone", () => {
  const bytes = hex("0102 fffe 99");
  assert.deepEqual(swap16(bytes), hex("0201 feff"));
  assert.deepEqual(bytes, hex("0102 fffe 99"));
});

Deno.test("decodeL16() and decodePcml() take samples at any offset", () => {
  const bytes = hex("00 0102 fffe 99").subarray(1);
  assert.deepEqual(decodeL16(bytes), Int16Array.of(0x0102, -2));
  assert.deepEqual(decodePcml(bytes), Int16Array.of(0x0201, -257));
});

Deno.test("encodeL16() and encodePcml() undo decoding", () => {
  fc.assert(fc.property(fc.int16Array(), (samples) => {
    assert.deepEqual(decodeL16(encodeL16(samples)), samples);
    assert.deepEqual(decodePcml(encodePcml(samples)), samples);
    assert.deepEqual(swap16(encodePcml(samples)), encodeL16(samples));
  }));
});
