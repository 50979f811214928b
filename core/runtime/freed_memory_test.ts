import assert from "node:assert/strict";
import { nativeObstacle } from "./accel_native.ts";
import { Departures, trimFreed } from "./freed_memory.ts";

Deno.test("Departures are over when many have gone and no more are going", () => {
  const departures = new Departures();
  const over = (...counts: number[]) => counts.map((count) => departures.areOver(count));
  assert.deepEqual(over(20, 20, 20), [false, false, false]);
  assert.deepEqual(over(20, 220, 219, 100, 30, 30), [false, false, false, false, false, true]);
  assert.deepEqual(over(30, 31, 30, 0, 0), [false, false, false, false, false]);
  assert.deepEqual(over(64, 32, 33, 33), [false, false, false, false]);
  assert.deepEqual(over(90, 33, 33), [false, false, true]);
});

Deno.test({
  name: "trimFreed calls the C library",
  ignore: nativeObstacle() !== undefined,
  fn: trimFreed,
});
