import assert from "node:assert/strict";
import { codec } from "../../media/codec.ts";
import { Units } from "../../media/frame.ts";
import { Reader } from "../../media/reader.ts";
import { TestVideo } from "../../media/testing.ts";
import { Track } from "../../media/track.ts";
import { fmp4InitSegment } from "./init_segment.ts";
import { type Fmp4Sample, readFmp4 } from "./reader.ts";
import { FragmentAt } from "./fragment.ts";
import { fmp4RenditionOf } from "./rendition.ts";
import { Fmp4Timeline } from "./timeline.ts";

function samplesOf(track: Track, parts: readonly (Uint8Array | undefined)[]): Fmp4Sample[] {
  const all = [...fmp4InitSegment([track]), ...parts.flatMap((part) => part ? [...part] : [])];
  return readFmp4(new Uint8Array(all)).tracks[0]!.samples;
}

Deno.test("Fmp4Rendition leaves parameter sets, delimiters and filler out of avc1 and hvc1", () => {
  const cases: [string, number[][], number[]][] = [
    ["H264", [[9, 0xf0], [0x67, 1], [0x68, 2], [6, 3], [0x65, 4, 5], [12, 0xff]], [
      0,
      0,
      0,
      2,
      6,
      3,
      0,
      0,
      0,
      3,
      0x65,
      4,
      5,
    ]],
    ["H265", [[0x46, 1], [0x40, 1], [0x42, 1], [0x44, 1], [0x4e, 1], [0x26, 1, 9], [0x4c, 1]], [
      ...[0, 0, 0, 2, 0x4e, 1],
      ...[0, 0, 0, 3, 0x26, 1, 9],
    ]],
    ["AV1", [[0x12, 0, 0x32, 1, 7, 0x7a, 0]], [0x32, 1, 7]],
  ];
  for (const [name, units, expected] of cases) {
    const track = new Track(0, codec(name));
    const payload = new Units(units.map((unit) => Uint8Array.from(unit)));
    track.append({ payload, pts: 0, isKeyframe: true, arrivalMs: 100 });
    const { rendition } = fmp4RenditionOf(track);
    assert.deepEqual([...samplesOf(track, [rendition.bytes(track.log.newest!)])[0]!.bytes], expected, name);
  }
});

Deno.test("Fmp4Rendition gives no bytes for a frame of parameter sets alone, and takes no number for it", () => {
  const track = new Track(0, codec("H264"));
  const { rendition } = fmp4RenditionOf(track);
  const numbers: number[] = [];
  for (const [i, type] of [0x65, 0x67, 0x41].entries()) {
    const payload = new Units([Uint8Array.of(type, 1, 2, 3)]);
    track.append({ payload, pts: i * 3600, dts: i * 3600, isKeyframe: i === 0, arrivalMs: i * 40 });
    const chunk = rendition.chunk(track.log.newest!);
    if (chunk.bytes.length > 0) numbers.push(chunk.number);
    else assert.equal(rendition.bytes(track.log.newest!, { timeDelta: 1, sequenceDelta: 1 }).length, 0);
  }
  assert.deepEqual(numbers, [1, 2]);
});

Deno.test("Fmp4Rendition writes flags, numbers and the interval before as duration", () => {
  const video = new TestVideo({ id: 2 });
  const { rendition } = fmp4RenditionOf(video.track);
  const parts: Uint8Array[] = [];
  for (let gop = 0; gop < 2; gop++) {
    for (let i = 0; i < 3; i++) {
      video.feed(1, { isKeyframe: i === 0 });
      parts.push(rendition.bytes(video.track.log.newest!));
    }
  }
  const file = readFmp4(new Uint8Array([...fmp4InitSegment([video.track]), ...parts.flatMap((part) => [...part])]));
  assert.equal(file.brand, "iso5");
  assert.deepEqual(file.sequence, [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(file.tracks[0]!.samples.map(({ isKeyframe }) => isKeyframe), [
    true,
    false,
    false,
    true,
    false,
    false,
  ]);
  assert(file.tracks[0]!.samples.every(({ duration }) => duration === 3600));
  assert.deepEqual([...parts[0]!.subarray(56, 60)], [2, 0, 0, 0]);
  assert.deepEqual([...parts[1]!.subarray(56, 60)], [1, 1, 0, 0]);
});

Deno.test("Fmp4Rendition takes a pause for no duration, unless all frames come that slowly", () => {
  const track = new Track(0, codec("VP8"));
  const { rendition } = fmp4RenditionOf(track);
  const durations: number[] = [];
  let pts = 0;
  for (const step of [0, 3600, 3600, 450_000, 3600, 450_000, 450_000, 450_000]) {
    pts += step;
    track.append({
      payload: new Units([new Uint8Array(9)]),
      pts,
      dts: pts,
      isKeyframe: true,
      arrivalMs: 1000 + pts / 90,
    });
    durations.push(rendition.chunk(track.log.newest!).duration);
  }
  assert.deepEqual(durations, [3600, 3600, 3600, 3600, 3600, 3600, 450_000, 450_000]);
});

Deno.test("Fmp4Rendition.patch() changes a copy: times, offset, duration, number", () => {
  const track = new Track(0, codec("VP8"));
  const { rendition, release } = fmp4RenditionOf(track);
  track.append({ payload: new Units([new Uint8Array(9)]), pts: 7200, dts: 3600, isKeyframe: true, arrivalMs: 1e8 });
  const frame = track.log.newest!;
  const shared = rendition.bytes(frame);
  const before = shared.slice();
  const edit = { timeDelta: -100, compositionOffset: -5, duration: 90, sequenceDelta: 41 };
  const copy = rendition.bytes(frame, edit);
  assert.deepEqual(shared, before);
  assert.equal(rendition.bytes(frame), shared);
  const [own, edited] = [samplesOf(track, [shared])[0]!, samplesOf(track, [copy])[0]!];
  // Beyond 32 bits: 100000 s at 90 kHz.
  assert(own.dts > 2 ** 32 && own.dts === frame.timestamp && own.pts - own.dts === 3600);
  assert.deepEqual([edited.dts, edited.pts, edited.duration], [own.dts - 100, own.dts - 105, 90]);
  assert.deepEqual([...copy.subarray(20, 24)], [0, 0, 0, 42]);
  const negative = samplesOf(track, [rendition.bytes(frame, { timeDelta: -1e12, sequenceDelta: 0 })])[0]!;
  assert.equal(negative.dts, 0);
  release();
  release();
  assert.equal(track.renditionBytes, 0);
});

Deno.test("Fmp4Timeline writes each viewer's times into the shared bytes, when they are copied at once", () => {
  const track = new Track(0, codec("VP8"));
  const { rendition } = fmp4RenditionOf(track);
  const [early, late] = [1, 2].map(() => new Fmp4Timeline({ isCopiedAtOnce: true }));
  const copies = new Map([[early!, [] as Uint8Array[]], [late!, []]]);
  for (let i = 0; i < 4; i++) {
    const payload = new Units([new Uint8Array(9).fill(i)]);
    track.append({ payload, pts: i * 3600, dts: i * 3600, isKeyframe: i === 0, arrivalMs: i * 40 });
    const frame = track.log.newest!;
    for (const timeline of i < 2 ? [early!] : [early!, late!]) {
      const bytes = timeline.bytes(rendition, frame)!;
      assert.equal(bytes, rendition.chunk(frame).bytes);
      assert.equal(bytes[FragmentAt.data], i);
      copies.get(timeline)!.push(bytes.slice());
    }
  }
  assert.deepEqual(samplesOf(track, copies.get(early!)!).map(({ dts }) => dts), [0, 3600, 7200, 10_800]);
  assert.deepEqual(samplesOf(track, copies.get(late!)!).map(({ dts }) => dts), [0, 3600]);
});

Deno.test("fmp4RenditionOf() shares one rendition among all viewers", () => {
  const { track } = new TestVideo();
  const first = fmp4RenditionOf(track);
  const second = fmp4RenditionOf(track);
  assert.equal(first.rendition, second.rendition);
  first.release();
  first.release();
  assert.equal(fmp4RenditionOf(track).rendition, second.rendition);
  assert.throws(() => fmp4RenditionOf(new Track(0, codec("JPEG"))), TypeError);
});

Deno.test("Fmp4Timeline keeps times of a squeezed start and of what follows strictly increasing", () => {
  for (const withOffsets of [false, true]) {
    const track = new Track(0, codec("VP8"));
    let index = 0;
    const feed = (count: number) => {
      for (let i = 0; i < count; i++, index++) {
        const dts = index * 3600;
        const pts = dts + (withOffsets ? [7200, 14400, 3600, 3600][index % 4]! : 0);
        const payload = new Units([new Uint8Array(50)]);
        track.append({ payload, pts, dts, isKeyframe: index === 0, arrivalMs: 1000 + index * 40 });
      }
    };
    feed(100);
    using reader = new Reader([track], { start: "now", dropsCorrupt: true });
    const { rendition } = fmp4RenditionOf(track);
    const timeline = new Fmp4Timeline();
    const parts: (Uint8Array | undefined)[] = [];
    const drain = () => {
      for (let frame = reader.next(); frame; frame = reader.next()) {
        parts.push(timeline.bytes(rendition, frame, reader.edit));
      }
    };
    drain();
    feed(20);
    drain();
    const samples = samplesOf(track, parts);
    assert.equal(samples.length, 120);
    assert.equal(samples[0]!.dts, 0);
    for (let i = 1; i < 120; i++) assert(samples[i]!.dts > samples[i - 1]!.dts, `frame ${i}`);
    assert.equal(new Set(samples.map(({ pts }) => pts)).size, 120, "presentation times are distinct");
    // The decode time may catch up at first.
    const live = samples.slice(105);
    for (let i = 1; i < live.length; i++) assert.equal(live[i]!.dts - live[i - 1]!.dts, 3600);
  }
});

Deno.test("Fmp4Timeline never steps further than twice a duration, and keeps presentation times over a gap", () => {
  const track = new Track(0, codec("VP8"));
  const { rendition } = fmp4RenditionOf(track);
  const timeline = new Fmp4Timeline();
  const parts: (Uint8Array | undefined)[] = [];
  const times: number[] = [];
  let pts = 0;
  for (let i = 0; i < 200; i++) {
    pts += i === 20 ? 30_000 : i === 60 ? 180_000 : i === 150 ? 9000 : 3600;
    track.append({ payload: new Units([new Uint8Array(9)]), pts, dts: pts, isKeyframe: i === 0, arrivalMs: pts / 90 });
    times.push(pts - 3600);
    parts.push(timeline.bytes(rendition, track.log.newest!));
  }
  const samples = samplesOf(track, parts);
  assert.deepEqual(samples.map(({ pts }) => pts), times);
  for (let i = 1; i < samples.length; i++) {
    const step = samples[i]!.dts - samples[i - 1]!.dts;
    assert(step > 0 && step < 2 * samples[i - 1]!.duration, `a step of ${step} at ${i}`);
  }
  assert.equal(samples.at(-1)!.dts, samples.at(-1)!.pts);
});

/** How far the decode times of a viewer are behind, in ms, around an outage of 19 s. */
function behindAfterOutage(tracks: readonly Track[], keyframeMs: number): number[] {
  const timeline = new Fmp4Timeline();
  const behind: number[] = [];
  for (let ms = 0; ms < 22_000; ms += 20) {
    if (ms >= 1000 && ms < 20_000) continue;
    for (const track of tracks) {
      const pts = ms * track.codec.clockRate / 1000;
      const isKeyframe = track.kind === "audio" || ms === 0 || ms === keyframeMs;
      // 20 ms of Opus, or any picture.
      const payload = new Units([Uint8Array.of(0xfc, 1)]);
      track.append({ payload, pts, dts: pts, isKeyframe, arrivalMs: ms });
      const part = timeline.bytes(fmp4RenditionOf(track).rendition, track.log.newest!);
      behind.push((pts - samplesOf(track, [part])[0]!.dts) * 1000 / track.codec.clockRate);
    }
  }
  return behind;
}

Deno.test("Fmp4Timeline steps over a long gap at once where there is sound", () => {
  const sound = () => new Track(1, codec("OPUS", { clockRate: 48000, channels: 2 }));
  const video = () => new Track(0, codec("VP8"));
  assert.deepEqual(new Set(behindAfterOutage([sound()], 0)), new Set([0]));
  assert.deepEqual(new Set(behindAfterOutage([video(), sound()], 20_000)), new Set([0]));
  // Whoever takes the gap in the sound waits for the keyframe, whatever the times of the pictures before it.
  const behind = behindAfterOutage([sound(), video()], 21_000);
  assert.deepEqual(new Set(behind), new Set([0]));
});

Deno.test("Fmp4Timeline has sound that paused alone catch up, so that no picture is lost, unless it was long", () => {
  for (const [pauseMs, longestMs] of [[3000, 35], [12_000, 12_000]] as const) {
    const video = new Track(0, codec("VP8"));
    const sound = new Track(1, codec("OPUS", { clockRate: 48000, channels: 2 }));
    const timeline = new Fmp4Timeline();
    const write = (track: Track, ms: number, isKeyframe: boolean, unit: Uint8Array) => {
      const pts = ms * track.codec.clockRate / 1000;
      track.append({ payload: new Units([unit]), pts, isKeyframe, arrivalMs: 1000 + ms });
      return samplesOf(track, [timeline.bytes(fmp4RenditionOf(track).rendition, track.log.newest!)])[0]!.dts;
    };
    const times: number[] = [];
    for (let ms = 0; ms < pauseMs + 4000; ms += 20) {
      if (ms % 40 === 0) write(video, ms, ms === 0, Uint8Array.of(1));
      if (ms < 2000 || ms >= 2000 + pauseMs) times.push(write(sound, ms, true, Uint8Array.of(0xfc, 1)) / 48);
    }
    const longest = Math.max(...times.slice(1).map((time, i) => time - times[i]!));
    assert.ok(Math.abs(longest - longestMs) < 21, `a step of ${longest} ms after ${pauseMs} ms`);
  }
});

Deno.test("Fmp4Timeline steps over a long gap at the next keyframe where there are pictures alone", () => {
  const behind = behindAfterOutage([new Track(0, codec("VP8"))], 21_000);
  assert.ok(behind.slice(50, 100).every((ms) => ms > 1000));
  assert.deepEqual(new Set(behind.slice(100)), new Set([0]));
});

Deno.test("Fmp4Timeline goes on in seconds when a track is replaced by one with another clock rate", () => {
  for (const rates of [[16000, 8000], [8000, 16000]]) {
    const timeline = new Fmp4Timeline();
    const times: number[] = [];
    rates.forEach((clockRate, n) => {
      const track = new Track(1, codec("PCMA", { clockRate, channels: 1 }));
      for (let ms = n * 4000; ms < n * 4000 + 4000; ms += 20) {
        const payload = new Units([new Uint8Array(clockRate / 50)]);
        track.append({ payload, pts: ms * clockRate / 1000, isKeyframe: true, arrivalMs: 1000 + ms });
        const part = timeline.bytes(fmp4RenditionOf(track).rendition, track.log.newest!);
        times.push(samplesOf(track, [part])[0]!.dts * 1000 / clockRate);
      }
    });
    assert.deepEqual(times, times.map((_time, i) => i * 20));
  }
});

Deno.test("Fmp4Timeline begins all tracks at the first frame, and leaves out what belongs before it", () => {
  const video = new TestVideo({ id: 0 });
  const sound = new Track(1, codec("OPUS", { clockRate: 48000, channels: 2 }));
  const timeline = new Fmp4Timeline();
  video.feed(1, { isKeyframe: true });
  assert(timeline.bytes(fmp4RenditionOf(video.track).rendition, video.track.log.newest!));
  const parts: (Uint8Array | undefined)[] = [];
  for (let i = 0; i < 3; i++) {
    // 20 ms of Opus.
    const payload = new Units([Uint8Array.of(0xfc, 1)]);
    sound.append({ payload, pts: i * 960, isKeyframe: true, arrivalMs: 990 + i * 20 });
    parts.push(timeline.bytes(fmp4RenditionOf(sound).rendition, sound.log.newest!));
  }
  assert.equal(parts[0], undefined);
  const samples = samplesOf(sound, parts);
  assert.deepEqual(samples.map(({ dts, duration }) => [dts, duration]), [[480, 960], [1440, 960]]);
  const { sequence } = readFmp4(parts[2]!);
  assert.deepEqual(sequence, [3]);
});
