import assert from "node:assert/strict";
import type { ByteSink, StreamConn } from "../runtime/types.ts";
import { SinkOutlet, STALL_LIMIT_MS, StreamOutlet } from "./outlet.ts";
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

/** Viewers of one picture after another; what they do is noted in order. */
function streamOutlets(names: readonly string[], writeNow: (name: string, bytes: Uint8Array) => number) {
  const video = new TestVideo();
  const events: string[] = [];
  const outlets = names.map((name) => {
    const conn = {
      writeNow(bytes: Uint8Array) {
        events.push(`${name} writes ${bytes.length}`);
        return writeNow(name, bytes);
      },
      write: () => new Promise<number>(() => {}),
    } as unknown as StreamConn;
    return new StreamOutlet(conn, {
      reader: new Reader([video.track], { start: "live", dropsCorrupt: false }),
      render: ({ index }) => {
        events.push(`${name} reads ${index}`);
        return new Uint8Array(10);
      },
      onEnd: (why) => events.push(`${name} ends: ${why}`),
    });
  });
  return { video, outlets, events };
}

Deno.test("StreamOutlets of a frame all read before the first one writes", async () => {
  const { video, events } = streamOutlets(["a", "b"], (_, bytes) => bytes.length);
  video.feed(1, { isKeyframe: true });
  assert.deepEqual(events.splice(0), ["a reads 0", "b reads 0"]);
  video.feed(1);
  assert.deepEqual(events, []);
  await Promise.resolve();
  assert.deepEqual(events, ["a writes 10", "a reads 1", "b writes 10", "b reads 1"]);
  await Promise.resolve();
  assert.deepEqual(events.slice(4), ["a writes 10", "b writes 10"]);
});

Deno.test("StreamOutlet writes what it has collected before it ends, and nothing after", async () => {
  const { outlets: [outlet], events, video } = streamOutlets(["a"], (_, bytes) => bytes.length);
  video.feed(1, { isKeyframe: true });
  outlet!.end("farewell");
  await Promise.resolve();
  assert.deepEqual(events, ["a reads 0", "a writes 10", "a ends: farewell"]);
});

Deno.test("StreamOutlet sends answers within the call, behind the frame that it has collected", async () => {
  const { outlets: [outlet], events, video } = streamOutlets(["a"], (_, bytes) => bytes.length);
  video.feed(1, { isKeyframe: true });
  outlet!.send(new Uint8Array(3));
  assert.deepEqual(events, ["a reads 0", "a writes 10", "a writes 3"]);
  await Promise.resolve();
  assert.equal(events.length, 3);
});

Deno.test("StreamOutlet tells that a frame is not written to its end", async () => {
  const { outlets: [outlet], video } = streamOutlets(["a"], (_, bytes) => bytes.length - 1);
  assert.equal(outlet!.isWriting, false);
  video.feed(1, { isKeyframe: true });
  await Promise.resolve();
  assert.equal(outlet!.isWriting, true);
});

Deno.test("StreamOutlet that fails ends alone", async () => {
  const { video, events } = streamOutlets(["a", "b"], (name, bytes) => {
    if (name === "a") throw new Error("broken");
    return bytes.length;
  });
  video.feed(1, { isKeyframe: true });
  await Promise.resolve();
  assert.deepEqual(events.slice(2), ["a writes 10", "a ends: broken", "b writes 10"]);
});
