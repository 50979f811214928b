import assert from "node:assert/strict";
import { type CameraRight, systemPrincipal } from "../access/types.ts";
import { budget } from "../media/budget.ts";
import { codec } from "../media/codec.ts";
import { Units } from "../media/frame.ts";
import { Reader } from "../media/reader.ts";
import { Track } from "../media/track.ts";
import { StreamError } from "../util/errors.ts";
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

function make(bench: Bench, ...sources: string[]): Stream {
  bench.streams.configure({ streams: { cam: sources } });
  return bench.streams.get("cam", systemPrincipal)!;
}

function talker(...codecs: (typeof pcma)[]): FakeConsumer & { track: Track | undefined } {
  const consumer = Object.assign(new FakeConsumer(gives(...codecs)), { track: undefined as Track | undefined });
  consumer.microphone = (_media, codec) => consumer.track = new Track(0, codec);
  return consumer;
}

function say(track: Track, bytes: number): void {
  const pts = track.frames * 160;
  track.append({ payload: new Units([new Uint8Array(bytes)]), pts, isKeyframe: true });
}

Deno.test("Stream.attach() mixes video from one source, audio from another, and talks to a third", async () => {
  const bench = new Bench();
  const [a, b, c] = [
    bench.camera("fake:a", gives(h264), gives(aac)),
    bench.camera("fake:b", gives(opus)),
    bench.camera("fake:c", takes(pcma)),
  ];
  const unused = bench.camera("fake:d", gives(h264), gives(opus));
  const stream = make(bench, "fake:a", "fake:b", "fake:c", "fake:d");
  const consumer = new FakeConsumer(takes(h264), gives(pcma, pcmu), takes(opus));
  let asked: string | undefined;
  const microphone = new Track(9, pcma);
  consumer.microphone = (_media, codec) => {
    asked = codec.name;
    return microphone;
  };
  const attachment = await stream.attach(consumer, systemPrincipal);
  await turn();
  assert.deepEqual(attachment.assignments.map(({ media, track }) => `${media.kind} ${track.codec.name} ${track.id}`), [
    "video H264 0",
    "audio OPUS 2",
  ]);
  assert.equal(asked, "PCMA");
  assert.equal(unused.length, 0);
  const speaker = [...c[0]!.speakers.values()][0]!;
  assert.equal(speaker.codec.name, "PCMA");
  const reader = new Reader([speaker.track], { start: "live", dropsCorrupt: false });
  say(microphone, 160);
  assert.equal(reader.next()?.payload.byteLength, 160);
  reader[Symbol.dispose]();
  attachment.detach();
  await bench.clock.advance(6000);
  assert.deepEqual([a, b, c].map((cameras) => cameras[0]!.closes), [1, 1, 1]);
  await bench.streams.close();
  microphone.close();
});

Deno.test("Stream.attach() gives each viewer of a codec the same track, and each track its own number", async () => {
  const bench = new Bench();
  bench.camera("fake:a", gives(h264), gives(aac), gives(opus));
  const stream = make(bench, "fake:a");
  using first = await stream.attach(new FakeConsumer(takes(h264), takes(aac)), systemPrincipal);
  using second = await stream.attach(new FakeConsumer(takes(opus), takes(h264)), systemPrincipal);
  assert.equal(first.assignments[0]!.track, second.assignments[1]!.track);
  const ids = [...first.assignments, ...second.assignments].map(({ track }) => track.id);
  assert.deepEqual(ids, [0, 1, 2, 0]);
  await bench.streams.close();
});

Deno.test("Stream.attach() succeeds with a part, also when a source is down", async () => {
  const bench = new Bench();
  bench.registry.answer("fake:down", () => new StreamError("OFFLINE", "no route"));
  bench.camera("fake:up", gives(h264));
  const stream = make(bench, "fake:down", "fake:up");
  using attachment = await stream.attach(new FakeConsumer(takes(h264), takes(opus)), systemPrincipal);
  assert.equal(attachment.assignments.length, 1);
  assert.equal(bench.dials("fake:down"), 1);
  await bench.streams.close();
});

Deno.test("Stream.attach() rejects in the contract's words", async () => {
  const bench = new Bench();
  const viewer = () => new FakeConsumer(takes(codec("VP8")), takes(opus));
  bench.camera("fake:a", gives(h264), gives(aac));
  bench.registry.answer("fake:b", () => new StreamError("OFFLINE", "dial refused"));
  bench.registry.answer("fake:c", () => new StreamError("OFFLINE", "dial timeout"));
  bench.streams.configure({
    streams: { empty: null, one: "fake:a", two: ["fake:b", "fake:c", "fake:b"], filled: "fake:{input}" },
  });
  const attach = (name: string) => bench.streams.get(name, systemPrincipal)!.attach(viewer(), systemPrincipal);
  await assert.rejects(attach("empty"), { message: "streams: unknown error" });
  await assert.rejects(attach("filled"), { message: "streams: unknown error" });
  await assert.rejects(attach("one"), {
    message: "streams: codecs not matched: video:H264, audio:AAC => video:VP8, audio:OPUS",
  });
  await assert.rejects(attach("two"), { message: "streams: dial refused, dial timeout" });
  await bench.streams.close();
});

Deno.test("Stream.attach() never feeds a source from itself", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264), gives(aac));
  const looped = bench.camera("fake:loop", gives(opus));
  const stream = make(bench, "fake:loop#audio=opus", "fake:cam");
  const consumer = new FakeConsumer(takes(codec("ANY", { kind: "audio", clockRate: 0 })));
  consumer.loopGuard = "fake:loop#audio=opus";
  using attachment = await stream.attach(consumer, systemPrincipal);
  assert.equal(attachment.assignments[0]!.track.codec.name, "MPEG4-GENERIC");
  assert.deepEqual([cameras.length, looped.length], [1, 0]);
  await bench.streams.close();
});

Deno.test("Stream.attach() stops nothing while somebody is attaching", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264));
  const slow = Promise.withResolvers<FakeProducer>();
  bench.registry.answer("fake:b", () => slow.promise);
  const stream = make(bench, "fake:a#linger=0", "fake:b");
  const first = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  const attaching = stream.attach(new FakeConsumer(takes(h264), takes(opus)), systemPrincipal);
  await turn();
  first.detach();
  await turn();
  assert.equal(cameras[0]!.closes, 0);
  slow.resolve(new FakeProducer(bench.clock, [gives(aac)]));
  const second = await attaching;
  assert.equal(cameras.length, 1);
  second.detach();
  await turn();
  assert.equal(cameras[0]!.closes, 1);
  await bench.streams.close();
});

Deno.test("Stream.attach() leaves out a source that is gone again each time while another is dialled", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264));
  const stream = make(bench, "fake:a#linger=0", "fake:b");
  using _ = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  await turn();
  let dials = 0;
  bench.registry.answer("fake:b", () => {
    cameras.at(-1)!.end();
    // Its session ends before the second dial is over.
    dials++;
    return turn().then(() => new FakeProducer(bench.clock, [gives(aac)]));
  });
  using attachment = await stream.attach(new FakeConsumer(takes(h264), takes(opus)), systemPrincipal);
  assert.equal(attachment.assignments.length, 1);
  assert.ok(dials <= 4);
  await bench.streams.close();
});

Deno.test("Stream.attach() asks for the right that each media needs", async () => {
  const bench = new Bench();
  bench.camera("fake:a", gives(h264), gives(aac), takes(pcma));
  const stream = make(bench, "fake:a");
  const both = () => new FakeConsumer(takes(h264), takes(aac));
  const denied = { name: "StreamError", code: "UNAUTHORIZED" };
  await assert.rejects(stream.attach(both(), principal([])), denied);
  await assert.rejects(stream.attach(both(), principal(["snapshot", "publish", "talk"])), denied);
  assert.equal(bench.registry.dialled.length, 0);
  for (const [rights, codecs] of [[["watch"], ["H264"]], [["listen"], ["MPEG4-GENERIC"]]] as const) {
    using attachment = await stream.attach(both(), principal(rights));
    assert.deepEqual(attachment.assignments.map(({ track }) => track.codec.name), codecs);
  }
  const still = new FakeConsumer(takes(h264));
  still.right = "snapshot";
  await assert.rejects(stream.attach(still, principal(["watch"])), denied);
  (await stream.attach(still, principal(["snapshot"]))).detach();
  await assert.rejects(stream.attach(talker(pcma), principal(["watch", "listen"])), denied);
  const speaking = talker(pcma);
  (await stream.attach(speaking, principal(["talk"]))).detach();
  assert.equal(speaking.track?.codec.name, "PCMA");
  await bench.streams.close();
});

Deno.test("Stream.recheck() ends whoever watches and may only listen now", async () => {
  const bench = new Bench();
  bench.camera("fake:a", gives(h264), gives(aac));
  const stream = make(bench, "fake:a");
  let right: CameraRight = "watch";
  const viewer = new FakeConsumer(takes(h264), takes(aac));
  await stream.attach(viewer, { ...principal([]), can: (asked: CameraRight) => asked === right });
  right = "listen";
  stream.recheck();
  assert.deepEqual(viewer.reasons, ["the right to this was taken away"]);
  await bench.streams.close();
});

Deno.test("Stream.recheck() ends whoever lost a right that was made use of", async () => {
  const bench = new Bench();
  bench.camera("fake:a", gives(h264), gives(aac));
  const stream = make(bench, "fake:a");
  const rights = new Set<CameraRight>(["watch", "listen", "publish"]);
  const one = { ...principal([]), can: (right: CameraRight) => rights.has(right) };
  const [pictures, both, other] = [
    new FakeConsumer(takes(h264)),
    new FakeConsumer(takes(h264), takes(aac)),
    new FakeConsumer(takes(h264), takes(aac)),
  ];
  await stream.attach(pictures, one);
  await stream.attach(both, one);
  await stream.attach(other, systemPrincipal);
  const producer = new FakeProducer(bench.clock, [gives(pcma)]);
  const published = stream.publish(producer, one, new AbortController().signal);
  await turn();
  stream.recheck();
  assert.deepEqual([pictures, both, other].map(({ reasons }) => reasons.length), [0, 0, 0]);
  assert.ok(producer.isRunning);
  rights.delete("listen");
  rights.delete("publish");
  stream.recheck();
  assert.deepEqual([pictures, both, other].map(({ reasons }) => reasons.length), [0, 1, 0]);
  await published;
  assert.equal(producer.closes, 1);
  rights.delete("watch");
  stream.recheck();
  assert.deepEqual(pictures.reasons, ["the right to this was taken away"]);
  assert.deepEqual(stream.consumers.map(({ consumer }) => consumer), [other]);
  await bench.streams.close();
});

Deno.test("Stream keeps its viewers when a source comes back, on the same tracks", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264), gives(aac));
  const stream = make(bench, "fake:a");
  const consumer = new FakeConsumer(takes(h264), takes(aac));
  using attachment = await stream.attach(consumer, systemPrincipal);
  await turn();
  const tracks = attachment.assignments.map(({ track }) => track);
  cameras[0]!.feed();
  await bench.clock.advance(2000);
  cameras[0]!.end(new Error("reset"));
  await turn();
  assert.equal(cameras.length, 2);
  cameras[1]!.feed();
  assert.deepEqual(attachment.assignments.map(({ track }) => track), tracks);
  assert.deepEqual(tracks.map(({ frames }) => frames), [2, 2]);
  assert.deepEqual(consumer.reasons, []);
  await bench.streams.close();
});

Deno.test("Stream tells a viewer of a track that was replaced, and closes one that cannot follow", async () => {
  const bench = new Bench();
  const at8 = codec("PCMA", { clockRate: 8000 });
  const at16 = codec("PCMA", { clockRate: 16000 });
  const cameras = bench.camera("fake:a", gives(at8));
  const stream = make(bench, "fake:a");
  const follower = new FakeConsumer(takes(at8));
  const other = new FakeConsumer(takes(at8));
  using attachment = await stream.attach(follower, systemPrincipal);
  using stayed = await stream.attach(other, systemPrincipal);
  const replaced: string[] = [];
  const { track: before } = attachment.assignments[0]!;
  attachment.onReplaced = (was, is) => {
    assert.equal(was, before);
    replaced.push(`${was.id} ${was.codec.clockRate} ${is.id} ${is.codec.clockRate}`);
  };
  await turn();
  cameras[0]!.feed();
  const back = bench.camera("fake:a", gives(at16));
  await bench.clock.advance(2000);
  cameras[0]!.end();
  await turn();
  assert.deepEqual(replaced, ["0 8000 0 16000"]);
  assert.equal(attachment.assignments[0]!.track.codec.clockRate, 16000);
  assert.deepEqual(follower.reasons, []);
  assert.deepEqual(other.reasons, ["the source came back different"]);
  assert.deepEqual(stayed.isDetached, true);
  back[0]!.feed();
  assert.equal(attachment.assignments[0]!.track.frames, 1);
  await bench.streams.close();
});

Deno.test("Stream closes the viewers of tracks that a source came back without, onto a warm source", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264), gives(aac));
  const stream = make(bench, "fake:a");
  const watcher = new FakeConsumer(takes(h264, h265));
  const listener = new FakeConsumer(takes(aac));
  using _ = await stream.attach(watcher, systemPrincipal);
  using listening = await stream.attach(listener, systemPrincipal);
  await turn();
  cameras[0]!.feed();
  const back = bench.camera("fake:a", gives(h265), gives(aac));
  await bench.clock.advance(2000);
  cameras[0]!.end();
  await turn();
  assert.deepEqual(watcher.reasons, ["the source came back with other codecs"]);
  assert.deepEqual(listener.reasons, []);
  using again = await stream.attach(new FakeConsumer(takes(h264, h265)), systemPrincipal);
  assert.equal(again.assignments[0]!.track.codec.name, "H265");
  assert.equal(back.length, 1);
  back[0]!.feed();
  assert.equal(again.assignments[0]!.track.frames, 1);
  assert.equal(listening.assignments[0]!.track.frames, 2);
  await bench.streams.close();
});

Deno.test("Stream keeps a media in the codec that its first viewer took", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(pcma, pcmu));
  const stream = make(bench, "fake:a");
  const first = await stream.attach(new FakeConsumer(takes(pcmu)), systemPrincipal);
  await turn();
  assert.deepEqual([...cameras[0]!.tracks.values()].map((track) => track?.codec.name), ["PCMU"]);
  await assert.rejects(stream.attach(new FakeConsumer(takes(pcma)), systemPrincipal), { code: "NO_COMMON_CODEC" });
  first.detach();
  // Nobody holds it to that codec any more.
  using second = await stream.attach(new FakeConsumer(takes(pcma)), systemPrincipal);
  await turn();
  assert.equal(cameras.length, 2);
  cameras[1]!.feed();
  assert.equal(second.assignments[0]!.track.frames, 1);
  await bench.streams.close();
});

Deno.test("Stream lets the one who began to talk last be heard, and the one before again after that", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264), takes(pcma, pcmu));
  const stream = make(bench, "fake:a");
  const [first, second] = [talker(pcma), talker(pcma)];
  const talking = await stream.attach(first, systemPrincipal);
  await turn();
  const speaker = [...cameras[0]!.speakers.values()][0]!;
  using reader = new Reader([speaker.track], { start: "live", dropsCorrupt: false });
  say(first.track!, 1);
  const alsoTalking = await stream.attach(second, systemPrincipal);
  say(first.track!, 2);
  say(second.track!, 3);
  alsoTalking.detach();
  say(second.track!, 4);
  say(first.track!, 5);
  talking.detach();
  const heard: number[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) heard.push(frame.payload.byteLength);
  assert.deepEqual(heard, [1, 3, 5]);
  assert.equal(cameras.length, 1);
  // Another codec while somebody talks would be noise.
  using _ = await stream.attach(first, systemPrincipal);
  await assert.rejects(stream.attach(talker(pcmu), systemPrincipal), { code: "NO_COMMON_CODEC" });
  await bench.streams.close();
  first.track!.close();
  second.track!.close();
});

Deno.test("Stream connects anew for the first to talk, and no viewer notices", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264), takes(pcma));
  const stream = make(bench, "fake:a");
  const watcher = new FakeConsumer(takes(h264));
  using attachment = await stream.attach(watcher, systemPrincipal);
  await turn();
  cameras[0]!.feed();
  assert.deepEqual([...cameras[0]!.speakers.values()], [undefined]);
  const talking = talker(pcma);
  using _ = await stream.attach(talking, systemPrincipal);
  await turn();
  assert.equal(cameras.length, 2);
  assert.equal([...cameras[1]!.speakers.values()][0]?.codec.name, "PCMA");
  cameras[1]!.feed();
  assert.equal(attachment.assignments[0]!.track.frames, 2);
  assert.deepEqual(watcher.reasons, []);
  await bench.streams.close();
  talking.track!.close();
});

Deno.test("Stream.close() tells viewers why and ends those who are still attaching", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264));
  bench.registry.answer("fake:b", () => new Promise(() => {}));
  const stream = make(bench, "fake:a", "fake:b");
  const consumer = new FakeConsumer(takes(h264));
  await stream.attach(consumer, systemPrincipal);
  const attaching = assert.rejects(stream.attach(new FakeConsumer(takes(opus)), systemPrincipal), { code: "CLOSED" });
  await turn();
  bench.streams.configure({ streams: {} });
  await attaching;
  assert.deepEqual(consumer.reasons, ["the stream was removed from the config"]);
  await turn();
  assert.equal(cameras[0]!.closes, 1);
  await assert.rejects(stream.attach(consumer, systemPrincipal), { code: "CLOSED" });
});

Deno.test("Stream leaves nothing behind: no timer, no bytes, no open track", async () => {
  const before = budget.usedBytes;
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264), gives(aac), takes(pcma));
  const stream = make(bench, "fake:a");
  await bench.clock.advance(1000);
  for (let round = 0; round < 5; round++) {
    const talking = talker(pcma);
    const attachments = [
      await stream.attach(new FakeConsumer(takes(h264), takes(aac)), systemPrincipal),
      await stream.attach(talking, systemPrincipal),
    ];
    await turn();
    cameras.at(-1)!.feed(1000);
    await bench.clock.advance(1500);
    cameras.at(-1)!.end();
    await bench.clock.advance(1000);
    cameras.at(-1)!.feed(1000);
    assert.ok(budget.usedBytes > before);
    for (const attachment of attachments) attachment.detach();
    talking.track!.close();
    await bench.clock.advance(6000);
    assert.equal(budget.usedBytes, before);
    assert.equal(bench.clock.pending, 0);
  }
  assert.deepEqual(cameras.map(({ closes }) => closes), cameras.map(() => 1));
  assert.equal(stream.numbers.take(), 0);
  assert.equal(stream.consumers.length, 0);
  await bench.streams.close();
  assert.equal(bench.clock.pending, 0);
});
