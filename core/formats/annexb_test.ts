import assert from "node:assert/strict";
import fc from "fast-check";
import { joinAnnexB } from "../codecs/annexb.ts";
import { AnnexBDemuxer, nalCodecOf } from "./annexb.ts";
import type { FrameListener } from "./demuxer.ts";
import { demux, ffmpeg, hasFfmpeg, testPicture } from "./testing.ts";

const make = (onFrame: FrameListener) => new AnnexBDemuxer(onFrame);

for (const [name, format, encoder] of [["H264", "h264", "libx264"], ["H265", "hevc", "libx265"]] as const) {
  Deno.test({
    name: `AnnexBDemuxer cuts ${name} into its pictures, of several slices each (needs ffmpeg)`,
    ignore: !hasFfmpeg,
    fn: () => {
      const params = name === "H264"
        ? ["-x264-params", "slices=3"]
        : ["-x265-params", "log-level=error:slices=2:bframes=0:keyint=20"];
      const file = ffmpeg(format, ...testPicture(2), "-c:v", encoder, "-preset", "ultrafast", "-g", "20", ...params);
      for (const size of [1, 3, 1000, 1 << 20]) {
        const frames = demux(make, file, size);
        assert.equal(frames.length, 50, `in pieces of ${size}`);
        assert.deepEqual(frames.flatMap(({ frame }, i) => frame.isKeyframe ? [i] : []), [0, 20, 40]);
        assert.equal(frames[0]!.stream.codec!.name, name);
        assert.equal(frames[0]!.stream.codec!.width, 320);
        for (let i = 1; i < 50; i++) assert(frames[i]!.frame.pts > frames[i - 1]!.frame.pts);
      }
    },
  });
  Deno.test({
    name: `AnnexBDemuxer takes ${name} that begins with SEI and in the middle of a GOP (needs ffmpeg)`,
    ignore: !hasFfmpeg,
    fn: () => {
      const params = name === "H264" ? [] : ["-x265-params", "log-level=error:bframes=0:keyint=10"];
      const file = ffmpeg(format, ...testPicture(1), "-c:v", encoder, "-preset", "ultrafast", "-g", "10", ...params);
      const sei = name === "H264" ? [6, 5, 1, 0, 0x80] : [0x4e, 1, 5, 1, 0, 0x80];
      const slice = name === "H264" ? [0x41, 0x9a, 1] : [2, 1, 0xd0, 1];
      const start = joinAnnexB([Uint8Array.from(sei), Uint8Array.from(slice)]);
      const frames = demux(make, new Uint8Array([9, 9, 9, ...start, ...file]));
      assert.equal(frames.length, 25);
      assert(frames[0]!.frame.isKeyframe);
    },
  });
}

Deno.test("nalCodecOf() tells H264 from H265 by the units that streams begin with", () => {
  const cases: [number[], string | undefined][] = [
    [[0x67, 0x64], "H264"],
    [[0x27, 0x42], "H264"],
    [[0x09, 0xf0], "H264"],
    [[0x06, 0x05], "H264"],
    [[0x68, 0xee], "H264"],
    [[0x40, 0x01], "H265"],
    [[0x42, 0x01], "H265"],
    [[0x46, 0x01], "H265"],
    [[0x4e, 0x01], "H265"],
    [[0x65, 0x88], undefined],
    [[0xff, 0xd8], undefined],
    [[0x67], undefined],
  ];
  for (const [nal, name] of cases) assert.equal(nalCodecOf(Uint8Array.from(nal)), name);
});

Deno.test("AnnexBDemuxer steers times towards the arrival, whatever pieces the stream comes in", () => {
  const sps = Uint8Array.from("67640029acb403c0113f2a".match(/../g)!, (byte) => parseInt(byte, 16));
  const picture = (type: number) => joinAnnexB([Uint8Array.of(type, 0x88, 1, 2)]);
  const times: number[] = [];
  const demuxer = new AnnexBDemuxer((_, { pts }) => times.push(pts));
  demuxer.push(joinAnnexB([sps, Uint8Array.from([0x68, 0xee, 0x3c, 0x80])]), 0);
  for (let i = 0; i < 100; i++) demuxer.push(picture(i === 0 ? 0x65 : 0x41), 1000 + i * 66);
  assert(Math.abs(times.at(-1)! - times[0]! - 98 * 66 * 90) < 90 * 200);
});

Deno.test("AnnexBDemuxer neither throws nor grows on random bytes, and gives up what never ends", () => {
  const piece = fc.array(fc.constantFrom(0, 0, 1, 0x67, 0x68, 0x65, 0x41, 0x80, 6, 9, 0x40, 0x42, 0x44, 0x26), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      demux(make, new Uint8Array(pieces.flat()), 7);
    }),
    { numRuns: 200 },
  );
  const demuxer = new AnnexBDemuxer(() => {});
  demuxer.push(Uint8Array.of(0, 0, 0, 1, 0x67, 1, 2));
  const rest = new Uint8Array(1 << 20).fill(7);
  for (let i = 0; i < 20; i++) demuxer.push(rest);
  assert(demuxer.skipped > 16 << 20);
});
