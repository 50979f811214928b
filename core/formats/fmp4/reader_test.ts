import assert from "node:assert/strict";
import fc from "fast-check";
import { codec } from "../../media/codec.ts";
import { Units } from "../../media/frame.ts";
import { muxFmp4 } from "../testing.ts";
import { readFmp4 } from "./reader.ts";

const stream = { id: 0, codec: codec("VP8", { width: 64, height: 48 }) };
const frames = Array.from({ length: 5 }, (_, i) => ({
  stream,
  frame: { payload: new Units([new Uint8Array(20).fill(i)]), pts: i * 3600, isKeyframe: i === 0 },
}));

Deno.test("readFmp4() reads what came before the end of a file that is cut off", () => {
  const { file } = muxFmp4(frames);
  assert.equal(readFmp4(file).tracks[0]!.samples.length, 5);
  assert.equal(readFmp4(file.subarray(0, file.length - 1)).tracks[0]!.samples.length, 4);
  assert.deepEqual(readFmp4(file.subarray(0, 30)).tracks, []);
});

Deno.test("readFmp4() never throws on cut and mutated files", () => {
  const { file } = muxFmp4(frames);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 30 }),
      fc.nat(file.length),
      (changes, cut) => {
        const bytes = file.slice(0, cut);
        for (const [at, value] of changes) if (at < cut) bytes[at] = value;
        readFmp4(bytes);
      },
    ),
    { numRuns: 300 },
  );
});
