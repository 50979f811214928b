import assert from "node:assert/strict";
import {
  type Frame,
  makeRtpPacket,
  rtpMarker,
  rtpPayloadType,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
  Units,
} from "../../core/mod.ts";
import { forgottenPicture } from "./forgotten_picture.ts";

const first = makeRtpPacket({ marker: false, payloadType: 97, sequence: 0, timestamp: 100, ssrc: 5 }, Uint8Array.of(1));
const frame: Frame = {
  index: 0,
  order: 0,
  timestamp: 0,
  compositionOffset: 7200,
  isKeyframe: true,
  isCorrupt: false,
  arrivalMs: 0,
  generation: 0,
  payload: new Units([]),
  position: 0,
};

Deno.test("Quirk(ffmpeg): a picture that it may forget goes before pictures out of order", () => {
  const it = { userAgent: "Lavf59.27.100", codecName: "H264", frame };
  const packet = forgottenPicture(it, first)!;
  assert.deepEqual([rtpSequence(packet), rtpTimestamp(packet), rtpSsrc(packet)], [65535, 0xffffffff - 3499, 5]);
  assert.deepEqual([rtpPayloadType(packet), rtpMarker(packet)], [97, true]);
  assert.ok(forgottenPicture({ ...it, codecName: "H265" }, first));
  assert.equal(forgottenPicture({ ...it, codecName: "VP8" }, first), undefined);
  assert.equal(forgottenPicture({ ...it, userAgent: "LibVLC/3.0.18" }, first), undefined);
  assert.equal(forgottenPicture({ ...it, frame: { ...frame, compositionOffset: 0 } }, first), undefined);
});
