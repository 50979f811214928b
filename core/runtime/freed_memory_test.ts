import assert from "node:assert/strict";
import { nativeObstacle } from "./accel_native.ts";
import { FreedMemory } from "./freed_memory.ts";

Deno.test("FreedMemory gives back once after the start, and when many have gone and no more are going", () => {
  const memory = new FreedMemory();
  const due = (...counts: number[]) => counts.map((count) => memory.isDue(count));
  assert.deepEqual(due(20, 20, 20), [true, false, false]);
  assert.deepEqual(due(20, 220, 219, 100, 30, 30), [false, false, false, false, false, true]);
  assert.deepEqual(due(30, 31, 30, 0, 0), [false, false, false, false, false]);
  assert.deepEqual(due(64, 32, 33, 33), [false, false, false, false]);
  assert.deepEqual(due(90, 33, 33), [false, false, true]);
});

Deno.test({
  name: "FreedMemory calls the C library",
  ignore: nativeObstacle() !== undefined,
  fn: () => FreedMemory.giveBack(),
});
