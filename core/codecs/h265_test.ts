import assert from "node:assert/strict";
import {
  h265Fmtp,
  H265Nal,
  h265NalType,
  type H265Sps,
  hevcCodecString,
  hevcConfig,
  isH265Keyframe,
  parseH265Fmtp,
  parseH265Sps,
  parseHevcConfig,
} from "./h265.ts";
import { hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

// From libx265; the expected values are what ffprobe says.
const MAIN = [
  "40010c01ffff01600000030090000003000003003c959809",
  "42010101600000030090000003000003003ca00a080b9f796566924caf016808000003000800000300c840",
  "4401c172b46240",
].map(hex);
const MAIN10 = [
  "40010c01ffff02200000030090000003000003003c928090",
  "42010102200000030090000003000003003ca00a080b9f6d964a924caf016808000003000800000300c840",
  "4401c172b46240",
].map(hex);
const TWO_LAYERS = hex(
  "4201020408000003009d0800000300003c0000b00a080b9f2b659598acd24995e02d010000030001000003001908",
);

const SPS: readonly (readonly [string, Uint8Array, Partial<H265Sps>])[] = [
  ["Main with B-frames", MAIN[1]!, {
    profileIdc: 1,
    tier: 0,
    levelIdc: 60,
    width: 320,
    height: 180,
    reorderDepth: 2,
    frameRate: 25,
    bitDepth: 8,
    chromaFormat: 1,
    isTemporalIdNested: true,
  }],
  ["Main 10 without B-frames", MAIN10[1]!, { profileIdc: 2, bitDepth: 10, width: 320, height: 180, reorderDepth: 0 }],
  ["Main 1080p", hex("420101016000000300900000030000030078a003c0801107cb96e92930bc05a02000000300200000030321"), {
    width: 1920,
    height: 1080,
    reorderDepth: 0,
    frameRate: 25,
  }],
  ["4:2:2 with two temporal layers", TWO_LAYERS, {
    profileIdc: 4,
    chromaFormat: 2,
    bitDepth: 10,
    temporalLayers: 2,
    width: 320,
    height: 180,
    reorderDepth: 2,
    frameRate: 25,
  }],
  ["scaling lists", hex("42010101600000030090000003000003003ca00a080b9f796566924e5780b4040000030004000003006420"), {
    width: 320,
    reorderDepth: 2,
    frameRate: 25,
  }],
];

for (const [name, sps, expected] of SPS) {
  Deno.test(`parseH265Sps() reads ${name}`, () => {
    const parsed = parseH265Sps(sps);
    const found = Object.fromEntries(Object.keys(expected).map((key) => [key, parsed[key as keyof H265Sps]]));
    assert.deepEqual(found, expected);
  });
}

Deno.test("parseH265Sps() reads a set whose tools are cut short, and refuses other units", () => {
  const { width, height, frameRate } = parseH265Sps(MAIN[1]!.subarray(0, 30));
  assert.deepEqual({ width, height, frameRate }, { width: 320, height: 180, frameRate: undefined });
  assert.throws(() => parseH265Sps(MAIN[0]!), RangeError);
  assert.throws(() => parseH265Sps(MAIN[1]!.subarray(0, 12)), RangeError);
});

Deno.test("h265NalType() and isH265Keyframe() tell what a decoder can start at", () => {
  assert.deepEqual(MAIN.map(h265NalType), [H265Nal.VPS, H265Nal.SPS, H265Nal.PPS]);
  const types = [0, 1, 9, 15, 16, 18, 19, 20, 21, 22, 32, 39];
  assert.deepEqual(types.filter(isH265Keyframe), [16, 18, 19, 20, 21]);
});

Deno.test("h265Fmtp() and parseH265Fmtp() are inverse", () => {
  const fmtp = h265Fmtp([...MAIN].reverse());
  assert.equal(
    fmtp,
    "profile-id=1;sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwA8lZgJ;" +
      "sprop-sps=QgEBAWAAAAMAkAAAAwAAAwA8oAoIC595ZWaSTK8BaAgAAAMACAAAAwDIQA==;sprop-pps=RAHBcrRiQA==",
  );
  assert.deepEqual(parseH265Fmtp(fmtp), MAIN);
  assert.deepEqual(parseH265Fmtp("sprop-sps=%%;sprop-pps=RAHBcrRiQA"), [MAIN[2]]);
  assert.equal(h265Fmtp(MAIN10).slice(0, 12), "profile-id=2");
  assert.equal(h265Fmtp([]), "profile-id=1");
});

Deno.test("hevcConfig() writes what ffmpeg writes", () => {
  assert.equal(
    toHex(hevcConfig(MAIN10)),
    "0102200000009000000000003cf000fcfdfafa00000f032000010018" + toHex(MAIN10[0]!) + "210001002b" + toHex(MAIN10[1]!) +
      "2200010007" + toHex(MAIN10[2]!),
  );
  assert.equal(hevcConfig(MAIN, true)[23], 0xa0);
  assert.throws(() => hevcConfig([MAIN[0]!]), RangeError);
});

Deno.test("parseHevcConfig() undoes hevcConfig() and leaves SEI out", () => {
  const record = hevcConfig(MAIN);
  assert.deepEqual(parseHevcConfig(record), { lengthSize: 4, parameterSets: MAIN });
  const withSei = Uint8Array.from([...record, 0xa7, 0, 1, 0, 3, 0x4e, 1, 5]);
  withSei[22]!++;
  assert.deepEqual(parseHevcConfig(withSei).parameterSets, MAIN);
  assert.throws(() => parseHevcConfig(record.subarray(0, 40)), RangeError);
});

Deno.test("hevcCodecString() has profile, compatibility, tier, level and constraints", () => {
  assert.equal(hevcCodecString(MAIN), "hvc1.1.6.L60.90");
  assert.equal(hevcCodecString(MAIN10), "hvc1.2.4.L60.90");
  assert.equal(hevcCodecString([TWO_LAYERS]), "hvc1.4.10.L60.9D.8");
});

Deno.test("parseH265Sps() and parseHevcConfig() survive any bytes", () => {
  survives(parseH265Sps, SPS.map(([, sps]) => sps));
  survives(parseHevcConfig, [hevcConfig(MAIN)]);
});
