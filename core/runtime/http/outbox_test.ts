import assert from "node:assert/strict";
import { Outbox } from "./outbox.ts";
import { Wire } from "./testing.ts";

Deno.test("Outbox gives away no larger array than what the system keeps", () => {
  const outbox = new Outbox(new Wire());
  outbox.commit(outbox.reserve(3000));
  const next = outbox.reserve(100);
  assert.equal(next.buffer.byteLength, 100);
  // One that was not given away is used again.
  assert.ok(outbox.reserve(50).buffer === next.buffer);
});
