import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import { budget } from "../media/budget.ts";
import { Reader } from "../media/reader.ts";
import { StreamError } from "../util/errors.ts";
import {
  aac,
  Bench,
  FakeConsumer,
  FakeProducer,
  gives,
  h264,
  operator,
  opus,
  pcma,
  pcmu,
  principal,
  takes,
  turn,
} from "./testing.ts";

const never = new AbortController().signal;

/** A camera whose speaker is read, as a real connection does. */
function speakingCamera(bench: Bench, url = "fake:cam"): { producer: FakeProducer; readers: Reader[] }[] {
  const cameras: { producer: FakeProducer; readers: Reader[] }[] = [];
  bench.registry.answer(url, () => {
    const producer = new FakeProducer(bench.clock, [gives(h264), takes(pcma, pcmu)], { formatName: "fake", url });
    const camera = { producer, readers: [] as Reader[] };
    const run = producer.run.bind(producer);
    producer.run = async (io) => {
      const running = run(io);
      for (const speaker of producer.speakers.values()) {
        if (speaker) camera.readers.push(new Reader([speaker.track], { start: "live", dropsCorrupt: false }));
      }
      await running;
      for (const reader of camera.readers) reader[Symbol.dispose]();
    };
    cameras.push(camera);
    return producer;
  });
  return cameras;
}

function heard(reader: Reader | undefined): number {
  let count = 0;
  while (reader?.next()) count++;
  return count;
}

/** Plays, moving the clock for what is waited for on the way. */
async function play(bench: Bench, name: string, source: string, who = systemPrincipal, signal = never): Promise<void> {
  const playing = bench.streams.control.play(name, source, who, signal);
  const settled = playing.then(() => true, () => true);
  for (let i = 0; i < 200 && !(await Promise.race([settled, turn()])); i++) await bench.clock.advance(50);
  await playing;
}

Deno.test("Playback plays a source to the camera until its end, and no viewer stops it", async () => {
  const bench = new Bench();
  const used = budget.usedBytes;
  const cameras = speakingCamera(bench);
  const clips = bench.camera("fake:clip", gives(aac), gives(pcmu));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  await play(bench, "cam", "fake:clip");
  await turn();
  assert.equal(cameras.length, 1);
  clips[0]!.feed();
  const { length } = cameras[0]!.readers;
  assert.equal(length, 1);
  const first = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  const second = await stream.attach(new FakeConsumer(takes(h264)), systemPrincipal);
  first.detach();
  second.detach();
  await bench.clock.advance(10_000);
  clips[0]!.feed();
  assert.equal(heard(cameras[0]!.readers[0]), 2);
  assert.ok(cameras[0]!.producer.isRunning);
  assert.deepEqual(stream.playback.slot?.source, "fake:clip");
  clips[0]!.end();
  await bench.clock.advance(900);
  assert.equal(cameras[0]!.readers[0]!.tracks[0]!.log.cursorCount, 1);
  assert.ok(stream.playback.isActive);
  await bench.clock.advance(200);
  assert.equal(stream.playback.isActive, false);
  assert.equal(stream.playback.slot, undefined);
  assert.equal(clips[0]!.closes, 1);
  // Played once, not again and again.
  await bench.clock.advance(6000);
  assert.equal(clips.length, 1);
  assert.equal(cameras[0]!.producer.closes, 1);
  assert.equal(bench.clock.pending, 0);
  assert.equal(budget.usedBytes, used);
  await bench.streams.close();
});

Deno.test("Playback begins when a running camera has connected anew for its speaker", async () => {
  const bench = new Bench();
  const cameras = speakingCamera(bench);
  const clips = bench.camera("fake:clip", gives(pcma));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const consumer = new FakeConsumer(takes(h264));
  using attachment = await stream.attach(consumer, systemPrincipal);
  await turn();
  assert.equal(cameras[0]!.readers.length, 0);
  await play(bench, "cam", "fake:clip");
  await turn();
  assert.equal(cameras.length, 2);
  clips[0]!.feed();
  assert.equal(heard(cameras[1]!.readers[0]), 1);
  cameras[1]!.producer.feed();
  assert.equal(attachment.assignments[0]!.track.frames, 1);
  assert.deepEqual(consumer.reasons, []);
  await bench.streams.close();
});

Deno.test("Playback is replaced by the next one and stopped by an empty source", async () => {
  const bench = new Bench();
  const cameras = speakingCamera(bench);
  const clips = bench.camera("fake:clip", gives(pcma));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  await play(bench, "cam", "fake:clip");
  await play(bench, "cam", "fake:clip");
  await turn();
  assert.deepEqual(clips.map(({ closes }) => closes), [1, 0]);
  clips[1]!.feed();
  assert.equal(heard(cameras.at(-1)!.readers.at(-1)), 1);
  await play(bench, "cam", "");
  await turn();
  assert.equal(clips[1]!.closes, 1);
  assert.equal(bench.streams.get("cam", systemPrincipal)!.playback.isActive, false);
  await bench.clock.advance(6000);
  assert.equal(cameras.at(-1)!.producer.closes, 1);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Playback looks for a speaker among running sources first, then dials the others", async () => {
  const bench = new Bench();
  const mute = bench.camera("fake:mute", gives(h264));
  const cameras = speakingCamera(bench);
  bench.registry.answer("fake:down", () => new StreamError("OFFLINE", "no route"));
  bench.camera("fake:clip", gives(pcma));
  bench.streams.configure({ streams: { cam: ["fake:down", "fake:mute", "fake:cam"] } });
  await play(bench, "cam", "fake:clip");
  assert.deepEqual([mute.length, cameras.length], [1, 1]);
  await play(bench, "cam", "fake:clip");
  assert.equal(bench.dials("fake:down"), 1);
  await bench.streams.close();
});

Deno.test("Playback rejects when nothing can speak what the source gives", async () => {
  const bench = new Bench();
  const cameras = speakingCamera(bench);
  const clips = bench.camera("fake:clip", gives(opus));
  bench.registry.answer("fake:broken", () => new StreamError("OFFLINE", "no such file"));
  bench.camera("fake:mute", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam", mute: "fake:mute", empty: null } });
  await bench.clock.advance(1000);
  for (const name of ["cam", "mute", "empty"]) {
    await assert.rejects(play(bench, name, "fake:clip"), { message: "can't find consumer" });
  }
  await assert.rejects(play(bench, "cam", "fake:broken"), { message: "streams: no such file" });
  await turn();
  assert.deepEqual(clips.map(({ closes }) => closes), [1]);
  assert.ok(cameras.every(({ producer }) => producer.closes === 1));
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Playback tells a source what the camera can speak", async () => {
  const bench = new Bench();
  speakingCamera(bench);
  let wanted: string[] = [];
  bench.registry.answer("fake:clip", (io) => {
    wanted = io.wanted.map(({ name }) => name);
    return new FakeProducer(bench.clock, [gives(pcmu)]);
  });
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  await play(bench, "cam", "fake:clip");
  assert.deepEqual(wanted, ["PCMA", "PCMU"]);
  await bench.streams.close();
});

Deno.test("Playback gives up its preparations when its caller leaves, and what opens late is closed", async () => {
  const bench = new Bench();
  const cameras = speakingCamera(bench);
  const opened = Promise.withResolvers<FakeProducer>();
  bench.registry.answer("fake:clip", () => opened.promise);
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  await bench.clock.advance(1000);
  const controller = new AbortController();
  const playing = bench.streams.control.play("cam", "fake:clip", systemPrincipal, controller.signal);
  const rejected = assert.rejects(playing, { code: "CLOSED" });
  await turn();
  controller.abort();
  await rejected;
  const late = new FakeProducer(bench.clock, [gives(pcma)]);
  opened.resolve(late);
  await turn();
  assert.equal(late.closes, 1);
  assert.equal(cameras[0]!.producer.closes, 1);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Playback needs the right to talk, and a source that the caller may set", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  await assert.rejects(control.play("cam", "fake:clip", principal(["watch", "listen"]), never), {
    code: "UNAUTHORIZED",
  });
  await assert.rejects(control.play("cam", "fake:a clip", operator, never), { code: "UNTRUSTED_SOURCE" });
  await assert.rejects(control.play("nobody", "fake:clip", operator, never), { message: "stream not found" });
  await bench.streams.close();
});

Deno.test("Playback ends with the source that it speaks to, and with its stream", async () => {
  const bench = new Bench();
  speakingCamera(bench);
  const clips = bench.camera("fake:clip", gives(pcma));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  await play(bench, "cam", "fake:clip");
  await turn();
  bench.streams.configure({ streams: { cam: null } });
  await turn();
  assert.equal(clips[0]!.closes, 1);
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  await play(bench, "cam", "fake:clip");
  await turn();
  await bench.streams.close();
  assert.equal(clips[1]!.closes, 1);
  assert.equal(bench.clock.pending, 0);
});
