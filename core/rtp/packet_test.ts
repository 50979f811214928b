import assert from "node:assert/strict";
import fc from "fast-check";
import {
  makeRtpPacket,
  rtpMarker,
  rtpPayload,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
  sequenceDistance,
} from "./packet.ts";

const header = { marker: true, payloadType: 96, sequence: 0xfffe, timestamp: 0xfedcba98, ssrc: 0x89abcdef };

Deno.test("makeRtpPacket() writes what the readers read", () => {
  const packet = makeRtpPacket(header, Uint8Array.of(1, 2, 3));
  assert.equal(rtpMarker(packet), true);
  assert.equal(rtpPayloadType(packet), 96);
  assert.equal(rtpSequence(packet), 0xfffe);
  assert.equal(rtpTimestamp(packet), 0xfedcba98);
  assert.equal(rtpSsrc(packet), 0x89abcdef);
  assert.deepEqual([...rtpPayload(packet)], [1, 2, 3]);
});

Deno.test("makeRtpPacket() wraps a timestamp of more than 32 bits", () => {
  const packet = makeRtpPacket({ ...header, timestamp: 2 ** 32 * 5 + 77 }, new Uint8Array(0));
  assert.equal(rtpTimestamp(packet), 77);
});

Deno.test("rtpPayloadStart() passes over CSRCs and extension, rtpPayloadEnd() cuts the padding", () => {
  const packet = new Uint8Array(12 + 8 + 4 + 4 + 5 + 3);
  packet[0] = 0x80 | 0x20 | 0x10 | 2;
  packet[20 + 3] = 1;
  packet[packet.length - 1] = 3;
  assert.equal(rtpPayloadStart(packet), 28);
  assert.equal(rtpPayloadEnd(packet), 33);
});

Deno.test("rtpPayloadEnd() takes a padding that cannot be for payload", () => {
  const packet = makeRtpPacket(header, Uint8Array.of(7, 200));
  packet[0]! |= 0x20;
  assert.equal(rtpPayloadEnd(packet), packet.length);
  packet[13] = 0;
  assert.equal(rtpPayloadEnd(packet), packet.length);
});

Deno.test("rtpPayloadStart() is -1 for what is no RTP packet", () => {
  assert.equal(rtpPayloadStart(new Uint8Array(0)), -1);
  assert.equal(rtpPayloadStart(new Uint8Array(12)), -1);
  const packet = makeRtpPacket(header, new Uint8Array(0));
  packet[0] = 0x8f;
  assert.equal(rtpPayloadStart(packet), -1);
  packet[0] = 0x90;
  assert.equal(rtpPayloadStart(packet), -1);
});

Deno.test("rtpPayload() stays inside the packet, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    const start = rtpPayloadStart(bytes);
    if (start < 0) return;
    assert.ok(start <= bytes.length && rtpPayloadEnd(bytes) <= bytes.length && rtpPayloadEnd(bytes) >= start);
  }));
});

Deno.test("sequenceDistance() goes the shorter way round", () => {
  assert.equal(sequenceDistance(65535, 0), 1);
  assert.equal(sequenceDistance(0, 65535), -1);
  assert.equal(sequenceDistance(10, 10), 0);
  assert.equal(sequenceDistance(0, 3000), 3000);
});
