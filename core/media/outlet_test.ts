import assert from "node:assert/strict";
import type { ByteSink } from "../runtime/types.ts";
import { SinkOutlet, STALL_LIMIT_MS } from "./outlet.ts";
import { Reader } from "./reader.ts";
import { TestVideo } from "./testing.ts";

class SlowSink implements ByteSink {
  bufferedAmount = 1000;
  isOpen = true;
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;
  send(): void {}
  close(): void {}
}

Deno.test("SinkOutlet ends a viewer that takes nothing, not one that takes it slowly", () => {
  const sink = new SlowSink();
  let reason: string | undefined;
  const outlet = new SinkOutlet(sink, {
    reader: new Reader([new TestVideo().track], { start: "now", dropsCorrupt: true }),
    render: () => undefined,
    onEnd: (why) => reason = why,
  });
  outlet.pump();
  let nowMs = performance.now();
  for (let i = 0; i < 3; i++) {
    outlet.checkStall(nowMs += STALL_LIMIT_MS - 1000);
    sink.bufferedAmount -= 100;
  }
  outlet.checkStall(nowMs += STALL_LIMIT_MS - 1000);
  assert.equal(reason, undefined);
  outlet.checkStall(nowMs += STALL_LIMIT_MS + 1);
  assert.equal(reason, "accepted no byte for 15 s");
});
