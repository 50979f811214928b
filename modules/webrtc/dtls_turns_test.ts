import assert from "node:assert/strict";
import { TurnQueue } from "./dtls_turns.ts";

Deno.test("TurnQueue does one piece of work per turn of the event loop, in order", async () => {
  const queue = new TurnQueue();
  let turn = 0;
  let isOver = false;
  const count = () => {
    turn++;
    if (!isOver) setTimeout(count, 0);
  };
  count();
  const turns: number[] = [];
  queue.add(() => Promise.resolve(void turns.push(turn)));
  await Promise.all([queue.turn(), queue.turn(), queue.turn()].map(async (one) => {
    await one;
    turns.push(turn);
  }));
  isOver = true;
  assert.equal(turns.length, 4);
  turns.slice(1).forEach((at, i) => assert.ok(at > turns[i]!, String(turns)));
});
