import assert from "node:assert/strict";
import fc from "fast-check";
import { isRtcp, parseRtcp, writeNack, writePli, writeReceiverReport, writeRemb, writeSenderReport } from "./rtcp.ts";

Deno.test("writeSenderReport() writes what parseRtcp() reads", () => {
  const wallMs = Date.UTC(2026, 5, 1, 12, 0, 0, 250);
  const [report, names] = parseRtcp(
    writeSenderReport({ ssrc: 7, wallMs, rtpTimestamp: 2 ** 32 + 9, packets: 10, bytes: 2000, cname: "camera" }),
  );
  assert.ok(report?.type === "SR");
  assert.ok(Math.abs(report.wallMs! - wallMs) < 0.01);
  assert.deepEqual([report.ssrc, report.rtpTimestamp, report.packets, report.bytes], [7, 9, 10, 2000]);
  assert.deepEqual(names, { type: "SDES", names: [{ ssrc: 7, cname: "camera" }] });
});

Deno.test("parseRtcp() goes on counting in 2036", () => {
  const wallMs = Date.UTC(2040, 0, 1);
  const [report] = parseRtcp(writeSenderReport({ ssrc: 1, wallMs, rtpTimestamp: 0, packets: 0, bytes: 0, cname: "" }));
  assert.ok(report?.type === "SR" && Math.abs(report.wallMs! - wallMs) < 0.01);
});

Deno.test("parseRtcp() has no wall clock from a sender that has none", () => {
  const bytes = writeSenderReport({ ssrc: 1, wallMs: 0, rtpTimestamp: 5, packets: 0, bytes: 0, cname: "x" });
  bytes.fill(0, 8, 16);
  const [report] = parseRtcp(bytes);
  assert.ok(report?.type === "SR" && report.wallMs === undefined);
});

Deno.test("writeReceiverReport() writes what parseRtcp() reads", () => {
  const about = [{
    ssrc: 5,
    fractionLost: 12,
    lost: -3,
    highestSequence: 0x1ffff,
    jitter: 90,
    lastReport: 0xdeadbeef,
    delay: 65536,
  }];
  const packets = parseRtcp(writeReceiverReport({ ssrc: 1, about, cname: "a" }));
  assert.deepEqual(packets, [{ type: "RR", ssrc: 1, reports: about }, {
    type: "SDES",
    names: [{ ssrc: 1, cname: "a" }],
  }]);
});

Deno.test("writeNack() packs sequence numbers, also over the wrap", () => {
  const sequences = [65534, 65535, 3, 100];
  const bytes = writeNack({ ssrc: 1, about: 2, sequences });
  assert.equal(bytes.length, 20);
  assert.deepEqual(parseRtcp(bytes), [{ type: "NACK", ssrc: 1, about: 2, sequences }]);
});

Deno.test("writePli() writes what parseRtcp() reads", () => {
  assert.deepEqual(parseRtcp(writePli({ ssrc: 1, about: 2 })), [{ type: "PLI", ssrc: 1, about: 2 }]);
});

Deno.test("parseRtcp() reads FIR and BYE, and skips what it does not know", () => {
  const fir = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0];
  const other = [0x80, 204, 0, 1, 0, 0, 0, 1];
  const bye = [0x82, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
  assert.deepEqual(parseRtcp(Uint8Array.from([...other, ...fir, ...bye])), [
    { type: "FIR", ssrc: 1, about: [9] },
    { type: "BYE", ssrcs: [1, 2] },
  ]);
});

Deno.test("writeRemb() writes a bitrate as mantissa and exponent", () => {
  const bytes = (bitrate: number) => [...writeRemb({ ssrc: 1, about: [9], bitrate })];
  assert.deepEqual(bytes(8_000_000), [
    ...[0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0x52, 0x45, 0x4d, 0x42, 1],
    // 250,000 times 2 to the power of 5.
    ...[5 << 2 | 3, 0xd0, 0x90, 0, 0, 0, 9],
  ]);
  assert.deepEqual(bytes(0).slice(16, 20), [1, 0, 0, 0]);
  assert.deepEqual(bytes(Infinity).slice(16, 20), [1, 33 << 2 | 2, 0, 0]);
});

Deno.test("isRtcp() tells RTCP from RTP", () => {
  assert.equal(isRtcp(writePli({ ssrc: 1, about: 2 })), true);
  assert.equal(isRtcp(Uint8Array.of(0x80, 0x80 | 96, 0, 0)), false);
});

Deno.test("parseRtcp() never throws", () => {
  const type = fc.constantFrom(200, 201, 202, 203, 205, 206);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), type, (bytes, type) => {
      parseRtcp(bytes);
      if (bytes.length < 4) return;
      bytes[0] = 0x80 | bytes[0]! & 0x3f;
      bytes[1] = type;
      bytes[2] = 0;
      bytes[3] = bytes.length / 4 - 1;
      parseRtcp(bytes);
    }),
    { numRuns: 500 },
  );
});
