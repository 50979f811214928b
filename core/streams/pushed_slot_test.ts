import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import { budget } from "../media/budget.ts";
import {
  aac,
  Bench,
  FakeConsumer,
  FakeProducer,
  gives,
  h264,
  h265,
  opus,
  pcma,
  pcmu,
  principal,
  takes,
  turn,
} from "./testing.ts";
import type { Stream } from "./stream.ts";

const never = new AbortController().signal;

function make(bench: Bench, entry: unknown = null): Stream {
  bench.streams.configure({ streams: { cam: entry } });
  return bench.streams.get("cam", systemPrincipal)!;
}

/** A publisher that pushes now; `done` says how its publishing ended. */
function push(bench: Bench, stream: Stream, ...medias: FakeProducer["medias"]) {
  const producer = new FakeProducer(bench.clock, medias);
  const controller = new AbortController();
  const done = stream.publish(producer, systemPrincipal, controller.signal).then(
    () => "ended",
    (error: Error) => error.message,
  );
  return { producer, controller, done };
}

Deno.test("Stream.publish() feeds viewers until the producer ends, and resolves then", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const { producer, done } = push(bench, stream, gives(h264), gives(aac));
  await turn();
  producer.feed();
  const attachment = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  assert.equal(attachment.assignments[0]!.track.frames, 1);
  attachment.detach();
  // Viewers neither start nor stop it.
  await bench.clock.advance(4000);
  assert.ok(producer.isRunning);
  assert.equal(stream.slots.length, 1);
  producer.end();
  assert.equal(await done, "ended");
  assert.equal(producer.closes, 1);
  assert.equal(stream.slots.length, 0);
  await bench.streams.close();
});

Deno.test("Stream.publish() rejects with what went wrong, and resolves when it was told to stop", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const first = push(bench, stream, gives(h264));
  await turn();
  first.producer.end(new Error("connection reset"));
  assert.equal(await first.done, "connection reset");
  const second = push(bench, stream, gives(h264));
  await turn();
  second.controller.abort();
  assert.equal(await second.done, "ended");
  assert.equal(second.producer.closes, 1);
  const third = push(bench, stream, gives(h264));
  await turn();
  bench.streams.configure({ streams: {} });
  assert.equal(await third.done, "ended");
  await assert.rejects(stream.publish(third.producer, systemPrincipal, never), { code: "NOT_FOUND" });
});

Deno.test("Stream.publish() needs the right, and leaves the producer of one who lacks it alone", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const producer = new FakeProducer(bench.clock, [gives(h264)]);
  await assert.rejects(stream.publish(producer, principal(["watch", "talk"]), never), { code: "UNAUTHORIZED" });
  assert.equal(producer.closes, 0);
  assert.equal(stream.slots.length, 0);
  await assert.rejects(stream.publish(producer, systemPrincipal, AbortSignal.abort()), { code: "CLOSED" });
  await bench.streams.close();
});

Deno.test("Stream.publish() adds up with sources and with other publishers", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  const stream = make(bench, "fake:cam");
  const sound = push(bench, stream, gives(aac));
  const more = push(bench, stream, gives(opus));
  await turn();
  using attachment = await stream.attach(new FakeConsumer(takes(h264), takes(opus)), systemPrincipal);
  await turn();
  cameras[0]!.feed();
  more.producer.feed();
  assert.deepEqual(attachment.assignments.map(({ track }) => [track.codec.name, track.frames]), [
    ["H264", 1],
    ["OPUS", 1],
  ]);
  assert.equal(stream.slots.length, 3);
  await bench.streams.close();
  assert.deepEqual([await sound.done, await more.done], ["ended", "ended"]);
});

Deno.test("Stream.publish() refuses more publishers than one stream can have", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const pushed = Array.from({ length: 17 }, () => push(bench, stream, gives(h264)));
  assert.match(await pushed[16]!.done, /more than 16 publishers/);
  await bench.streams.close();
  await Promise.all(pushed.map(({ done }) => done));
});

Deno.test("PushedSlot keeps its viewers for a publisher who comes back within the linger time", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const before = push(bench, stream, gives(h264), gives(aac));
  await turn();
  const consumer = new FakeConsumer(takes(h264), takes(aac));
  using attachment = await stream.attach(consumer, systemPrincipal);
  const tracks = attachment.assignments.map(({ track }) => track);
  before.producer.feed();
  before.producer.end(new Error("reset"));
  assert.equal(await before.done, "reset");
  assert.equal(stream.slots[0]!.state, "offline");
  await bench.clock.advance(4900);
  const after = push(bench, stream, gives(h264), gives(aac));
  await bench.clock.advance(20_000);
  after.producer.feed();
  assert.deepEqual(attachment.assignments.map(({ track }) => track), tracks);
  assert.deepEqual(tracks.map(({ frames }) => frames), [2, 2]);
  assert.deepEqual(consumer.reasons, []);
  assert.equal(stream.slots.length, 1);
  await bench.streams.close();
  assert.equal(await after.done, "ended");
});

Deno.test("PushedSlot closes its viewers when no publisher has come back in time", async () => {
  const bench = new Bench();
  const used = budget.usedBytes;
  const stream = make(bench, { url: [], linger: 2 });
  const { producer, done } = push(bench, stream, gives(h264));
  await turn();
  producer.feed();
  const consumer = new FakeConsumer(takes(h264));
  using attachment = await stream.attach(consumer, systemPrincipal);
  producer.end();
  await done;
  await bench.clock.advance(1900);
  assert.deepEqual(consumer.reasons, []);
  await bench.clock.advance(200);
  assert.deepEqual(consumer.reasons, ["the publisher left"]);
  assert.ok(attachment.isDetached);
  assert.equal(stream.slots.length, 0);
  assert.equal(budget.usedBytes, used);
  assert.equal(bench.clock.pending, 0);
  await bench.streams.close();
});

Deno.test("PushedSlot is gone with its last viewer when nobody publishes to it", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const { producer, done } = push(bench, stream, gives(h264));
  await turn();
  const attachment = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  producer.end();
  await done;
  assert.equal(stream.slots.length, 1);
  await assert.rejects(stream.attach(new FakeConsumer(takes(h264)), systemPrincipal), {
    message: "streams: unknown error",
  });
  attachment.detach();
  assert.equal(stream.slots.length, 0);
  await bench.streams.close();
});

Deno.test("PushedSlot closes viewers at once when the publisher comes back with other codecs", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const before = push(bench, stream, gives(h264), gives(aac));
  await turn();
  const [watcher, listener] = [new FakeConsumer(takes(h264)), new FakeConsumer(takes(aac))];
  using _ = await stream.attach(watcher, systemPrincipal);
  using __ = await stream.attach(listener, systemPrincipal);
  before.producer.end();
  await before.done;
  const after = push(bench, stream, gives(h265), gives(aac));
  await turn();
  assert.deepEqual(watcher.reasons, ["the source came back with other codecs"]);
  assert.deepEqual(listener.reasons, []);
  using again = await stream.attach(new FakeConsumer(takes(h264, h265)), systemPrincipal);
  assert.equal(again.assignments[0]!.track.codec.name, "H265");
  assert.equal(stream.slots.length, 1);
  await bench.streams.close();
  await after.done;
});

Deno.test("PushedSlot that waits is not taken by a publisher of another kind", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const picture = push(bench, stream, gives(h264));
  await turn();
  const consumer = new FakeConsumer(takes(h264));
  using attachment = await stream.attach(consumer, systemPrincipal);
  picture.producer.end();
  await picture.done;
  const sound = push(bench, stream, gives(aac));
  await turn();
  assert.equal(stream.slots.length, 2);
  const back = push(bench, stream, gives(h264));
  await turn();
  back.producer.feed();
  assert.equal(attachment.assignments[0]!.track.frames, 1);
  assert.deepEqual(consumer.reasons, []);
  await bench.streams.close();
  await Promise.all([sound.done, back.done]);
});

Deno.test("PushedSlot whose connection has died silently gives way to its publisher's new one", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const dead = push(bench, stream, gives(h264));
  await turn();
  dead.producer.feed();
  const consumer = new FakeConsumer(takes(h264));
  using attachment = await stream.attach(consumer, systemPrincipal);
  await bench.clock.advance(7000);
  assert.equal(stream.slots[0]!.state, "frozen");
  const back = push(bench, stream, gives(h264));
  assert.equal(await dead.done, "ended");
  assert.equal(dead.producer.closes, 1);
  await turn();
  back.producer.feed();
  assert.equal(attachment.assignments[0]!.track.frames, 2);
  assert.deepEqual(consumer.reasons, []);
  assert.equal(stream.slots.length, 1);
  await bench.streams.close();
  await back.done;
});

Deno.test("PushedSlot gives way before it is frozen, to a publisher of the same codec", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const dead = push(bench, stream, gives(h264));
  await turn();
  dead.producer.feed();
  using attachment = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  await bench.clock.advance(2000);
  const other = push(bench, stream, gives(h265));
  await turn();
  assert.ok(dead.producer.isRunning && other.producer.isRunning);
  const back = push(bench, stream, gives(h264));
  assert.equal(await dead.done, "ended");
  await turn();
  back.producer.feed();
  assert.equal(attachment.assignments[0]!.track.frames, 2);
  await bench.streams.close();
  await Promise.all([other.done, back.done]);
});

Deno.test("PushedSlot that has frozen is offered to viewers after one that gives pictures", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const [dead, other] = [push(bench, stream, gives(h264)), push(bench, stream, gives(h264))];
  await turn();
  dead.producer.feed();
  for (let i = 0; i < 7; i++) {
    other.producer.feed();
    await bench.clock.advance(1000);
  }
  assert.deepEqual(stream.slots.map((slot) => slot.state), ["frozen", "live"]);
  using attachment = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  assert.equal(attachment.assignments[0]!.track.frames, 7);
  await bench.streams.close();
  await Promise.all([dead.done, other.done]);
});

Deno.test("PushedSlot asks for everything from the start, in its first codec", async () => {
  const bench = new Bench();
  const stream = make(bench);
  const { producer, done } = push(bench, stream, gives(h264), gives(pcma, pcmu), gives(opus), takes(pcma, pcmu));
  await turn();
  assert.deepEqual([...producer.tracks.values()].map((track) => track?.codec.name), ["H264", "PCMA", "OPUS"]);
  assert.equal([...producer.speakers.values()][0]?.codec.name, "PCMA");
  await assert.rejects(stream.attach(new FakeConsumer(takes(pcmu)), systemPrincipal), { code: "NO_COMMON_CODEC" });
  using _ = await stream.attach(new FakeConsumer(takes(pcma), takes(opus)), systemPrincipal);
  assert.ok(producer.isRunning);
  await bench.streams.close();
  await done;
});
