import assert from "node:assert/strict";
import { h264 } from "../rtp/testing.ts";
import { NalStream } from "./nal_stream.ts";

const { sps, pps, sei, aud } = h264;
const times = (pts: number, isCorrupt = false) => ({ pts, isCorrupt, arrivalMs: pts / 90 });

Deno.test("NalStream.frame() puts units that come in packets of their own before the slice that follows", () => {
  const nals = new NalStream("H264");
  for (const unit of [sps, aud, pps, sei]) assert.equal(nals.frame([unit], times(0)), undefined);
  const idr = nals.frame([aud, h264.idr()], times(0))!;
  assert.deepEqual(idr.payload.units(), [sps, pps, sei, h264.idr()]);
  assert.deepEqual([idr.isKeyframe, idr.isCorrupt, idr.codec?.width], [true, false, 640]);
  const next = nals.frame([h264.slice()], times(3600))!;
  assert.deepEqual(next.payload.units(), [h264.slice()]);
});

Deno.test("NalStream.frame() marks the picture corrupt whose units before it were", () => {
  const nals = new NalStream("H264");
  nals.frame([sps, pps, h264.idr()], times(0));
  nals.frame([sei], times(3600, true));
  assert.deepEqual([3600, 7200].map((pts) => nals.frame([h264.slice()], times(pts))!.isCorrupt), [true, false]);
});

Deno.test("NalStream.frame() gives up units that no slice ever follows", () => {
  const nals = new NalStream("H264");
  nals.frame([sps, pps, h264.idr()], times(0));
  for (let i = 0; i < 100; i++) nals.frame([Uint8Array.of(6, ...new Uint8Array(4000))], times(i));
  const next = nals.frame([h264.slice()], times(3600))!;
  assert.ok(next.isCorrupt && next.payload.byteLength < 70_000);
});
