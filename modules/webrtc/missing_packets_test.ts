import assert from "node:assert/strict";
import { MissingPackets } from "./missing_packets.ts";

Deno.test("MissingPackets asks for a gap at once, also across the wrap, and again after a round trip", () => {
  const missing = new MissingPackets(1000);
  assert.equal(missing.onSequence(65_533, 0), false);
  assert.equal(missing.onSequence(1, 10), true);
  assert.deepEqual(missing.take(10), [65_534, 65_535, 0]);
  assert.deepEqual(missing.take(50), []);
  assert.deepEqual(missing.take(110), [65_534, 65_535, 0]);
});

Deno.test("MissingPackets forgets what has come, and learns how long that takes", () => {
  const missing = new MissingPackets(1000);
  missing.onSequence(1, 0);
  missing.onSequence(4, 0);
  missing.take(0);
  missing.onSequence(2, 40);
  assert.equal(missing.roundTripMs, 85);
  assert.deepEqual(missing.take(85), [3]);
  missing.onSequence(3, 90);
  assert.equal(missing.roundTripMs, 85, "it is unknown which request was answered");
  assert.equal(missing.count, 0);
  assert.equal(missing.recovered, 2);
});

Deno.test("MissingPackets does not count what was only late as recovered", () => {
  const missing = new MissingPackets(1000);
  missing.onSequence(1, 0);
  missing.onSequence(3, 0);
  missing.onSequence(2, 1);
  assert.equal(missing.recovered, 0);
  assert.deepEqual(missing.take(1), []);
});

Deno.test("MissingPackets gives up what is overdue and what was asked for too often", () => {
  const overdue = new MissingPackets(100);
  overdue.onSequence(1, 0);
  overdue.onSequence(3, 0);
  assert.deepEqual(overdue.take(101), []);
  assert.equal(overdue.count, 0);
  const refused = new MissingPackets(1e6);
  refused.onSequence(1, 0);
  refused.onSequence(3, 0);
  for (let i = 0; i < 20; i++) refused.take(i * 1000);
  assert.equal(refused.asked, 10);
});

Deno.test("MissingPackets does not try to fill a large gap", () => {
  const missing = new MissingPackets(1000);
  missing.onSequence(1, 0);
  assert.equal(missing.onSequence(1000, 0), false);
  assert.deepEqual(missing.take(0), []);
  assert.equal(missing.onSequence(1002, 0), true);
});
