import assert from "node:assert/strict";
import fc from "fast-check";
import { codec } from "../media/codec.ts";
import { inspect } from "../media/inspect.ts";
import { parseRtcp, writeSenderReport } from "./rtcp.ts";
import { h264Payload } from "./payloads/h264.ts";
import { h265Payload } from "./payloads/h265.ts";
import { FRAME_LIMIT } from "./receiver.ts";
import { RtpPayload } from "./rtp_payload.ts";
import { h264, h265, TestReceiver, TestSender } from "./testing.ts";

const { sps, pps, sei } = h264;

/** The payloads of a frame. */
function packed(...units: readonly Uint8Array[]): Uint8Array[] {
  return h264Payload.packetize(units, codec("H264"), 500).map(({ payload }) => payload);
}

function numbers(...units: readonly Uint8Array[]): number[][] {
  return units.map((unit) => [...unit]);
}

Deno.test("RtpReceiver ends a frame at the marker", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  const packets = sender.frame(packed(sps, pps, h264.idr(2000)), 3000);
  receiver.push(...packets.slice(0, -1));
  assert.equal(receiver.frames.length, 0);
  receiver.push(packets.at(-1)!);
  assert.deepEqual(receiver.units, [numbers(sps, pps, h264.idr(2000))]);
  assert.equal(receiver.frames[0]!.isKeyframe, true);
  receiver.push(...sender.frame(packed(h264.slice()), 6600));
  assert.equal(receiver.frames[1]!.isKeyframe, false);
  assert.equal(receiver.frames[1]!.isCorrupt, false);
  assert.deepEqual({ ...receiver.receiver.stats }, {
    packets: packets.length + 1,
    bytes: packets.reduce((sum, packet) => sum + packet.length, 0) + 12 + h264.slice().length,
    lost: 0,
    duplicates: 0,
    malformed: 0,
    dropped: 0,
  });
});

Deno.test("RtpReceiver ends a frame when the timestamp changes", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  receiver.push(sender.packet(h264.slice(), { timestamp: 0 }), sender.packet(h264.slice(9), { timestamp: 3600 }));
  assert.deepEqual(receiver.units, [numbers(h264.slice())]);
});

Deno.test("RtpReceiver Quirk(Tapo TC70, Reolink Duo 2): SPS and PPS with marker are kept for the next frame", () => {
  for (const setsTimestamp of [0, 3600]) {
    const receiver = new TestReceiver(codec("H264"));
    const sender = new TestSender();
    receiver.push(
      sender.packet(sps, { timestamp: setsTimestamp, marker: true }),
      sender.packet(pps, { timestamp: setsTimestamp, marker: true }),
      sender.packet(sei, { timestamp: setsTimestamp, marker: true }),
      ...sender.frame(packed(h264.idr(2000)), 3600),
    );
    assert.equal(receiver.frames.length, 1);
    assert.deepEqual(receiver.units, [numbers(sps, pps, h264.idr(2000))]);
    const { payload } = receiver.frames[0]!;
    assert.ok(payload instanceof RtpPayload && payload.hasParameterSets);
    assert.equal(payload.packets().length, 3 + packed(h264.idr(2000)).length);
  }
});

Deno.test("RtpReceiver ignores the marker of H265 parameter sets", () => {
  const receiver = new TestReceiver(codec("H265"));
  const sender = new TestSender();
  for (const set of [h265.vps, h265.sps, h265.pps]) receiver.push(sender.packet(set, { marker: true }));
  receiver.push(sender.packet(h265.idr(), { marker: true }));
  assert.deepEqual(receiver.units, [numbers(h265.vps, h265.sps, h265.pps, h265.idr())]);
  assert.deepEqual([receiver.track.codec.width, receiver.track.codec.height], [640, 360]);
});

Deno.test("RtpReceiver makes one frame of slices that each have the marker, from the second frame on", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  for (let frame = 0; frame < 4; frame++) {
    for (const slice of [h264.slice(), h264.laterSlice(9), h264.laterSlice(8)]) {
      receiver.push(sender.packet(slice, { timestamp: frame * 3600, marker: true }));
    }
  }
  assert.deepEqual(receiver.units.slice(-2), [
    numbers(h264.slice(), h264.laterSlice(9), h264.laterSlice(8)),
    numbers(h264.slice(), h264.laterSlice(9), h264.laterSlice(8)),
  ]);
  assert.deepEqual(receiver.frames.slice(-2).map((frame) => frame.isCorrupt), [false, false]);
});

Deno.test("RtpReceiver takes over parameter sets in band, once", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  for (let i = 0; i < 3; i++) receiver.push(...sender.frame(packed(sps, pps, h264.idr()), i * 3600));
  assert.equal(receiver.track.generation, 1);
  assert.deepEqual(receiver.track.codec.parameterSets.map((set) => [...set]), numbers(sps, pps));
  const other = sps.slice();
  other[3] = 0x1f;
  receiver.push(...sender.frame(packed(other, pps, h264.idr()), 4 * 3600));
  assert.equal(receiver.track.generation, 2);
  assert.equal(receiver.frames.at(-1)!.generation, 2);
});

Deno.test("RtpReceiver marks the unfinished frame corrupt in which packets were lost", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  const packets = sender.frame(packed(h264.idr(2000)), 0);
  receiver.push(...packets.filter((_packet, i) => i !== 2), ...sender.frame(packed(h264.slice()), 3600));
  assert.deepEqual(receiver.frames.map((frame) => frame.isCorrupt), [true, false]);
  assert.equal(receiver.receiver.stats.lost, 1);
  assert.equal(receiver.track.lost, 1);
});

Deno.test("RtpReceiver marks the next frame corrupt when whole frames were lost, unless it is a whole keyframe", () => {
  for (const isKeyframe of [false, true]) {
    const receiver = new TestReceiver(codec("H264"));
    const sender = new TestSender();
    receiver.push(...sender.frame(packed(h264.idr()), 0));
    sender.frame(packed(h264.slice(2000)), 3600);
    receiver.push(...sender.frame(packed(isKeyframe ? h264.idr() : h264.slice()), 7200));
    receiver.push(...sender.frame(packed(h264.slice()), 10800));
    assert.deepEqual(receiver.frames.map((frame) => frame.isCorrupt), [false, !isKeyframe, false]);
  }
});

Deno.test("RtpReceiver marks both frames corrupt when the loss spans them", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  const first = sender.frame(packed(h264.idr(2000)), 0);
  const second = sender.frame(packed(h264.slice(2000)), 3600);
  receiver.push(...first.slice(0, 2), ...second.slice(1), ...sender.frame(packed(h264.slice()), 7200));
  assert.deepEqual(receiver.frames.map((frame) => frame.isCorrupt), [true, true, false]);
});

Deno.test("RtpReceiver marks a frame corrupt of which it saw only the end", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  receiver.push(...sender.frame(packed(h264.idr(2000)), 0).slice(1));
  assert.deepEqual(receiver.frames.map((frame) => frame.isCorrupt), [true]);
});

Deno.test("RtpReceiver leaves sound whole after a loss", () => {
  const receiver = new TestReceiver(codec("PCMA", { clockRate: 8000 }));
  const sender = new TestSender();
  for (let i = 0; i < 5; i++) {
    const packet = sender.packet(new Uint8Array(160), { timestamp: i * 160 });
    if (i !== 2) receiver.push(packet);
  }
  assert.deepEqual(receiver.frames.map((frame) => frame.isCorrupt), [false, false, false, false]);
  assert.equal(receiver.receiver.stats.lost, 1);
});

Deno.test("RtpReceiver drops duplicates and what is late", () => {
  const receiver = new TestReceiver(codec("PCMU", { clockRate: 8000 }));
  const sender = new TestSender();
  const packets = [0, 1, 2].map((i) => sender.packet(Uint8Array.of(i + 1), { timestamp: i * 160 }));
  receiver.push(packets[0]!, packets[0]!, packets[1]!, packets[0]!, packets[2]!);
  assert.deepEqual(receiver.units, [[[1]], [[2]], [[3]]]);
  assert.equal(receiver.receiver.stats.duplicates, 2);
});

Deno.test("RtpReceiver puts packets in order when told to", () => {
  const receiver = new TestReceiver(codec("H264"), { reorder: true });
  const sender = new TestSender();
  const [a, b, c, ...rest] = sender.frame(packed(h264.idr(2000)), 0);
  receiver.push(a!, c!, b!, ...rest, ...sender.frame(packed(h264.slice()), 3600));
  assert.deepEqual(receiver.units[0], numbers(h264.idr(2000)));
  assert.equal(receiver.frames[0]!.isCorrupt, false);
});

Deno.test("RtpReceiver goes on with another SSRC, behind what was there", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  receiver.push(...sender.frame(packed(h264.idr()), 1_000_000), sender.packet(h264.slice(), { timestamp: 1_003_600 }));
  sender.ssrc = 99;
  sender.sequence = 7;
  receiver.push(...sender.frame(packed(h264.idr()), 5));
  const [first, cut, second] = receiver.frames;
  assert.equal(cut!.isCorrupt, true);
  assert.equal(second!.isCorrupt, false);
  assert.ok(second!.timestamp > cut!.timestamp && second!.timestamp - first!.timestamp < 90000);
  assert.equal(receiver.receiver.stats.lost, 0);
  assert.equal(receiver.receiver.ssrc, 99);
});

Deno.test("RtpReceiver marks the first picture of another SSRC corrupt in the middle of a GOP", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  receiver.push(...sender.frame(packed(h264.idr()), 0));
  sender.ssrc = 99;
  for (const timestamp of [7, 3607]) receiver.push(...sender.frame(packed(h264.slice()), timestamp));
  assert.deepEqual(receiver.frames.map((frame) => frame.isCorrupt), [false, true, false]);
});

Deno.test("RtpReceiver takes a jump of the numbers for a new count", () => {
  const receiver = new TestReceiver(codec("PCMU", { clockRate: 8000 }));
  const sender = new TestSender();
  for (const sequence of [100, 101, 40000, 40001, 3, 4]) {
    sender.sequence = sequence;
    receiver.push(sender.packet(Uint8Array.of(1), { timestamp: sequence }));
  }
  assert.equal(receiver.frames.length, 6);
  assert.equal(receiver.receiver.stats.lost, 0);
});

Deno.test("RtpReceiver drops a frame beyond the limit, and goes on", () => {
  for (const size of [10, 60_000]) {
    const receiver = new TestReceiver(codec("VP8"));
    const sender = new TestSender();
    const count = size > 10 ? Math.ceil(FRAME_LIMIT.bytes / size) + 5 : FRAME_LIMIT.packets + 5;
    const part = new Uint8Array(size);
    receiver.push(sender.packet(Uint8Array.of(0x10, 0, 1), { timestamp: 0 }));
    for (let i = 0; i < count; i++) receiver.push(sender.packet(part, { timestamp: 0, marker: i === count - 1 }));
    receiver.push(sender.packet(Uint8Array.of(0x10, 1), { timestamp: 3600, marker: true }));
    assert.equal(receiver.receiver.stats.dropped, 1);
    assert.deepEqual(receiver.frames.map((frame) => frame.isCorrupt), [true]);
  }
});

Deno.test("RtpReceiver does not hold parameter sets without end", () => {
  const receiver = new TestReceiver(codec("H264"));
  const sender = new TestSender();
  for (let i = 0; i < FRAME_LIMIT.packets * 2.5; i++) receiver.push(sender.packet(sps, { timestamp: i, marker: true }));
  assert.equal(receiver.receiver.stats.dropped, 2);
});

Deno.test("RtpReceiver counts what is no RTP and what is of no use", () => {
  const receiver = new TestReceiver(codec("H264"));
  receiver.push(Uint8Array.of(1, 2, 3), new Uint8Array(20), new TestSender().packet(Uint8Array.of(0x7c)));
  assert.equal(receiver.receiver.stats.malformed, 3);
});

Deno.test("RtpReceiver gives MPEG-TS by timestamps, whatever the marker", () => {
  const receiver = new TestReceiver(codec("MP2T", { kind: "video" }));
  const sender = new TestSender();
  const payloads = [1, 2, 3, 4].map((i) => Uint8Array.of(0x47, i));
  receiver.push(
    sender.packet(payloads[0]!, { timestamp: 0, marker: true }),
    sender.packet(payloads[1]!, { timestamp: 0 }),
    sender.packet(payloads[2]!, { timestamp: 900 }),
    sender.packet(payloads[3]!, { timestamp: 1800 }),
  );
  assert.deepEqual(receiver.units, [numbers(payloads[0]!, payloads[1]!), numbers(payloads[2]!)]);
});

Deno.test("RtpReceiver.control() sets the track's clock by sender reports", () => {
  const receiver = new TestReceiver(codec("H264"));
  const calls: [number, number][] = [];
  receiver.track.synchronize = (rtpTimestamp, wallMs) => calls.push([rtpTimestamp, Math.round(wallMs)]);
  const report = (ssrc: number) =>
    writeSenderReport({ ssrc, wallMs: 1_700_000_000_000, rtpTimestamp: 5, packets: 1, bytes: 1, cname: "c" });
  receiver.push(new TestSender().packet(h264.idr(), { marker: true }));
  receiver.receiver.control(report(0x1234), 1000);
  receiver.receiver.control(report(1), 1000);
  receiver.receiver.control(Uint8Array.of(1, 2, 3), 1000);
  assert.deepEqual(calls, [[5, 1_700_000_000_000]]);
});

Deno.test("RtpReceiver.report() tells loss, the highest number over its wrap, and the delay since the report", () => {
  const receiver = new TestReceiver(codec("PCMU", { clockRate: 8000 }));
  assert.equal(receiver.receiver.report(0), undefined);
  const sender = new TestSender();
  const packets = Array.from({ length: 10 }, (_, i) => sender.packet(Uint8Array.of(1), { timestamp: i * 8 }));
  receiver.push(...packets.filter((_packet, i) => i !== 4 && i !== 7));
  const wallMs = Date.UTC(2026, 0, 1);
  receiver.receiver.control(
    writeSenderReport({ ssrc: sender.ssrc, wallMs, rtpTimestamp: 5, packets: 1, bytes: 1, cname: "c" }),
    2000,
  );
  const [report] = parseRtcp(receiver.receiver.report(3000)!);
  assert.ok(report?.type === "RR");
  const [block] = report.reports;
  assert.equal(block!.ssrc, sender.ssrc);
  assert.equal(block!.lost, 2);
  assert.equal(block!.fractionLost, Math.floor(2 * 256 / 10));
  assert.equal(block!.highestSequence, 0x10000 + 3);
  assert.equal(block!.delay, 65536);
  assert.notEqual(block!.lastReport, 0);
  const [second] = parseRtcp(receiver.receiver.report(3000)!);
  assert.ok(second?.type === "RR" && second.reports[0]!.fractionLost === 0);
});

Deno.test("RtpReceiver never throws, whatever the bytes, and leaves them as they are", () => {
  const names = ["H264", "H265", "AV1", "VP8", "VP9", "JPEG", "MPEG4-GENERIC", "MP4A-LATM", "OPUS", "MPA", "L16", "X"];
  const payload = fc.uint8Array({ maxLength: 40 });
  const step = fc.record({
    payload,
    gap: fc.constantFrom(0, 0, 0, 1, 5, -1, 30000),
    ticks: fc.constantFrom(0, 0, 3600),
    marker: fc.boolean(),
    first: fc.option(fc.nat(255)),
  });
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.array(step, { maxLength: 20 }), fc.boolean(), (name, steps, reorder) => {
      const receiver = new TestReceiver(codec(name, { clockRate: 90000 }), { reorder });
      const sender = new TestSender();
      let timestamp = 0xfffff000;
      for (const { payload, gap, ticks, marker, first } of steps) {
        sender.sequence = (sender.sequence + gap) & 0xffff;
        timestamp = (timestamp + ticks) >>> 0;
        const packet = sender.packet(payload, { timestamp, marker });
        if (first !== null) packet[0] = first;
        const before = packet.slice();
        receiver.push(packet);
        assert.deepEqual(packet, before);
      }
      for (const frame of receiver.frames) inspect(receiver.track.codec, frame.payload.units());
      receiver.receiver.report(5000);
    }),
    { numRuns: 1500 },
  );
  const garbage = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 });
  fc.assert(fc.property(garbage, (packets) => {
    const receiver = new TestReceiver(codec("H264"));
    receiver.push(...packets);
    for (const packet of packets) receiver.receiver.control(packet, 0);
  }));
});

Deno.test("RtpReceiver splits H265 aggregation packets for muxers", () => {
  const receiver = new TestReceiver(codec("H265"));
  const payloads = h265Payload.packetize([h265.vps, h265.sps, h265.pps, h265.idr()], codec("H265"), 1000);
  receiver.push(...new TestSender().frame(payloads.map(({ payload }) => payload), 0));
  assert.equal(receiver.track.codec.parameterSets.length, 3);
  assert.equal(receiver.units[0]!.length, 4);
});
