import assert from "node:assert/strict";
import fc from "fast-check";
import { IndexWindow, REPLAY_WINDOW } from "./index_window.ts";

Deno.test("IndexWindow finds the index of packets that are late, early or over the wrap", () => {
  const window = new IndexWindow();
  assert.equal(window.indexOf(65_535), 65_535);
  window.accept(10);
  assert.equal(window.indexOf(65_535), 65_535);
  window.accept(65_530);
  assert.deepEqual([window.indexOf(65_535), window.indexOf(3), window.indexOf(32_762)], [65_535, 65_539, 32_762]);
  window.accept(65_539);
  assert.deepEqual([window.indexOf(65_535), window.indexOf(4)], [65_535, 65_540]);
  window.accept(2 ** 48 - 1);
  assert.equal(window.indexOf(0), -1);
});

Deno.test("IndexWindow accepts each index once, and none that is too old", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1500, max: 1500 }), { minLength: 1, maxLength: 200 }), (steps) => {
      const window = new IndexWindow();
      const accepted = new Set<number>();
      let highest = -1;
      for (const step of steps) {
        const index = Math.max(0, highest + step);
        const isExpected = index > highest - REPLAY_WINDOW && !accepted.has(index);
        assert.equal(window.isFresh(index), isExpected, `index ${index}, highest ${highest}`);
        if (!isExpected) continue;
        window.accept(index);
        accepted.add(index);
        highest = Math.max(highest, index);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("IndexWindow follows a sender over many wraps with losses below half a turn", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 32_000 }), { maxLength: 100 }), (gaps) => {
      const window = new IndexWindow();
      let index = 1000;
      window.accept(index);
      for (const gap of gaps) {
        index += gap;
        assert.equal(window.indexOf(index % 65_536), index);
        window.accept(index);
      }
    }),
  );
});
