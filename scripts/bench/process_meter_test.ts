import assert from "node:assert/strict";
import { cpuRate, parseTime, usageOf } from "./process_meter.ts";

Deno.test("parseTime reads what ps prints", () => {
  assert.equal(parseTime("0:01.50"), 1.5);
  assert.equal(parseTime("01:02:03"), 3723);
  assert.equal(parseTime("1-00:00:01"), 86_401);
});

Deno.test("usageOf sees this process work", async () => {
  const before = await usageOf(Deno.pid);
  const end = performance.now() + 200;
  while (performance.now() < end);
  const after = await usageOf(Deno.pid);
  assert.ok(cpuRate(before, after) > 300);
  assert.ok(after.rssMb > 10 && after.rssMb < 4000);
});
