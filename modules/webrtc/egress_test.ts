import assert from "node:assert/strict";
import fc from "fast-check";
import { codec, parseRtcp, Track, writeNack, writePli, writeReceiverReport } from "../../core/mod.ts";
import { TestPeer } from "./egress_testing.ts";

/** Distance between sequence numbers. */
const after = (from: number, to: number) => (to - from) & 0xffff;

function isContiguous(sequences: readonly number[]): boolean {
  return sequences.every((sequence, i) => i === 0 || after(sequences[i - 1]!, sequence) === 1);
}

Deno.test("Egress starts with the newest keyframe, squeezed, in numbers that begin low and have no gap", () => {
  using peer = new TestPeer();
  peer.feed(3000, { isKeyframe: true });
  for (let i = 0; i < 9; i++) peer.feed(2000);
  peer.egress.start(peer);
  peer.feed(500);
  const { shown } = peer;
  assert.equal(new Set(shown.map(({ timestamp }) => timestamp)).size, 11);
  assert.ok(shown[0]!.sequence < 0x8000);
  assert.ok(isContiguous(shown.map(({ sequence }) => sequence)));
  assert.ok(shown.every(({ type }) => type === 102));
  const times = [...new Set(shown.map(({ timestamp }) => timestamp))];
  const steps = times.slice(1).map((time, i) => time - times[i]!);
  assert.deepEqual(steps, [...Array(9).fill(90), 3600]);
});

Deno.test("Egress tells how its tracks belong together before their first packet, and again later", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  peer.speak();
  const reports = peer.rtcp.flatMap(parseRtcp).filter((one) => one.type === "SR");
  assert.deepEqual(reports.map(({ ssrc }) => ssrc), [peer.ssrc, peer.egress.sourceOf(peer.audio).ssrc]);
  peer.egress.report(performance.now());
  const all = peer.rtcp.flatMap(parseRtcp).filter((one) => one.type === "SR");
  assert.equal(all.length, 4);
  const [video, audio] = all.slice(2);
  assert.ok(Math.abs(video!.wallMs! - audio!.wallMs!) < 3);
  assert.ok(Math.abs(video!.rtpTimestamp / 90 - audio!.rtpTimestamp / 8) < 3, "both tell one relation");
  assert.ok(Math.abs(video!.wallMs! - Date.now()) < 100);
  assert.deepEqual([video!.packets, audio!.packets], [1, 1]);
  assert.equal(audio!.bytes, 160);
});

Deno.test("Egress sends what was lost again, in the stream of resent packets", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  const first = peer.shown[0]!.sequence;
  peer.isDeaf = true;
  peer.feed(5000);
  peer.isDeaf = false;
  peer.feed(100);
  const sequences = [1, 2, 3, 4, 5].map((step) => (first + step) & 0xffff);
  assert.equal(after(first, peer.shown.at(-1)!.sequence), 6);
  peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences }), peer.nowMs);
  const { resent } = peer;
  assert.deepEqual(resent.map(({ sequence }) => sequence), sequences);
  assert.ok(resent.every(({ type }) => type === 103));
  assert.deepEqual(new Set(resent.map(({ payload }) => payload[20])), new Set([1]));
  // The same request once more, sooner than the packets can have been missed.
  peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences }), peer.nowMs + 5);
  assert.equal(peer.resent.length, 5);
  peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences }), peer.nowMs + 100);
  assert.equal(peer.resent.length, 10);
});

Deno.test("Egress repeats a packet as it was when the peer has no stream for resent ones", () => {
  using peer = new TestPeer({ hasRtx: false });
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  assert.equal(peer.egress.sourceOf(peer.video).rtxSsrc, undefined);
  peer.isDeaf = true;
  peer.feed(100);
  peer.isDeaf = false;
  const lost = (peer.shown[0]!.sequence + 1) & 0xffff;
  peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences: [lost] }), peer.nowMs);
  assert.equal(peer.shown.at(-1)!.sequence, lost);
  assert.equal(peer.shown.at(-1)!.payload[11], 1);
});

Deno.test("Egress sends nothing again that it has not sent, has forgotten, or is another peer's", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  const { sequence } = peer.shown[0]!;
  const sequences = [sequence + 1, sequence - 1, sequence + 0x8000].map((one) => one & 0xffff);
  peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences }), peer.nowMs);
  peer.egress.onRtcp(writeNack({ ssrc: 1, about: 12345, sequences: [sequence] }), peer.nowMs);
  assert.equal(peer.resent.length, 0);
  assert.equal(peer.egress.stats().refused_resends, 3);
});

Deno.test("Egress never spends more on what it sends again than on what it sent", () => {
  using peer = new TestPeer();
  peer.feed(1000, { isKeyframe: true });
  peer.egress.start(peer);
  for (let i = 0; i < 30; i++) peer.feed(10_000);
  const sequences = peer.shown.map(({ sequence }) => sequence);
  for (let i = 1; i <= 20; i++) {
    peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences }), peer.nowMs + i * 200);
  }
  const sum = (packets: readonly { payload: Uint8Array }[]) =>
    packets.reduce((bytes, { payload }) => bytes + payload.length, 0);
  assert.ok(sum(peer.resent) > sum(peer.shown) * 0.9);
  assert.ok(sum(peer.resent) < sum(peer.shown) + (80 << 10));
});

Deno.test("Egress answers a request for a keyframe with the newest one, in new numbers and times", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  for (let i = 0; i < 20; i++) peer.feed(100);
  const before = peer.shown.length;
  const last = peer.shown.at(-1)!;
  const realMs = performance.now();
  const pli = writePli({ ssrc: 1, about: peer.ssrc });
  peer.egress.onRtcp(pli, realMs + 100);
  assert.equal(peer.shown.length, before, "the keyframe has only just been sent");
  peer.egress.onRtcp(pli, realMs + 1000);
  const again = peer.shown.slice(before);
  assert.deepEqual(again.map(({ payload }) => payload[11]), Array.from({ length: 21 }, (_, i) => i));
  assert.equal(after(last.sequence, again[0]!.sequence), 1);
  peer.feed(100);
  const times = peer.shown.slice(before - 1).map(({ timestamp }) => timestamp);
  assert.ok(times.every((time, i) => i === 0 || time > times[i - 1]!), "times go on");
  assert.equal(times.at(-1)! - last.timestamp, 3600, "the live picture keeps its time");
  assert.ok(isContiguous(peer.shown.map(({ sequence }) => sequence)));
});

Deno.test("Egress lets a peer behind a full link wait for the next keyframe, and hear on", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  const report = (highestSequence: number, lost: number) => {
    const about = [{ ssrc: peer.ssrc, fractionLost: 0, lost, highestSequence, jitter: 0, lastReport: 0, delay: 0 }];
    peer.egress.onRtcp(writeReceiverReport({ ssrc: 1, about }), peer.nowMs);
  };
  report(0, 0);
  report(1000, 500);
  peer.egress.onRtcp(writePli({ ssrc: 1, about: peer.ssrc }), performance.now() + 1000);
  peer.feed(100);
  peer.speak();
  assert.deepEqual(peer.received.map(({ type }) => type), [102, 0]);
  assert.equal(peer.egress.sent(peer.video).drops, 1);
  peer.feed(100, { isKeyframe: true });
  peer.feed(100);
  assert.deepEqual(peer.shown.map(({ payload }) => payload[11]), [0, 2, 3]);
  assert.ok(isContiguous(peer.shown.map(({ sequence }) => sequence)));
});

Deno.test("Egress does not take another path for full because the one before was", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  for (const [highestSequence, lost] of [[0, 0], [1000, 500]] as const) {
    const about = [{ ssrc: peer.ssrc, fractionLost: 0, lost, highestSequence, jitter: 0, lastReport: 0, delay: 0 }];
    peer.egress.onRtcp(writeReceiverReport({ ssrc: 1, about }), peer.nowMs);
  }
  peer.egress.onPathChanged();
  peer.egress.onRtcp(writePli({ ssrc: 1, about: peer.ssrc }), performance.now() + 1000);
  assert.deepEqual(peer.shown.map(({ payload }) => payload[11]), [0, 0]);
});

Deno.test("Egress does not flood a peer that asks for keyframes all the time", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  const realMs = performance.now();
  for (let ms = 0; ms < 10_000; ms += 50) {
    peer.egress.onRtcp(writePli({ ssrc: 1, about: peer.ssrc }), realMs + ms);
  }
  assert.ok(peer.shown.length <= 8, `${peer.shown.length} keyframes in 10 s`);
});

Deno.test("Egress shows the still of a long group of pictures and says that it waits", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  for (let i = 0; i < 200; i++) peer.feed(100);
  peer.egress.start(peer);
  assert.equal(peer.shown.length, 1);
  const line = () => (peer.egress.stats().outgoing as Record<string, unknown>[])[0]!;
  assert.equal(line().waits_for_keyframe, true);
  peer.feed(100);
  assert.equal(peer.shown.length, 1);
  peer.feed(100, { isKeyframe: true });
  assert.equal(peer.shown.length, 2);
  assert.equal(line().waits_for_keyframe, undefined);
});

Deno.test("Egress waits while the system holds enough, and while the peer is silent", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  peer.bytesInFlight = 1 << 20;
  peer.feed(100);
  peer.feed(100);
  assert.equal(peer.shown.length, 1);
  peer.bytesInFlight = 0;
  peer.egress.onDrained();
  assert.equal(peer.shown.length, 3);
  peer.egress.setPaused(true);
  peer.feed(100);
  peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences: [peer.shown[0]!.sequence] }), peer.nowMs);
  peer.egress.report(peer.nowMs);
  assert.equal(peer.received.length, 3);
  peer.egress.setPaused(false);
  assert.equal(peer.shown.length, 4);
});

Deno.test("Egress moves a viewer that was slow to the newest keyframe", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  peer.bytesInFlight = 1 << 20;
  for (let i = 0; i < 100; i++) peer.feed(100, { isKeyframe: i % 25 === 0 });
  peer.bytesInFlight = 0;
  peer.egress.onDrained();
  assert.equal(peer.egress.skips, 1);
  assert.ok(peer.egress.sent(peer.video).drops > 0);
  assert.ok(isContiguous(peer.shown.map(({ sequence }) => sequence)));
  // What it read before it had to wait, then the newest keyframe.
  assert.deepEqual(peer.shown.slice(0, 3).map(({ payload }) => payload[11]), [0, 1, 76]);
});

Deno.test("Egress goes on under the same SSRC and numbers when a track is replaced", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  const { ssrc } = peer;
  const was = peer.video;
  peer.video = new Track(0, codec("VP8"));
  peer.egress.replace(was, peer.video);
  peer.feed(100, { isKeyframe: true });
  assert.equal(peer.ssrc, ssrc);
  assert.equal(after(peer.shown[0]!.sequence, peer.shown[1]!.sequence), 1);
  assert.ok(peer.shown[1]!.timestamp > peer.shown[0]!.timestamp);
  was.close();
});

Deno.test("Egress learns the round-trip time from receiver reports", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  const report = parseRtcp(peer.rtcp[0]!)[0]!;
  const lastReport = report.type === "SR" ? report.ntpMiddle : 0;
  const about = [{ ssrc: peer.ssrc, fractionLost: 0, lost: 0, highestSequence: 0, jitter: 0, lastReport, delay: 0 }];
  peer.egress.onRtcp(writeReceiverReport({ ssrc: 1, about }), peer.nowMs);
  const [line] = peer.egress.stats().outgoing as Record<string, number>[];
  assert.ok(line!.rtt_ms! < 500);
});

Deno.test("Egress survives any RTCP", () => {
  using peer = new TestPeer();
  peer.feed(100, { isKeyframe: true });
  peer.egress.start(peer);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 200, max: 206 }), (bytes, type) => {
    const packet = Uint8Array.of(0x81, type, 0, bytes.length >> 2, ...bytes);
    peer.egress.onRtcp(packet, peer.nowMs);
  }));
});

Deno.test("Egress never encrypts two packets under one SSRC, rollover and sequence number", () => {
  const action = fc.oneof(
    fc.record({ type: fc.constant("feed"), size: fc.integer({ min: 20, max: 6000 }), isKeyframe: fc.boolean() }),
    fc.record({ type: fc.constant("corrupt") }),
    fc.record({ type: fc.constant("speak") }),
    fc.record({ type: fc.constant("nack"), back: fc.array(fc.nat({ max: 60 }), { maxLength: 20 }) }),
    fc.record({ type: fc.constant("pli") }),
    fc.record({ type: fc.constant("hold"), isHeld: fc.boolean() }),
    fc.record({ type: fc.constant("pause"), isPaused: fc.boolean() }),
    fc.record({ type: fc.constant("replace") }),
    fc.record({ type: fc.constant("turn") }),
  );
  fc.assert(
    fc.property(
      fc.array(action, { minLength: 5, maxLength: 120 }),
      fc.constantFrom("now" as const, "live" as const, "keyframe" as const),
      fc.boolean(),
      (actions, start, hasRtx) => {
        using peer = new TestPeer({ start, hasRtx });
        const old: Track[] = [];
        peer.feed(200, { isKeyframe: true });
        peer.egress.start(peer);
        let laterMs = performance.now();
        for (const one of actions) {
          laterMs += 700;
          if (one.type === "feed") peer.feed(one.size, { isKeyframe: one.isKeyframe });
          else if (one.type === "corrupt") peer.feed(50, { isCorrupt: true });
          else if (one.type === "speak") peer.speak();
          else if (one.type === "nack") {
            const last = peer.shown.at(-1)?.sequence ?? 0;
            const sequences = one.back.map((back) => (last - back) & 0xffff);
            if (sequences.length > 0) {
              peer.egress.onRtcp(writeNack({ ssrc: 1, about: peer.ssrc, sequences }), laterMs);
            }
          } else if (one.type === "pli") peer.egress.onRtcp(writePli({ ssrc: 1, about: peer.ssrc }), laterMs);
          else if (one.type === "hold") {
            peer.bytesInFlight = one.isHeld ? 1 << 20 : 0;
            if (!one.isHeld) peer.egress.onDrained();
          } else if (one.type === "pause") peer.egress.setPaused(one.isPaused);
          else if (one.type === "turn") peer.egress.onTurn(laterMs);
          else {
            old.push(peer.video);
            const is = new Track(0, codec("VP8"));
            peer.egress.replace(peer.video, is);
            peer.video = is;
          }
        }
        assert.equal(peer.egress.stats().failures, undefined);
        for (const track of old) track.close();
      },
    ),
    { numRuns: 150 },
  );
});
