import assert from "node:assert/strict";
import { hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";
import { isVp9Keyframe, parseVp9Header, vp9CodecString, vp9Config, vp9Level } from "./vp9.ts";

// The first bytes of frames of libvpx-vp9, 320x180.
const PROFILE0 = hex("824983420013f00b360438241c1842000b20");
const PROFILE2 = hex("92498342 0009f8059b021c120e0c29000510");
const PROFILE1 = hex("a249834200027e0166c08704838308400164");
const INTER_FRAMES = ["86004092f041250000c06b59", "96004092f041290000ac6d14", "a6004092f0512500012c6b7e"].map(hex);

Deno.test("isVp9Keyframe() tells key frames of every profile", () => {
  for (const frame of [PROFILE0, PROFILE1, PROFILE2]) assert.equal(isVp9Keyframe(frame), true);
  for (const frame of INTER_FRAMES) assert.equal(isVp9Keyframe(frame), false);
  assert.equal(isVp9Keyframe(hex("b0")), true, "profile 3");
  assert.equal(isVp9Keyframe(hex("b2")), false, "profile 3, inter");
  assert.equal(isVp9Keyframe(hex("88")), false, "shown again");
  assert.equal(isVp9Keyframe(hex("02")), false, "no frame marker");
  assert.equal(isVp9Keyframe(hex("")), false);
});

Deno.test("parseVp9Header() reads libvpx's key frames", () => {
  const header = parseVp9Header(PROFILE0)!;
  assert.deepEqual(header, {
    profile: 0,
    bitDepth: 8,
    colorSpace: 0,
    isFullRange: false,
    subsamplingX: true,
    subsamplingY: true,
    width: 320,
    height: 180,
  });
  assert.deepEqual(parseVp9Header(PROFILE2), { ...header, profile: 2, bitDepth: 10 });
  assert.deepEqual(parseVp9Header(PROFILE1), { ...header, profile: 1, subsamplingX: false, subsamplingY: false });
  assert.equal(parseVp9Header(INTER_FRAMES[0]!), undefined);
  assert.equal(parseVp9Header(PROFILE0.subarray(0, 7)), undefined);
});

Deno.test("vp9Config() and vp9CodecString() describe a key frame", () => {
  const header = parseVp9Header(PROFILE0)!;
  assert.equal(toHex(vp9Config(header)), "01000000000b820202020000");
  assert.equal(vp9CodecString(header), "vp09.00.11.08");
  assert.equal(toHex(vp9Config(parseVp9Header(PROFILE2)!)), "01000000020ba20202020000");
  assert.equal(toHex(vp9Config({ ...header, colorSpace: 2, isFullRange: true })), "01000000000b830101010000");
});

Deno.test("vp9Level() grows with the picture", () => {
  const levels = [[256, 144], [1280, 720], [1920, 1080], [3840, 2160], [16384, 8704]] as const;
  assert.deepEqual(levels.map(([width, height]) => vp9Level({ width, height })), [10, 31, 40, 50, 62]);
});

Deno.test("parseVp9Header() survives any bytes", () => survives(parseVp9Header, [PROFILE0, PROFILE1, PROFILE2]));
