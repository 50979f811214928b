import assert from "node:assert/strict";
import { hex, survives } from "./testing.ts";
import { isVp8Keyframe, vp8Size } from "./vp8.ts";

// The first bytes of frames of libvpx, 320x180.
const KEY_FRAME = hex("1062009d012a4001b4000007088585888584");
const INTER_FRAME = hex("d116000f112c001eaf7b7160e808d1c689ae");

Deno.test("isVp8Keyframe() and vp8Size() read libvpx's frames", () => {
  assert.equal(isVp8Keyframe(KEY_FRAME), true);
  assert.equal(isVp8Keyframe(INTER_FRAME), false);
  assert.deepEqual(vp8Size(KEY_FRAME), { width: 320, height: 180 });
  assert.equal(vp8Size(INTER_FRAME), undefined);
});

Deno.test("vp8Size() leaves the scale out", () => {
  const scaled = KEY_FRAME.slice();
  scaled[7]! |= 0x40;
  scaled[9]! |= 0x80;
  assert.deepEqual(vp8Size(scaled), { width: 320, height: 180 });
});

Deno.test("vp8Size() survives any bytes", () => survives(vp8Size, [KEY_FRAME]));
