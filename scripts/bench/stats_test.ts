import assert from "node:assert/strict";
import { percentile, Samples, slope } from "./stats.ts";

Deno.test("percentile takes the nearest rank of what is not sorted", () => {
  const values = [5, 1, 4, 2, 3];
  assert.equal(percentile(values, 0.5), 3);
  assert.equal(percentile(values, 0.99), 5);
  assert.equal(percentile(values, 0), 1);
  assert.deepEqual(values, [5, 1, 4, 2, 3]);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

Deno.test("slope is that of a line, whatever a few wild points say", () => {
  const line = Array.from({ length: 40 }, (_, i) => ({ at: i / 10, value: 100 + 3 * i / 10 }));
  assert.ok(Math.abs(slope(line) - 3) < 1e-9);
  const wild = line.map((point, i) => i % 10 === 9 ? { ...point, value: point.value + 500 } : point);
  assert.ok(Math.abs(slope(wild) - 3) < 0.5);
  const flat = line.map(({ at }, i) => ({ at, value: 100 + (i % 3) }));
  assert.ok(Math.abs(slope(flat)) < 0.2);
  assert.ok(Number.isNaN(slope(line.slice(0, 1))));
  const day = Array.from({ length: 86_400 }, (_, i) => ({ at: i / 60, value: i / 30 }));
  assert.ok(Math.abs(slope(day) - 2) < 1e-9);
});

Deno.test("Samples grows and can be cleared", () => {
  const samples = new Samples();
  for (let i = 0; i < 10_000; i++) samples.add(i);
  assert.equal(samples.values.length, 10_000);
  assert.equal(samples.values[9999], 9999);
  samples.clear();
  assert.equal(samples.values.length, 0);
});
