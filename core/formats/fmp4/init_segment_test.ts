import assert from "node:assert/strict";
import { parseAudioSpecificConfig } from "../../codecs/aac.ts";
import { parseAvcConfig, parseH264Sps } from "../../codecs/h264.ts";
import { H265Nal, h265NalType, parseH265Sps, parseHevcConfig } from "../../codecs/h265.ts";
import { type Codec, codec } from "../../media/codec.ts";
import { fmp4InitSegment } from "./init_segment.ts";
import { fmp4Codecs } from "./mime.ts";
import { type Fmp4FileTrack, readFmp4 } from "./reader.ts";

function read(one: Codec, options: Parameters<typeof fmp4InitSegment>[1] = {}): Fmp4FileTrack {
  return readFmp4(fmp4InitSegment([{ id: 3, codec: one }], options)).tracks[0]!;
}

Deno.test("fmp4InitSegment() puts parameter sets of 1920x1080 in the place of those that are not known", () => {
  const avc = read(codec("H264"));
  assert.deepEqual([avc.id, avc.entry, avc.timescale, avc.width, avc.height], [4, "avc1", 90000, 1920, 1080]);
  const sps = parseH264Sps(parseAvcConfig(avc.config.get("avcC")!).parameterSets[0]!);
  assert.deepEqual([sps.width, sps.height, sps.profileIdc, sps.levelIdc], [1920, 1080, 100, 41]);
  const hvc = read(codec("H265"));
  const sets = parseHevcConfig(hvc.config.get("hvcC")!).parameterSets;
  assert.deepEqual(sets.map(h265NalType), [H265Nal.VPS, H265Nal.SPS, H265Nal.PPS]);
  const { width, height } = parseH265Sps(sets[1]!);
  assert.deepEqual([hvc.entry, width, height], ["hvc1", 1920, 1080]);
});

Deno.test("fmp4InitSegment() survives parameter sets that cannot be read", () => {
  for (const name of ["H264", "H265", "AV1", "MPEG4-GENERIC", "FLAC"]) {
    const broken = codec(name, {
      clockRate: 48000,
      parameterSets: [Uint8Array.of(0x67), Uint8Array.of(0x68), new Uint8Array(0)],
    });
    assert.equal(readFmp4(fmp4InitSegment([{ id: 0, codec: broken }])).tracks.length, 1, name);
  }
});

Deno.test("fmp4InitSegment() muxes all that is listed", () => {
  const entries = fmp4Codecs.map((one) => read({ ...one, clockRate: one.kind === "video" ? 90000 : 48000 }).entry);
  assert.deepEqual(entries, [
    ...["avc1", "hvc1", "av01", "vp08", "vp09", "mp4a", "Opus", "fLaC", "mp4a"],
    ...["fLaC", "fLaC", "fLaC", "fLaC"],
  ]);
});

Deno.test("fmp4InitSegment() writes the object types of AAC and MP3", () => {
  const aac = read(codec("MPEG4-GENERIC", { clockRate: 44100, channels: 2 })).config.get("esds")!;
  const at = aac.indexOf(5, 30);
  assert.equal(aac[17], 0x40);
  const { objectType, sampleRate, channels } = parseAudioSpecificConfig(aac.subarray(at + 5));
  assert.deepEqual([objectType, sampleRate, channels], [2, 44100, 2]);
  assert.equal(read(codec("MPA", { clockRate: 90000 })).config.get("esds")![17], 0x6b);
});

Deno.test("fmp4InitSegment() turns the picture by its matrix and scales it by its pixel aspect", () => {
  const picture = codec("VP8", { width: 640, height: 480 });
  const one = 0x10000;
  const matrices: [number, number[]][] = [
    [0, [one, 0, 0, one, 0, 0]],
    [45, [one, 0, 0, one, 0, 0]],
    [90, [0, one, -one, 0, 480 * one, 0]],
    [180, [-one, 0, 0, -one, 640 * one, 480 * one]],
    [270, [0, -one, one, 0, 0, 640 * one]],
  ];
  for (const [rotate, expected] of matrices) {
    const { matrix } = read(picture, { rotate });
    assert.deepEqual([0, 1, 3, 4, 6, 7].map((i) => matrix[i]), expected);
  }
  const scaled = read(picture, { scale: [4, 3] });
  assert.deepEqual([...scaled.config.get("pasp")!], [0, 0, 0, 4, 0, 0, 0, 3]);
  assert.equal(scaled.width, Math.round(640 * 4 / 3));
});

Deno.test("fmp4InitSegment() throws for a codec that cannot be muxed", () => {
  assert.throws(() => read(codec("JPEG")), TypeError);
});
