import assert from "node:assert/strict";
import fc from "fast-check";
import type { RtpChunk } from "../../core/mod.ts";
import { SentFrames } from "./sent_frames.ts";

function chunkOf(count: number): RtpChunk {
  const offsets = Array.from({ length: count }, (_, i) => i * 20);
  return { bytes: new Uint8Array(count * 20), count, number: 0, offsets };
}

Deno.test("SentFrames gives each packet an index of its own and finds its frame", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 0x7fff }),
    fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 60 }),
    (first, counts) => {
      const sent = new SentFrames(first);
      let next = first;
      for (const count of counts) {
        const frame = sent.add(chunkOf(count), count, 1000);
        assert.equal(frame.index, next);
        next += count;
      }
      assert.equal(sent.next, next);
      let index = first;
      for (const count of counts) {
        for (let i = 0; i < count; i++) {
          const found = sent.find(sent.indexOf((index + i) & 0xffff))!;
          assert.deepEqual([found.index, found.timestampDelta], [index, count]);
        }
        index += count;
      }
      assert.equal(sent.find(first - 1), undefined);
      assert.equal(sent.find(next), undefined);
    },
  ));
});

Deno.test("SentFrames forgets what is too old or too far back to be asked for", () => {
  const sent = new SentFrames(10);
  for (let i = 0; i < 1000; i++) sent.add(chunkOf(2), 0, i * 40);
  assert.ok(sent.size <= 3000 / 40 + 1);
  assert.equal(sent.find(10), undefined);
  assert.ok(sent.find(sent.next - 100));
  for (let i = 0; i < 1000; i++) sent.add(chunkOf(50), 0, 1000 * 40);
  assert.ok(sent.size * 50 <= 8192 + 50);
  assert.ok(sent.find(sent.next - 8000));
  assert.ok(sent.find(sent.indexOf((sent.next - 1) & 0xffff)), "the numbers have wrapped meanwhile");
});

Deno.test("SentFrames keeps the newest frame, however large or old, and goes on counting when it is emptied", () => {
  const sent = new SentFrames(0);
  sent.add(chunkOf(10_000), 0, 0);
  assert.ok(sent.find(0));
  sent.clear();
  assert.equal(sent.find(0), undefined);
  assert.equal(sent.add(chunkOf(1), 0, 0).index, 10_000);
});
