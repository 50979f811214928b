import assert from "node:assert/strict";
import { leaveTurn, Pacer, waitForTurn } from "./pacer.ts";

Deno.test("Pacer lets a burst out at once and the rest as time goes by", () => {
  const pacer = new Pacer();
  const burst = pacer.room(1000);
  assert.ok(burst >= 40_000);
  pacer.spend(burst + 10_000);
  assert.ok(pacer.room(1000) <= 0);
  // 100 Mbit/s.
  assert.equal(pacer.room(1002), 25_000 - 10_000);
  assert.equal(pacer.room(9000), burst, "what was not used is not saved up");
  assert.equal(pacer.room(8000), burst, "a clock that steps back takes nothing");
});

Deno.test("waitForTurn calls each that waits once, and those that leave not at all", async () => {
  const turns: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const gone = { onTurn: () => void turns.push("gone") };
  const first = { onTurn: () => void turns.push("first") };
  const last = {
    onTurn: () => {
      turns.push("last");
      resolve();
    },
  };
  for (const one of [gone, first, first, last]) waitForTurn(one);
  leaveTurn(gone);
  await promise;
  assert.deepEqual(turns, ["first", "last"]);
});

Deno.test("waitForTurn lets others in between when those that wait take long", async () => {
  const turns: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const busy = (name: string) => ({
    onTurn: () => {
      for (const startMs = performance.now(); performance.now() - startMs < 6;);
      turns.push(name);
      setTimeout(() => turns.push(`behind ${name}`), 0);
      if (name === "c") setTimeout(resolve, 0);
    },
  });
  for (const name of ["a", "b", "c"]) waitForTurn(busy(name));
  await promise;
  assert.deepEqual(turns, ["a", "behind a", "b", "behind b", "c", "behind c"]);
});
