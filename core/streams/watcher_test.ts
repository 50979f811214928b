import assert from "node:assert/strict";
import { FakeClock } from "./testing.ts";
import { Watcher } from "./watcher.ts";

Deno.test("Watcher looks once a second at what is added, with one timer", async () => {
  const clock = new FakeClock();
  const watcher = new Watcher(clock);
  const looks: string[] = [];
  const a = { check: (nowMs: number) => looks.push(`a ${nowMs}`) };
  const b = { check: (nowMs: number) => looks.push(`b ${nowMs}`) };
  watcher.add(a);
  watcher.add(b);
  assert.equal(clock.pending, 1);
  await clock.advance(1000);
  watcher.remove(a);
  await clock.advance(1000);
  assert.deepEqual(looks, ["a 2000", "b 2000", "b 3000"]);
  watcher.remove(b);
  assert.equal(clock.pending, 0);
});
