import assert from "node:assert/strict";
import { codec } from "../../media/codec.ts";
import { h264, nal, TestSender } from "../testing.ts";
import { concat, Look } from "./format.ts";
import { h264Payload } from "./h264.ts";

const { sps, pps, sei, aud } = h264;
const START_CODE = Uint8Array.of(0, 0, 0, 1);
const depacketizer = h264Payload.depacketizer(codec("H264"));

function read(...payloads: readonly Uint8Array[]): number[][] {
  return depacketizer.depacketize(new TestSender().frame(payloads, 0)).map((unit) => [...unit]);
}

function look(payload: Uint8Array): number {
  const packet = new TestSender().packet(payload);
  return depacketizer.look(packet, 12, packet.length);
}

function units(...nals: readonly Uint8Array[]): number[][] {
  return nals.map((nal) => [...nal]);
}

Deno.test("h264Payload sends parameter sets in one packet before the keyframe, without delimiters and filler", () => {
  const filler = Uint8Array.of(0x0c, 0xff, 0x80);
  const parts = h264Payload.packetize([aud, sps, pps, filler, h264.idr(20)], codec("H264"), 1000);
  assert.deepEqual(parts.map(({ payload }) => payload[0]! & 31), [24, 5]);
  assert.deepEqual(parts.map(({ marker }) => marker), [false, true]);
});

Deno.test("h264Payload leaves out delimiters, filler and the SEI before the picture", () => {
  const slice = h264.slice();
  assert.deepEqual(read(aud, sei, slice, sei), units(slice, sei));
});

Deno.test("h264Payload drops a frame that begins with an unknown NAL type", () => {
  assert.deepEqual(read(nal([0x1e], 10), h264.slice()), []);
  assert.deepEqual(read(h264.slice(), nal([0x1e], 10)), units(h264.slice()));
});

Deno.test("h264Payload Quirk(SPS, PPS and IDR in one packet): taken apart at the start codes", () => {
  const idr = h264.idr(200);
  const joined = concat([sps, START_CODE, pps, START_CODE.subarray(1), idr]);
  assert.deepEqual(read(joined), units(sps, pps, idr));
  assert.deepEqual(read(concat([START_CODE, joined])), units(sps, pps, idr));
  const { KEY, SETS, CONTENT, START } = Look;
  assert.equal(look(joined), KEY | SETS | CONTENT | START);
  assert.equal(look(concat([START_CODE, joined])), KEY | SETS | CONTENT | START);
});

Deno.test("h264Payload Quirk(GStreamer rtph264pay): sets before each slice of a keyframe come once", () => {
  const first = h264.idr(30);
  const second = nal([0x65, 0x08], 30);
  assert.deepEqual(read(sps, pps, first, sps, pps, second), units(sps, pps, first, second));
});

Deno.test("h264Payload.look() tells parameter sets, keyframes and first slices", () => {
  const { KEY, SETS, CONTENT, START } = Look;
  assert.equal(look(sps), SETS | START);
  assert.equal(look(sei), START);
  assert.equal(look(aud), START);
  assert.equal(look(h264.idr()), KEY | CONTENT | START);
  assert.equal(look(h264.slice()), CONTENT | START);
  assert.equal(look(h264.laterSlice()), CONTENT);
  const [together] = h264Payload.packetize([sps, pps], codec("H264"), 1000);
  assert.equal(look(together!.payload), SETS | START);
  const fragments = h264Payload.packetize([h264.idr(500)], codec("H264"), 100).map(({ payload }) => look(payload));
  assert.deepEqual(fragments.slice(0, 3), [KEY | CONTENT | START, CONTENT, CONTENT]);
});

Deno.test("h264Payload.look() finds the end of a packet full of start codes", () => {
  const packet = new Uint8Array(60_000);
  for (let i = 0; i < packet.length; i += 4) packet.set([0, 0, 1, 7], i);
  packet[0] = 7;
  assert.equal(look(packet) & Look.SETS, Look.SETS);
});

Deno.test("h264Payload.hasNewSets() compares bytes", () => {
  const sender = new TestSender();
  const has = (payload: Uint8Array, known: readonly Uint8Array[]) => {
    const packet = sender.packet(payload);
    return depacketizer.hasNewSets!(packet, 12, packet.length, known);
  };
  const [together] = h264Payload.packetize([sps, pps], codec("H264"), 1000);
  assert.equal(has(sps, [sps, pps]), false);
  assert.equal(has(sps, [pps]), true);
  assert.equal(has(together!.payload, [sps, pps]), false);
  assert.equal(has(together!.payload, [sps]), true);
});

Deno.test("h264Payload drops a fragmented unit that misses a part, and keeps one whose end is not marked", () => {
  const idr = h264.idr(500);
  const payloads = h264Payload.packetize([idr], codec("H264"), 100).map(({ payload }) => payload);
  const packets = new TestSender().frame(payloads, 0);
  assert.deepEqual(depacketizer.depacketize(packets.filter((_packet, i) => i !== 2)), []);
  assert.deepEqual(depacketizer.depacketize(packets.slice(1)), []);
  payloads.at(-1)![1]! &= ~0x40;
  assert.deepEqual(read(...payloads, h264.laterSlice()), units(idr, h264.laterSlice()));
});
