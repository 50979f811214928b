import assert from "node:assert/strict";
import { ReceiveEstimate } from "./receive_estimate.ts";

Deno.test("ReceiveEstimate begins high, falls to what arrives when the way stays full, and rises again", () => {
  const estimate = new ReceiveEstimate();
  assert.equal(estimate.next(0, 0, 0), 8_000_000);
  // 1 Mbit/s arrive of more that was sent.
  assert.equal(estimate.next(125_000, 0.3, 1000), 8_000_000, "once may be chance");
  assert.equal(estimate.next(250_000, 0.3, 2000), 1_200_000);
  assert.equal(estimate.next(375_000, 0.05, 3000), 1_500_000, "some loss is left to the sender");
  let bits = 0;
  for (let i = 4; i < 14; i++) bits = estimate.next(375_000, 0, i * 1000);
  assert.equal(bits, 8_000_000);
});

Deno.test("ReceiveEstimate never asks for less than a small picture needs", () => {
  const estimate = new ReceiveEstimate();
  estimate.next(0, 0.9, 0);
  assert.equal(estimate.next(10, 0.9, 1000), 300_000);
});
