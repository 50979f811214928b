import assert from "node:assert/strict";
import fc from "fast-check";
import { h264 } from "../../rtp/testing.ts";
import { demux, ffmpeg, ffprobeTimes, hasFfmpeg, testPicture } from "../testing.ts";
import { MpegTsDemuxer } from "./demuxer.ts";

const make = (onFrame: ConstructorParameters<typeof MpegTsDemuxer>[0]) => new MpegTsDemuxer(onFrame);
const tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=2"];
const options = { ignore: !hasFfmpeg };

function cameraFile(...args: string[]): Uint8Array {
  const video = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25"];
  return ffmpeg("mpegts", ...testPicture(2), ...tone, ...video, ...args);
}

Deno.test({
  name: "MpegTsDemuxer gives all frames of H264 with B-frames and AAC with their times (needs ffmpeg)",
  ...options,
  fn: () => {
    const file = cameraFile("-c:a", "aac", "-b:a", "64k");
    for (const size of [1, 187, 188, 1316, 1 << 20]) {
      const frames = demux(make, size === 1 ? file.subarray(0, 40_000) : file, size);
      if (size === 1) {
        assert(frames.length > 5);
        continue;
      }
      const video = frames.filter(({ stream }) => stream.codec!.name === "H264").map(({ frame }) => frame);
      assert.deepEqual(video.map(({ pts, dts }) => ({ pts, dts: dts! })), ffprobeTimes(file, "v"));
      assert.deepEqual(video.map(({ isKeyframe }) => isKeyframe).lastIndexOf(true), 25);
      assert(video[0]!.isKeyframe && video[0]!.codec!.width === 320);
      assert(video.every(({ payload }) => payload.units().every((nal) => nal.length > 0 && (nal[0]! & 31) !== 9)));
      const audio = frames.filter(({ stream }) => stream.codec!.name === "MPEG4-GENERIC");
      assert.equal(audio[0]!.stream.codec!.clockRate, 44100);
      const times = audio.map(({ frame }) => frame.pts);
      assert.equal(times.length, ffprobeTimes(file, "a").length);
      for (let i = 1; i < times.length; i++) assert.equal(times[i]! - times[i - 1]!, 1024);
      assert.equal(times[0], Math.round(ffprobeTimes(file, "a")[0]!.pts * 44100 / 90000));
    }
  },
});

const cases: { name: string; codec: string; rate: number; args: string[]; step: number }[] = [
  {
    name: "AAC in LATM",
    codec: "MPEG4-GENERIC",
    rate: 44100,
    step: 1024,
    args: ["-c:a", "aac", "-mpegts_flags", "latm"],
  },
  { name: "Opus", codec: "OPUS", rate: 48000, step: 960, args: ["-c:a", "libopus", "-ar", "48000"] },
  { name: "MP3", codec: "MPA", rate: 90000, step: 2351, args: ["-c:a", "libmp3lame"] },
];
for (const { name, codec, rate, args, step } of cases) {
  Deno.test({
    name: `MpegTsDemuxer gives all frames of ${name} (needs ffmpeg)`,
    ...options,
    fn: () => {
      const file = cameraFile(...args);
      const frames = demux(make, file).filter(({ stream }) => stream.codec!.name === codec);
      assert.equal(frames[0]!.stream.codec!.clockRate, rate);
      const seconds = (frames.at(-1)!.frame.pts - frames[0]!.frame.pts) / rate;
      assert(seconds > 1.8 && seconds < 2.2, `${seconds} s`);
      for (let i = 1; i < frames.length; i++) {
        const distance = frames[i]!.frame.pts - frames[i - 1]!.frame.pts;
        assert(Math.abs(distance - step) <= rate / 500, `${distance} ticks at frame ${i}`);
      }
    },
  });
}

Deno.test({
  name: "MpegTsDemuxer gives H265 (needs ffmpeg)",
  ...options,
  fn: () => {
    const h265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:bframes=2:keyint=25"];
    const file = ffmpeg("mpegts", ...testPicture(2), ...h265);
    const frames = demux(make, file).map(({ frame }) => frame);
    assert.deepEqual(frames.map(({ pts, dts }) => ({ pts, dts: dts! })), ffprobeTimes(file, "v"));
    assert.equal(frames[0]!.codec!.height, 240);
  },
});

Deno.test({
  name: "MpegTsDemuxer finds its way back after garbage and marks what was hit (needs ffmpeg)",
  ...options,
  fn: () => {
    const file = cameraFile("-c:a", "aac");
    const middle = 188 * Math.floor(file.length / 376);
    const garbage = Uint8Array.from({ length: 5000 }, (_, i) => i % 7 === 0 ? 0x47 : i);
    const hit = new Uint8Array([...garbage, ...file.subarray(0, middle), ...garbage, ...file.subarray(middle + 188)]);
    const whole = demux(make, file);
    const frames = demux(make, hit);
    assert(whole.length - frames.length <= 1);
    assert(frames.filter(({ frame }) => frame.isCorrupt).length <= 2);
  },
});

Deno.test({
  name: "MpegTsDemuxer takes packets of 204 and 192 bytes (needs ffmpeg)",
  ...options,
  fn: () => {
    const file = cameraFile("-c:a", "aac");
    const packets = Array.from({ length: file.length / 188 }, (_, i) => file.subarray(i * 188, i * 188 + 188));
    const count = demux(make, file).length;
    const checked = new Uint8Array(packets.flatMap((packet) => [...packet, ...new Array(16).fill(9)]));
    const stamped = new Uint8Array(packets.flatMap((packet) => [1, 2, 3, 4, ...packet]));
    assert.equal(demux(make, checked).length, count);
    assert.equal(demux(make, stamped).length, count);
  },
});

/** One transport packet, stuffed by its adaptation field. */
function packet(pid: number, isStart: boolean, counter: number, payload: readonly number[]): number[] {
  const stuffing = 184 - payload.length;
  const head = [0x47, (isStart ? 0x40 : 0) | pid >> 8, pid & 255, (stuffing > 0 ? 0x30 : 0x10) | counter & 15];
  if (stuffing > 0) head.push(stuffing - 1);
  if (stuffing > 1) head.push(0, ...new Array(stuffing - 2).fill(255));
  return [...head, ...payload];
}

const PAT = [0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0, 0, 0, 0];
function pmt(...entries: number[][]): number[] {
  const body = entries.flatMap(([type, pid]) => [type!, 0xe0 | pid! >> 8, pid! & 255, 0xf0, 0]);
  return [0, 2, 0xb0, 13 + body.length, 0, 1, 0xc1, 0, 0, 0xff, 0xff, 0xf0, 0, ...body, 0, 0, 0, 0];
}
function pes(pts: number, payload: readonly number[]): number[] {
  const time = [
    0x21 | Math.floor(pts / 2 ** 30) << 1,
    pts >> 22 & 255,
    pts >> 14 | 1,
    pts >> 7 & 255,
    pts << 1 & 255 | 1,
  ];
  return [0, 0, 1, 0xc0, 0, payload.length + 8, 0x80, 0x80, 5, ...time.map((byte) => byte & 255), ...payload];
}

Deno.test("Quirk(TP-Link Tapo): private types 0x90 and 0x91 are G.711 at 8 and 16 kHz", () => {
  const bytes = [
    ...packet(0, true, 0, PAT),
    ...packet(0x1000, true, 0, pmt([0x90, 0x44], [0x91, 0x45])),
    ...packet(0x44, true, 0, pes(90000, [1, 2, 3, 4])),
    ...packet(0x45, true, 0, pes(90000, [5, 6])),
  ];
  const frames = demux(make, new Uint8Array(bytes), 200);
  assert.deepEqual(frames.map(({ stream }) => [stream.id, stream.codec!.name, stream.codec!.clockRate]), [
    [0x44, "PCMA", 8000],
    [0x45, "PCMU", 16000],
  ]);
  assert.deepEqual(frames.map(({ frame }) => frame.pts), [8000, 16000]);
});

Deno.test("MpegTsDemuxer unwraps times over 33 bits and gives a frame as soon as its length is reached", () => {
  const found: number[] = [];
  const demuxer = new MpegTsDemuxer((_, frame) => found.push(frame.pts));
  const push = (bytes: number[]) => demuxer.push(new Uint8Array(bytes));
  push([...packet(0, true, 0, PAT), ...packet(0x1000, true, 0, pmt([0x90, 0x44]))]);
  const start = 2 ** 33 - 90000;
  for (let i = 0; i < 4; i++) push(packet(0x44, true, i, pes((start + i * 45000) % 2 ** 33, new Array(100).fill(i))));
  assert.deepEqual(found.map((pts) => pts - found[0]!), [0, 4000, 8000, 12000].slice(0, found.length));
  assert.equal(found.length, 4);
});

Deno.test("Quirk(counters that never count): frames are not taken for corrupt", () => {
  const bytes = [...packet(0, true, 0, PAT), ...packet(0x1000, true, 0, pmt([0x90, 0x44]))];
  for (let i = 0; i < 50; i++) bytes.push(...packet(0x44, true, 0, pes(i * 1800, [i])));
  const frames = demux(make, new Uint8Array(bytes));
  assert.equal(frames.length, 50);
  assert(frames.every(({ frame }) => !frame.isCorrupt));
});

Deno.test("MpegTsDemuxer marks the picture corrupt before which one was lost whole, unless it is a keyframe", () => {
  const unit = (nal: Uint8Array) => [0, 0, 1, ...nal];
  const idr = [h264.sps, h264.pps, h264.idr()].flatMap(unit);
  const bytes = [...packet(0, true, 0, PAT), ...packet(0x1000, true, 0, pmt([0x1b, 0x44]))];
  for (let i = 0; i < 60; i++) {
    if (i === 40 || i === 49) continue;
    bytes.push(...packet(0x44, true, i & 15, pes(i * 3600, i % 50 === 0 ? idr : unit(h264.slice()))));
  }
  const frames = demux(make, new Uint8Array(bytes)).map(({ frame }) => frame);
  assert.equal(frames.length, 58);
  assert.deepEqual(frames.filter((frame) => frame.isCorrupt).map(({ pts }) => pts / 3600), [41]);
});

Deno.test("MpegTsDemuxer follows a change of the program map", () => {
  const demuxer = new MpegTsDemuxer(() => {});
  demuxer.push(
    new Uint8Array([
      ...packet(0, true, 0, PAT),
      ...packet(0x1000, true, 0, pmt([0x90, 0x44], [0x1b, 0x50])),
      ...packet(0x1000, true, 1, pmt([0x1b, 0x50], [0x91, 0x60])),
    ]),
  );
  assert.deepEqual(demuxer.streams.map(({ id }) => id), [0x50, 0x60]);
});

Deno.test("MpegTsDemuxer neither throws nor grows on random, cut and mutated bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 }), (pieces) => {
      demux(make, new Uint8Array(pieces.flatMap((piece) => [...piece])), 77);
    }),
    { numRuns: 100 },
  );
  const base = [
    ...packet(0, true, 0, PAT),
    ...packet(0x1000, true, 0, pmt([0x1b, 0x44], [0x0f, 0x45], [0x11, 0x46], [6, 0x47])),
  ];
  for (let i = 0; i < 20; i++) {
    base.push(...packet(0x44 + i % 4, i % 3 === 0, i, pes(i * 1800, new Array(80).fill(i * 37 & 255))));
  }
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 40 }),
      fc.nat(base.length),
      (changes, cut) => {
        const bytes = new Uint8Array(base);
        for (const [at, value] of changes) bytes[at] = value;
        demux(make, bytes.subarray(0, cut), 190);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("MpegTsDemuxer gives up a PES packet that never ends", () => {
  const demuxer = new MpegTsDemuxer(() => {});
  demuxer.push(
    new Uint8Array([
      ...packet(0, true, 0, PAT),
      ...packet(0x1000, true, 0, pmt([0x1b, 0x44])),
      ...packet(0x44, true, 0, [0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0]),
    ]),
  );
  const rest = new Uint8Array(
    Array.from({ length: 1000 }, (_, i) => packet(0x44, false, i + 1, new Array(184).fill(1))).flat(),
  );
  for (let i = 0; i < 60; i++) demuxer.push(rest);
  assert.equal(demuxer.malformed, 1);
});
