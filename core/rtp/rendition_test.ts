import assert from "node:assert/strict";
import { type Codec, codec } from "../media/codec.ts";
import { Units } from "../media/frame.ts";
import { withParameterSets } from "../media/inspect.ts";
import { Reader } from "../media/reader.ts";
import { TestVideo } from "../media/testing.ts";
import { Track } from "../media/track.ts";
import {
  readU16,
  rtpMarker,
  rtpPayload,
  rtpPayloadType,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
  writeU16,
} from "./packet.ts";
import { h264Payload } from "./payloads/h264.ts";
import { packetOf, type RtpForm, type RtpRendition, rtpRenditionOf } from "./rendition.ts";
import { bytes, h264, nal, TestReceiver, TestSender } from "./testing.ts";
import fc from "fast-check";

const { sps, pps } = h264;
const FORM: RtpForm = { framing: "packets", payloadType: 100 };
const H264 = withParameterSets(codec("H264"), [sps, pps]);

/** The packets of a track's frames, by frame. */
function packets(track: Track, rendition: RtpRendition): Uint8Array[][] {
  const all: Uint8Array[][] = [];
  for (let index = track.log.firstIndex; index < track.log.nextIndex; index++) {
    const chunk = rendition.chunk(track.log.at(index)!);
    all.push(chunk.offsets.map((_offset, i) => packetOf(chunk, i)));
  }
  return all;
}

/** A track with frames that came as units. */
function trackOf(of: Codec, ...frames: readonly (readonly Uint8Array[])[]): Track {
  const track = new Track(0, of);
  frames.forEach((units, i) =>
    track.append({ payload: new Units(units), pts: i * 3600, isKeyframe: i === 0, arrivalMs: 1000 + i * 40 })
  );
  return track;
}

Deno.test("RtpRendition passes payloads on with own numbers, times and SSRC", () => {
  const receiver = new TestReceiver(H264);
  const sender = new TestSender();
  const payloads = h264Payload.packetize([sps, pps, h264.idr(3000)], H264, 1000).map(({ payload }) => payload);
  receiver.push(...sender.frame(payloads, 5000), ...sender.frame([h264.slice()], 8600));
  const { rendition } = rtpRenditionOf(receiver.track, FORM);
  const all = packets(receiver.track, rendition);
  assert.deepEqual(all.map((frame) => frame.map((packet) => [...rtpPayload(packet)])), [
    payloads.map((payload) => [...payload]),
    [[...h264.slice()]],
  ]);
  const flat = all.flat();
  flat.forEach((packet, i) => {
    assert.equal(rtpSequence(packet), (rtpSequence(flat[0]!) + i) & 0xffff);
    assert.equal(rtpPayloadType(packet), 100);
    assert.equal(rtpSsrc(packet), rendition.ssrc);
    assert.equal(rtpMarker(packet), packet === all[0]!.at(-1) || packet === all[1]!.at(-1));
  });
  const [first, second] = receiver.frames;
  assert.equal(rtpTimestamp(all[0]![0]!), (first!.timestamp + first!.compositionOffset) >>> 0);
  assert.equal(rtpTimestamp(all[1]![0]!), (second!.timestamp + second!.compositionOffset) >>> 0);
  assert.equal(rtpTimestamp(all[1]![0]!) - rtpTimestamp(all[0]![0]!), 3600);
});

Deno.test("RtpRendition leaves CSRCs, header extension and padding out", () => {
  const receiver = new TestReceiver(codec("VP8"));
  const packet = new Uint8Array(12 + 4 + 8 + 3 + 4);
  packet.set([0x80 | 0x20 | 0x10 | 1, 0x80 | 96]);
  packet.set([0xbe, 0xde, 0, 1, 9, 9, 9, 9, 0x10, 0x00, 7], 16);
  packet[packet.length - 1] = 4;
  receiver.push(packet);
  const [[sent]] = packets(receiver.track, rtpRenditionOf(receiver.track, FORM).rendition) as [[Uint8Array]];
  assert.equal(sent[0], 0x80);
  assert.deepEqual([...rtpPayload(sent)], [0x10, 0x00, 7]);
});

Deno.test("RtpRendition frames packets for interleaved transport in one buffer", () => {
  const track = trackOf(H264, [sps, pps, h264.idr(3000)]);
  const { rendition } = rtpRenditionOf(track, { ...FORM, framing: "interleaved", channel: 4 });
  const { bytes: buffer, count, offsets } = rendition.chunk(track.log.at(0)!);
  let at = 0;
  let found = 0;
  while (at < buffer.length) {
    assert.deepEqual([buffer[at], buffer[at + 1]], [0x24, 4]);
    assert.equal(offsets[found++], at + 4);
    at += 4 + readU16(buffer, at + 2);
  }
  assert.equal(at, buffer.length);
  assert.equal(found, count);
});

Deno.test("RtpRendition makes packets of the size that is asked for, of RTP and of units", () => {
  const receiver = new TestReceiver(H264);
  receiver.push(...new TestSender().frame([sps, pps, h264.idr(3000)], 0));
  for (const track of [receiver.track, trackOf(H264, [sps, pps, h264.idr(3000)])]) {
    const { rendition } = rtpRenditionOf(track, { ...FORM, maxPacketBytes: 500 });
    const [frame] = packets(track, rendition);
    assert.ok(frame!.length > 6);
    assert.ok(frame!.every((packet) => packet.length <= 500));
    const read = h264Payload.depacketizer(H264).depacketize(frame!);
    assert.deepEqual(read.map((unit) => [...unit]), [sps, pps, h264.idr(3000)].map((unit) => [...unit]));
    assert.deepEqual(frame!.map(rtpMarker).slice(-2), [false, true]);
  }
});

Deno.test("RtpRendition makes all VP8 packets or none, as their picture numbers must not have gaps", () => {
  const receiver = new TestReceiver(codec("VP8"));
  const sender = new TestSender();
  const numbered = (number: number, frame: Uint8Array) => Uint8Array.of(0x90, 0x80, number, ...frame);
  receiver.push(...sender.frame([numbered(1, new Uint8Array(900))], 0));
  receiver.push(...sender.frame([numbered(2, Uint8Array.of(1, 2, 3))], 3600));
  const sent = (maxPacketBytes?: number) => {
    const form = maxPacketBytes === undefined ? FORM : { ...FORM, maxPacketBytes };
    const all = packets(receiver.track, rtpRenditionOf(receiver.track, form).rendition);
    return all.map(([packet]) => rtpPayload(packet!)[0]);
  };
  assert.deepEqual(sent(500), [0x10, 0x10]);
  assert.deepEqual(sent(), [0x90, 0x90]);
});

Deno.test("RtpRendition puts parameter sets before a keyframe that carries none", () => {
  const receiver = new TestReceiver(H264);
  const sender = new TestSender();
  receiver.push(...sender.frame([h264.idr(100)], 0), ...sender.frame([h264.slice()], 3600));
  for (const track of [receiver.track, trackOf(H264, [h264.idr(100)], [h264.slice()])]) {
    const all = packets(track, rtpRenditionOf(track, FORM).rendition);
    assert.deepEqual(all.map((frame) => frame.map((packet) => rtpPayload(packet)[0]! & 31)), [[24, 5], [1]]);
    assert.deepEqual(all[0]!.map(rtpMarker), [false, true]);
    assert.equal(rtpTimestamp(all[0]![0]!), rtpTimestamp(all[0]![1]!));
  }
});

Deno.test("RtpRendition gives each audio frame of a longer unit its own time", () => {
  const track = trackOf(codec("PCMA", { clockRate: 8000 }), [new Uint8Array(3000)]);
  const [frame] = packets(track, rtpRenditionOf(track, { ...FORM, maxPacketBytes: 1012 }).rendition);
  const times = frame!.map((packet) => rtpTimestamp(packet) - rtpTimestamp(frame![0]!));
  assert.deepEqual(times, [0, 1000, 2000]);
});

Deno.test("RtpRendition sends PCML as L16", () => {
  const pcml = codec("PCML", { clockRate: 8000 });
  const receiver = new TestReceiver(pcml);
  receiver.push(new TestSender().packet(Uint8Array.of(1, 2, 3, 4)));
  assert.deepEqual(receiver.units, [[[1, 2, 3, 4]]]);
  const [frame] = packets(receiver.track, rtpRenditionOf(receiver.track, FORM).rendition);
  assert.deepEqual([...rtpPayload(frame![0]!)], [2, 1, 4, 3]);
});

Deno.test("RtpRendition has nothing for a frame of which nothing can be used", () => {
  const track = trackOf(codec("JPEG"), [Uint8Array.of(1, 2, 3)]);
  const chunk = rtpRenditionOf(track, FORM).rendition.chunk(track.log.at(0)!);
  assert.deepEqual([chunk.count, chunk.bytes.length], [0, 0]);
});

Deno.test("RtpRendition.patch() moves times and numbers in a copy", () => {
  const track = trackOf(H264, [h264.idr(3000)]);
  const frame = track.log.at(0)!;
  for (const framing of ["packets", "interleaved"] as const) {
    const { rendition } = rtpRenditionOf(track, { ...FORM, framing });
    const chunk = rendition.chunk(frame);
    const before = chunk.bytes.slice();
    const patched = rendition.patch(chunk, frame, { timeDelta: -5, compositionOffset: 7, sequenceDelta: 70000 });
    assert.deepEqual(chunk.bytes, before);
    const expected = before.slice();
    for (const offset of chunk.offsets) {
      const header = expected.subarray(offset, offset + 12);
      writeU16(header, 2, rtpSequence(header) + 70000);
      const time = rtpTimestamp(header) - 5 + 7 - frame.compositionOffset;
      new DataView(header.buffer, header.byteOffset).setUint32(4, time >>> 0);
    }
    assert.deepEqual(patched, expected);
  }
});

Deno.test("RtpRendition numbers a still that has left the log so that the next frame follows it", () => {
  const video = new TestVideo({ maxBytes: 100_000 });
  const { rendition } = rtpRenditionOf(video.track, FORM);
  const read = (reader: Reader) => {
    const sequences: number[] = [];
    for (let frame = reader.next(); frame; frame = reader.next()) {
      const chunk = rendition.chunk(frame);
      for (const at of chunk.offsets) sequences.push(rtpSequence(chunk.bytes.subarray(at)));
    }
    return sequences;
  };
  using early = new Reader([video.track], { start: "live", dropsCorrupt: true });
  for (let i = 0; i < 160; i++) {
    video.feed(1, { isKeyframe: i === 0, size: 2000 });
    read(early);
  }
  using late = new Reader([video.track], { start: "now", dropsCorrupt: true });
  const still = read(late);
  video.feed(1, { isKeyframe: true, size: 2000 });
  const sequences = [...still, ...read(late)];
  assert.equal(still.length, 2);
  assert.deepEqual(sequences, [0, 1, 2, 3].map((step) => (sequences[0]! + step) & 0xffff));
});

Deno.test("rtpRenditionOf() shares a rendition among those who ask for the same form", () => {
  const track = trackOf(H264, [h264.idr()]);
  const one = rtpRenditionOf(track, FORM);
  const two = rtpRenditionOf(track, { ...FORM });
  const other = rtpRenditionOf(track, { ...FORM, maxPacketBytes: 900 });
  assert.equal(one.rendition, two.rendition);
  assert.notEqual(one.rendition, other.rendition);
  one.release();
  one.release();
  assert.equal(rtpRenditionOf(track, FORM).rendition, two.rendition);
});

Deno.test("RtpRendition and RtpReceiver keep frames as they are, at any packet size", () => {
  const slices = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(slices, fc.integer({ min: 100, max: 1500 }), bytes(4, 4), (sizes, maxPacketBytes, [seed]) => {
      const frames = sizes.map((size, i) => [i === 0 ? h264.idr(size, seed!) : nal([0x41, 0x9a], size, i)]);
      const track = trackOf(H264, ...frames);
      const { rendition } = rtpRenditionOf(track, { ...FORM, maxPacketBytes });
      const receiver = new TestReceiver(H264);
      receiver.push(...packets(track, rendition).flat());
      const sent = frames.map((units, i) => (i === 0 ? [sps, pps, ...units] : units).map((unit) => [...unit]));
      assert.deepEqual(receiver.units, sent);
      assert.ok(receiver.frames.every((frame) => !frame.isCorrupt));
    }),
    { numRuns: 60 },
  );
});

Deno.test("RtpRendition tells the time of capture in the first packet of a frame, if asked to", () => {
  const track = trackOf(H264, [sps, pps, h264.idr(3000)]);
  const form = { ...FORM, maxPacketBytes: 1200, captureTimeId: 5 };
  const { rendition } = rtpRenditionOf(track, form);
  const plain = packets(track, rtpRenditionOf(track, { ...FORM, maxPacketBytes: 1200 }).rendition)[0]!;
  const [first, ...others] = packets(track, rendition)[0]!;
  assert.deepEqual(rtpPayload(first!), rtpPayload(plain[0]!));
  assert.ok(others.every((packet) => (packet[0]! & 0x10) === 0));
  const extension = new DataView(first!.buffer, first!.byteOffset + 12, 16);
  assert.deepEqual([extension.getUint16(0), extension.getUint16(2), extension.getUint8(4)], [0xbede, 3, 0x57]);
  const wallMs = (extension.getUint32(5) - 2_208_988_800) * 1000 + extension.getUint32(9) * 1000 / 2 ** 32;
  const { timestamp, compositionOffset } = track.log.newest!;
  assert.ok(Math.abs(wallMs - track.wallMsOf(timestamp + compositionOffset)) < 5);
  assert.equal(rendition.payloadBytes, plain.reduce((sum, packet) => sum + rtpPayload(packet).length, 0));
});
