import assert from "node:assert/strict";
import { opusHead, opusSamples } from "./opus.ts";
import { hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

// RFC 6716 table 2: milliseconds of a frame by configuration.
const MS = [
  ...[10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60],
  ...[10, 20, 10, 20],
  ...[2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20],
];

Deno.test("opusSamples() knows every configuration", () => {
  for (const [config, ms] of MS.entries()) {
    for (const stereo of [0, 4]) {
      const toc = config << 3 | stereo;
      assert.equal(opusSamples(Uint8Array.of(toc, 0)), ms * 48, `configuration ${config}`);
      assert.equal(opusSamples(Uint8Array.of(toc | 1, 0)), ms * 96);
      assert.equal(opusSamples(Uint8Array.of(toc | 2, 0)), ms * 96);
      assert.equal(opusSamples(Uint8Array.of(toc | 3, 0x80 | 2)), ms * 96);
    }
  }
});

Deno.test("opusSamples() is 0 for malformed packets", () => {
  assert.equal(opusSamples(hex("")), 0);
  assert.equal(opusSamples(Uint8Array.of(3 << 3 | 3, 3)), 0, "180 ms");
  assert.equal(opusSamples(Uint8Array.of(31 << 3 | 3)), 0, "no count");
});

Deno.test("opusHead() is the body of dOps", () => {
  assert.equal(toHex(opusHead(2)), "000200000000bb80000000");
});

Deno.test("opusSamples() survives any bytes", () => survives(opusSamples, [hex("fc010203")]));
