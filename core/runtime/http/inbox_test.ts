import assert from "node:assert/strict";
import { Inbox } from "./inbox.ts";
import { Wire } from "./testing.ts";

/** A client that always has something to say. */
class Flood extends Wire {
  override read(buffer: Uint8Array): Promise<number> {
    return Promise.resolve(buffer.length);
  }
}

Deno.test("Inbox lets others have a turn, also when there are always bytes", async () => {
  const inbox = new Inbox(new Flood());
  let hadTurn = false;
  setTimeout(() => hadTurn = true, 0);
  let total = 0;
  while (!hadTurn && total < 100 << 20) {
    await inbox.fill();
    total += inbox.bytes.length;
    inbox.skip(inbox.bytes.length);
  }
  assert.ok(total <= 1 << 20, `${total} bytes`);
});
