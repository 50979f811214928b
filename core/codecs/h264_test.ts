import assert from "node:assert/strict";
import {
  avcCodecString,
  avcConfig,
  h264Fmtp,
  H264Nal,
  h264NalType,
  h264ProfileName,
  type H264Sps,
  parseAvcConfig,
  parseH264Fmtp,
  parseH264Sps,
} from "./h264.ts";
import { binary, hex, survives, ue } from "./testing.ts";
import { toHex } from "./text.ts";

// From libx264; the expected values are what ffprobe says.
const HIGH_WITH_B = "6764000cacd941419f9f011000000300100000030320f1429960";
const INTERLACED = "6764001eacd940b424d8088000000300800000190f8a14cb";
const SETS = [HIGH_WITH_B, "68ebe3cb22c0"].map(hex);

const SPS: readonly (readonly [string, string, Partial<H264Sps>])[] = [
  ["High with B-frames", HIGH_WITH_B, {
    profileIdc: 100,
    levelIdc: 12,
    width: 320,
    height: 180,
    reorderDepth: 2,
    frameRate: 25,
    isInterlaced: false,
    sampleAspect: [1, 1],
  }],
  ["Main without B-frames", "674d400cd901419f9f011000000300100000030320f142a480", {
    profileIdc: 77,
    constraints: 0x40,
    width: 320,
    height: 180,
    reorderDepth: 0,
  }],
  ["Constrained Baseline 1080p", "6742c028da01e0089f97011000000300100000030328f1832a", {
    profileIdc: 66,
    constraints: 0xc0,
    levelIdc: 40,
    width: 1920,
    height: 1080,
    reorderDepth: 0,
    pictureOrderCountType: 2,
  }],
  ["High interlaced 576i", INTERLACED, { width: 720, height: 576, isInterlaced: true, frameRate: 25, reorderDepth: 2 }],
  ["Main interlaced 1080i", "674d4028f403c0227ef011000003000100000300321f162ea0", {
    width: 1920,
    height: 1080,
    isInterlaced: true,
    reorderDepth: 0,
  }],
  ["cropped at the left and the top", "6764000dacd941519d0866ffc0340033c400000fa40003a9803c50a658", {
    width: 320,
    height: 178,
    sampleAspect: [208, 207],
    frameRate: 30000 / 1001,
  }],
  ["High 10", "676e000ca6cd941419f9f011000003000100000300320f142996", { profileIdc: 110, bitDepth: 10, width: 320 }],
  ["High 10 Intra", "676e100ca6cb82833f3e022000000300200000064080", { reorderDepth: 0, bitDepth: 10, height: 180 }],
  ["High 4:2:2", "677a000cbcd941419f8dc044000003000400000300c83c50a658", { chromaFormat: 2, width: 320, height: 180 }],
  ["High 4:4:4", "67f4000c919b282833f1b808800000030080000019078a14cb", { chromaFormat: 3, width: 320, height: 180 }],
  ["High grey", "6764000cf36505067e37016c800000030080000019078a14cb", { chromaFormat: 0, width: 320, height: 180 }],
];

for (const [name, sps, expected] of SPS) {
  Deno.test(`parseH264Sps() reads ${name}`, () => {
    const parsed = parseH264Sps(hex(sps));
    const found = Object.fromEntries(Object.keys(expected).map((key) => [key, parsed[key as keyof H264Sps]]));
    assert.deepEqual(found, expected);
  });
}

// 320x180 without VUI, with the picture order count type in question.
function spsWithoutUsability(profileIdc: number, constraints: number, orderType: number): Uint8Array {
  const byte = (value: number) => value.toString(2).padStart(8, "0");
  const isHigh = profileIdc >= 100;
  return binary([
    ...["01100111", byte(profileIdc), byte(constraints), byte(30), ue(0)],
    isHigh ? `${ue(1)}${ue(0)}${ue(0)}00` : "",
    ...[ue(0), ue(orderType), orderType === 0 ? ue(4) : ""],
    ...[ue(4), "0", ue(19), ue(11), "1", "1", "1", ue(0), ue(0), ue(0), ue(6), "0", "1"],
  ].join(""));
}

const DEPTHS: readonly (readonly [string, Uint8Array, number | undefined])[] = [
  ["Baseline", spsWithoutUsability(66, 0, 0), 0],
  ["Constrained Baseline", spsWithoutUsability(66, 0xc0, 0), 0],
  ["pictures in order", spsWithoutUsability(77, 0, 2), 0],
  ["High Intra by constraint_set3", spsWithoutUsability(110, 0x10, 0), 0],
  ["Main", spsWithoutUsability(77, 0, 0), undefined],
  ["constraint_set3 of Main, which means nothing", spsWithoutUsability(77, 0x10, 0), undefined],
  ["High", spsWithoutUsability(100, 0, 0), undefined],
];

for (const [name, sps, depth] of DEPTHS) {
  Deno.test(`parseH264Sps().reorderDepth without VUI is ${depth} for ${name}`, () => {
    const { reorderDepth, width, height } = parseH264Sps(sps);
    assert.deepEqual({ reorderDepth, width, height }, { reorderDepth: depth, width: 320, height: 180 });
  });
}

Deno.test("parseH264Sps() reads a set whose VUI is cut short", () => {
  const { width, height, reorderDepth } = parseH264Sps(hex(HIGH_WITH_B).subarray(0, 14));
  assert.deepEqual({ width, height, reorderDepth }, { width: 320, height: 180, reorderDepth: undefined });
});

Deno.test("parseH264Sps() refuses other units and impossible pictures", () => {
  assert.throws(() => parseH264Sps(SETS[1]!), RangeError);
  assert.throws(() => parseH264Sps(hex("6742c01e")), RangeError);
  const huge = binary(`01100111 01000010 00000000 00011110 ${ue(0)}${ue(0)}${ue(2)}${ue(1)}0${ue(5000)}${ue(1)}110`);
  assert.throws(() => parseH264Sps(huge), /larger than any level/);
});

Deno.test("h264NalType() and h264ProfileName() name what they get", () => {
  assert.deepEqual(SETS.map(h264NalType), [H264Nal.SPS, H264Nal.PPS]);
  assert.deepEqual([66, 77, 88, 100, 110, 9].map(h264ProfileName), [
    ...["Baseline", "Main", "Extended", "High"],
    ...["0x6E", "0x09"],
  ]);
});

Deno.test("h264Fmtp() and parseH264Fmtp() are inverse", () => {
  const fmtp = h264Fmtp([SETS[1]!, SETS[0]!]);
  assert.equal(
    fmtp,
    "packetization-mode=1;profile-level-id=64000C;" +
      "sprop-parameter-sets=Z2QADKzZQUGfnwEQAAADABAAAAMDIPFCmWA=,aOvjyyLA",
  );
  assert.deepEqual(parseH264Fmtp(fmtp), SETS);
  assert.equal(h264Fmtp([]), "packetization-mode=1");
});

const FMTPS: readonly (readonly [string, string, readonly string[]])[] = [
  ["no padding, spaces, other case", "a=1; Sprop-Parameter-Sets= aOvjyyLA ", ["68ebe3cb22c0"]],
  ["picture set first", "sprop-parameter-sets=aOvjyyLA,Z0LADA==", ["6742c00c", "68ebe3cb22c0"]],
  ["start codes inside", "sprop-parameter-sets=AAAAAWdCwAwAAAABaOvjyyLA", ["6742c00c", "68ebe3cb22c0"]],
  ["an empty and a broken set", "sprop-parameter-sets=,%%%,aOvjyyLA", ["68ebe3cb22c0"]],
  ["none", "packetization-mode=1", []],
];

for (const [name, fmtp, sets] of FMTPS) {
  Deno.test(`parseH264Fmtp() takes ${name}`, () => assert.deepEqual(parseH264Fmtp(fmtp).map(toHex), sets));
}

Deno.test("avcConfig() writes what ffmpeg writes", () => {
  assert.equal(
    toHex(avcConfig(SETS)),
    "0164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800",
  );
  const baseline = ["6742c00cd901419f9f011000000300100000030320f142a480", "68cb83cb20"].map(hex);
  assert.equal(
    toHex(avcConfig(baseline)),
    "0142c00cffe100196742c00cd901419f9f011000000300100000030320f142a48001000568cb83cb20",
  );
  assert.throws(() => avcConfig([SETS[1]!]), RangeError);
});

Deno.test("parseAvcConfig() undoes avcConfig(), and takes a record without picture sets", () => {
  const record = avcConfig(SETS);
  assert.deepEqual(parseAvcConfig(record), { lengthSize: 4, parameterSets: SETS });
  assert.deepEqual(parseAvcConfig(hex("0142c00cfde1000467 42c00c")), {
    lengthSize: 2,
    parameterSets: [hex("6742c00c")],
  });
  assert.throws(() => parseAvcConfig(record.subarray(0, 20)), RangeError);
});

Deno.test("avcCodecString() names profile, constraints and level", () => {
  assert.equal(avcCodecString(SETS), "avc1.64000C");
  assert.throws(() => avcCodecString([]), RangeError);
});

Deno.test("parseH264Sps() and parseAvcConfig() survive any bytes", () => {
  survives(parseH264Sps, SPS.slice(0, 6).map(([, sps]) => hex(sps)));
  survives(parseAvcConfig, [avcConfig(SETS)]);
});
