import assert from "node:assert/strict";
import {
  codec,
  type FrameInput,
  type Media,
  parseSourceUrl,
  type ProducerIo,
  StreamError,
  Track,
  Units,
} from "../../core/mod.ts";
import type { OpenIo, PluginContext, SourceOpener } from "../../core/kernel/plugin.ts";
import { type Clip, shippedClip } from "./clip.ts";
import demo from "./mod.ts";
import { LoopProducer } from "./producer.ts";

/** 4 pictures and 5 sounds in 100 ms. */
function smallClip(): Clip {
  const frames = (count: number, ticks: number) =>
    Array.from({ length: count }, (_, i) => ({
      dts: i * ticks,
      pts: i * ticks,
      isKeyframe: i === 0,
      payload: new Units([new Uint8Array([i])]),
    }));
  return {
    tracks: [
      { codec: codec("VP8"), frames: frames(4, 2250), period: 9000 },
      { codec: codec("OPUS", { clockRate: 48000 }), frames: frames(5, 960), period: 4800 },
    ],
  };
}

/** Notes the times of all frames: the log itself forgets what came before the newest keyframe. */
class Recorder extends Track {
  readonly times: number[] = [];
  onAppend: () => void = () => {};

  override append(input: FrameInput): void {
    super.append(input);
    this.times.push(this.log.newest!.timestamp);
    this.onAppend();
  }
  until(count: number): Promise<void> {
    return new Promise((resolve) => this.onAppend = () => this.times.length >= count && resolve());
  }
}

class Io implements ProducerIo {
  readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  readonly video = new Recorder(0, codec("VP8"));
  readonly audio = new Recorder(1, codec("OPUS", { clockRate: 48000 }));
  lives = 0;
  #wants: readonly string[];

  constructor(...wants: string[]) {
    this.#wants = wants;
  }
  track({ kind }: Media): Track | undefined {
    if (!this.#wants.includes(kind)) return undefined;
    return kind === "video" ? this.video : this.audio;
  }
  speaker(): undefined {}
  live(): void {
    this.lives++;
  }
}

const steps = (times: readonly number[]) => new Set(times.slice(1).map((at, i) => at - times[i]!));

Deno.test("LoopProducer goes on with its times from turn to turn", async () => {
  const producer = new LoopProducer(smallClip(), "demo:");
  const io = new Io("video", "audio");
  const run = producer.run(io);
  await io.video.until(10);
  io.controller.abort();
  await run;
  assert.deepEqual(steps(io.video.times), new Set([2250]));
  assert.deepEqual(steps(io.audio.times), new Set([960]));
  assert.equal(io.lives, 1);
  assert.equal(producer.info.bytesReceived, io.video.frames + io.audio.frames);
});

Deno.test("LoopProducer plays in real time", async () => {
  const producer = new LoopProducer(smallClip(), "demo:");
  const io = new Io("video", "audio");
  const startMs = performance.now();
  const run = producer.run(io);
  await io.video.until(9);
  const tookMs = performance.now() - startMs;
  io.controller.abort();
  await run;
  assert.ok(tookMs >= 195 && tookMs < 400, `${tookMs} ms`);
});

Deno.test("LoopProducer stops on abort and leaves no timer", async () => {
  const producer = new LoopProducer(smallClip(), "demo:");
  const aborted = new Io("video");
  aborted.controller.abort();
  await producer.run(aborted);
  const io = new Io("audio");
  const run = producer.run(io);
  await io.audio.until(3);
  io.controller.abort();
  await run;
  producer.close();
  assert.equal(io.video.frames, 0);
  // The sanitizer fails the test if a timer is left; and nothing may come after the end.
  const { frames } = io.audio;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(io.audio.frames, frames);
});

Deno.test("LoopProducer waits when nobody wants anything", async () => {
  const io = new Io();
  const run = new LoopProducer(smallClip(), "demo:").run(io);
  io.controller.abort();
  await run;
  assert.equal(io.lives, 0);
});

Deno.test("shippedClip loops without a seam", async () => {
  const clip = await shippedClip();
  const [video, audio] = clip.tracks;
  assert.deepEqual(clip.tracks.map((track) => track.codec.name), ["H264", "MPEG4-GENERIC"]);
  assert.equal(video!.frames.length, 200);
  assert.equal(audio!.frames.length, 375);
  assert.equal(video!.codec.width, 1280);
  assert.equal(audio!.codec.channels, 2);
  assert.ok(video!.frames[0]!.isKeyframe && !video!.frames[1]!.isKeyframe && video!.frames[50]!.isKeyframe);
  for (const { frames, period } of clip.tracks) {
    const step = frames[1]!.dts;
    assert.equal(period, frames.at(-1)!.dts + step);
    frames.forEach(({ dts, pts }, i) => assert.ok(dts === i * step && pts === dts));
  }
  assert.equal(await shippedClip(), clip);
});

Deno.test("demo opens its source, and none with an address", async () => {
  let opener: SourceOpener | undefined;
  await demo.setup({ source: (_: string, one: SourceOpener) => opener = one } as unknown as PluginContext);
  const io = {} as OpenIo;
  const producer = await opener!.open(parseSourceUrl("demo:"), io);
  assert.equal(producer.info.formatName, "demo");
  await assert.rejects(opener!.open(parseSourceUrl("demo:yard"), io), (error: StreamError) => {
    return error.code === "BAD_SOURCE" && error.message.includes('"demo:yard"');
  });
});
