import assert from "node:assert/strict";
import { Deadline, timeLimit } from "./deadline.ts";

Deno.test("Deadline calls back once, and not while it is extended or paused", () => {
  let passed = 0;
  const deadline = new Deadline(1000, () => passed++);
  const nowMs = performance.now();
  deadline.extend(nowMs);
  deadline.check(nowMs + 999);
  assert.equal(passed, 0);
  deadline.extend(nowMs + 999);
  deadline.check(nowMs + 1998);
  assert.equal(passed, 0);
  deadline.pause();
  deadline.check(nowMs + 1e9);
  assert.equal(passed, 0);
  deadline.extend(nowMs, 10);
  deadline.check(nowMs + 10);
  deadline.check(nowMs + 1e9);
  assert.equal(passed, 1);
});

Deno.test("Deadline is kept by a timer of its own, which ends with the last one", async () => {
  await new Promise<void>((resolve) => new Deadline(1, resolve));
  const forgotten = new Deadline(1, () => assert.fail("it was disposed"));
  forgotten[Symbol.dispose]();
  await new Promise<void>((resolve) => new Deadline(1, resolve));
});

Deno.test("timeLimit() aborts with its error, or with the reason of its parent", async () => {
  using limit = timeLimit(1, () => new Error("too slow"));
  await new Promise((resolve) => limit.signal.addEventListener("abort", resolve));
  assert.equal(limit.signal.reason.message, "too slow");
  const parent = new AbortController();
  using guarded = timeLimit(60_000, () => new Error("too slow"), parent.signal);
  parent.abort(new Error("gone"));
  assert.equal(guarded.signal.reason.message, "gone");
  using late = timeLimit(60_000, () => new Error("too slow"), parent.signal);
  assert.equal(late.signal.aborted, true);
});
