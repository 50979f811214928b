import assert from "node:assert/strict";
import { DecodeOrder } from "./decode_order.ts";

/** Feeds presentation times in decode order and checks the decode times. */
function decodeTimes(depth: number | undefined, pts: readonly number[]): number[] {
  const order = new DecodeOrder(depth, 100);
  return pts.map((time) => order.next(time));
}

Deno.test("DecodeOrder.next() is the presentation time without reordering", () => {
  assert.deepEqual(decodeTimes(0, [0, 100, 200, 300]), [0, 100, 200, 300]);
});

Deno.test("DecodeOrder.next() never passes the presentation time, with B-frames of a known depth", () => {
  const pts = [0, 400, 200, 100, 300, 800, 600, 500, 700, 1200, 1000, 900, 1100];
  const dts = decodeTimes(2, pts);
  dts.forEach((time, i) => {
    assert.ok(time <= pts[i]!, `frame ${i}: decode ${time} after presentation ${pts[i]}`);
    if (i > 0) assert.ok(time > dts[i - 1]!, `frame ${i} steps back`);
  });
  assert.equal(dts[12], 1000);
});

Deno.test("DecodeOrder.next() finds out the depth when the parameter sets do not say", () => {
  const pts = Array.from({ length: 30 }, (_, i) => i % 2 === 1 ? (i + 1) * 100 : i === 0 ? 0 : (i - 1) * 100);
  const dts = decodeTimes(undefined, pts);
  for (let i = 1; i < dts.length; i++) assert.ok(dts[i]! > dts[i - 1]!);
  for (let i = 6; i < dts.length; i++) assert.ok(dts[i]! <= pts[i]!, `frame ${i}: ${dts[i]} > ${pts[i]}`);
});

Deno.test("DecodeOrder.restart() keeps the times of the pictures before it out of the decode times", () => {
  const order = new DecodeOrder(2, 100);
  for (const pts of [0, 300, 100, 200, 600, 400, 500]) order.next(pts);
  order.restart();
  const pts = [10_000, 10_300, 10_100, 10_200, 10_600];
  assert.deepEqual(pts.map((time) => order.next(time)), [9800, 9900, 10_000, 10_100, 10_200]);
});
