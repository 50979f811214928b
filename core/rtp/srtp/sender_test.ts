import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { RtpHeader, SrtcpSession, SrtpSession } from "werift";
import { readU16, rtpPayload, rtpPayloadType, rtpSequence, rtpSsrc, rtpTimestamp } from "../packet.ts";
import { writePli } from "../rtcp.ts";
import { deriveSrtpKeys } from "./keys.ts";
import { preferredSrtpProfiles, type SrtpProfile, srtpProfiles } from "./profile.ts";
import type { SrtpRewrite, SrtpSender } from "./sender.ts";
import {
  backends,
  expectedOf,
  frameOf,
  masterOf,
  profileNames,
  protect,
  receiverOf,
  rewriteOf,
  senderOf,
  type TestFrame,
} from "./testing.ts";

const FRAME_SIZES = [24, 6, 1188, 1188, 1188, 333, 0];
/** What the other implementation has too. */
const SHARED: readonly SrtpProfile[] = ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"];

function configOf(profile: SrtpProfile) {
  const { key, salt } = masterOf(profile);
  const [masterKey, masterSalt] = [Buffer.from(key), Buffer.from(salt)];
  const keys = {
    localMasterKey: masterKey,
    localMasterSalt: masterSalt,
    remoteMasterKey: masterKey,
    remoteMasterSalt: masterSalt,
  };
  return { keys, profile: srtpProfiles[profile].dtlsId };
}

for (const { name, accel } of backends) {
  for (const profile of SHARED) {
    Deno.test(`SrtpSender and SrtpReceiver agree with another implementation (${profile}, ${name})`, () => {
      using sender = senderOf(profile, accel);
      using receiver = receiverOf(profile, accel);
      const other = new SrtpSession(configOf(profile));
      const otherRtcp = new SrtcpSession(configOf(profile));
      for (let i = 0; i < 20; i++) {
        const frame = frameOf(FRAME_SIZES, i + 1);
        const rewrite = rewriteOf(65_500 + i * FRAME_SIZES.length);
        const expected = expectedOf(frame, rewrite);
        const protectedPackets = protect(sender, frame, rewrite);
        protectedPackets.forEach((packet, k) => {
          const header = RtpHeader.deSerialize(Buffer.from(expected[k]!));
          const theirs = other.encrypt(Buffer.from(expected[k]!.subarray(12)), header);
          assert.deepEqual(packet, new Uint8Array(theirs));
          assert.deepEqual(receiver.unprotect(packet), expected[k]);
        });
      }
      const rtcp = writePli({ ssrc: 7, about: 8 });
      const out = new Uint8Array(64);
      for (let i = 0; i < 3; i++) {
        const ours = out.slice(0, sender.protectRtcp(rtcp, out));
        assert.deepEqual(new Uint8Array(otherRtcp.decrypt(Buffer.from(ours))), rtcp);
        assert.deepEqual(receiver.unprotectRtcp(new Uint8Array(otherRtcp.encrypt(Buffer.from(rtcp)))), rtcp);
      }
    });
  }

  for (const profile of profileNames) {
    Deno.test(`SrtpSender rewrites headers and leaves the shared frame alone (${profile}, ${name})`, () => {
      using sender = senderOf(profile, accel);
      using receiver = receiverOf(profile, accel);
      const frame = frameOf(FRAME_SIZES);
      const shared = frame.bytes.slice();
      const rewrite = rewriteOf(0x12_fffe);
      const packets = protect(sender, frame, rewrite);
      assert.deepEqual(frame.bytes, shared);
      assert.deepEqual(packets.map((packet) => packet.length), FRAME_SIZES.map((size) => 12 + size + sender.overhead));
      assert.deepEqual(packets.map((packet) => packet[1]), [102, 102, 102, 102, 102, 102, 102 | 0x80]);
      assert.deepEqual(packets.map(rtpSequence), [0xfffe, 0xffff, 0, 1, 2, 3, 4]);
      assert.ok(packets.every((packet) => rtpTimestamp(packet) === 9500 && rtpSsrc(packet) === 0xfedcba98));
      // A receiver begins with rollover 0, so it does not know these packets.
      assert.equal(receiver.unprotect(packets[0]!.slice()), undefined);
      assert.equal(receiver.stats.failed, 1);
    });

    Deno.test(`SrtpSender sends a packet again as it was, or in a stream of its own (${profile}, ${name})`, () => {
      using sender = senderOf(profile, accel);
      using receiver = receiverOf(profile, accel);
      const frame = frameOf(FRAME_SIZES);
      const first = protect(sender, frame, rewriteOf(100));
      const out = new Uint8Array(3000);
      const outOffsets = [1, 2, 3];
      const rewrite: SrtpRewrite = rewriteOf(103);
      const size = sender.protectFrame(frame.bytes, frame.offsets, rewrite, out, outOffsets, 3, 4);
      assert.deepEqual(outOffsets, [0]);
      assert.deepEqual(out.subarray(0, size), first[3]);

      rewrite.rtx = { ssrc: 77, payloadType: 103, index: 9 };
      const wrapped = sender.protectFrame(frame.bytes, frame.offsets, rewrite, out, outOffsets, 3, 5);
      assert.equal(wrapped, 2 * (12 + 2 + 1188 + sender.overhead));
      const packet = receiver.unprotect(out.slice(outOffsets[1], wrapped))!;
      assert.deepEqual([rtpSsrc(packet), rtpPayloadType(packet), rtpSequence(packet)], [77, 103, 10]);
      assert.equal(rtpTimestamp(packet), 9500);
      assert.equal(readU16(rtpPayload(packet), 0), 104);
      assert.deepEqual(rtpPayload(packet).subarray(2), expectedOf(frame, rewrite)[4]!.subarray(12));
    });

    Deno.test(`SrtpSender counts its RTCP packets (${profile}, ${name})`, () => {
      using sender = senderOf(profile, accel);
      using receiver = receiverOf(profile, accel);
      const rtcp = writePli({ ssrc: 7, about: 8 });
      const out = new Uint8Array(64);
      const packets = [0, 1, 2].map(() => out.slice(0, sender.protectRtcp(rtcp, out)));
      assert.equal(new Set(packets.map((packet) => packet.toHex())).size, 3);
      for (const packet of packets) assert.deepEqual(receiver.unprotectRtcp(packet.slice()), rtcp);
      assert.equal(receiver.unprotectRtcp(packets[1]!.slice()), undefined);
      assert.equal(receiver.stats.replayed, 1);
    });
  }

  Deno.test(`SrtpSender takes packets with CSRCs and header extensions (${name})`, () => {
    using sender = senderOf("AEAD_AES_128_GCM", accel);
    using receiver = receiverOf("AEAD_AES_128_GCM", accel);
    const packet = Uint8Array.fromHex("917f000100000000000000010000000abede000110aa0000cafe");
    const [sealed] = protect(sender, { bytes: packet, offsets: [0] }, rewriteOf(1));
    assert.deepEqual(sealed!.subarray(12, 24), packet.subarray(12, 24));
    assert.deepEqual(receiver.unprotect(sealed!)?.subarray(12), packet.subarray(12));
  });

  Deno.test(`SrtpSender refuses what it cannot do safely (${name})`, () => {
    const sender = senderOf("AES_CM_128_HMAC_SHA1_80", accel);
    const { bytes, offsets } = frameOf([100, 100]);
    const call = (rewrite: SrtpRewrite, given: TestFrame = { bytes, offsets }, room = 400) =>
      sender.protectFrame(given.bytes, given.offsets, rewrite, new Uint8Array(room), []);
    for (const index of [-1, 0.5, NaN, 2 ** 48 - 1]) assert.throws(() => call(rewriteOf(index)), RangeError);
    assert.throws(() => call(rewriteOf(1), { bytes, offsets }, 224), RangeError);
    for (const wrong of [[-1, 112], [0, 220], [0, 500], [112, 0], [1]]) {
      assert.throws(() => call(rewriteOf(1), { bytes, offsets: wrong }), RangeError);
    }
    assert.throws(() => sender.protectRtcp(new Uint8Array(7), new Uint8Array(64)), RangeError);
    assert.throws(() => sender.protectRtcp(new Uint8Array(8), new Uint8Array(21)), RangeError);
    assert.equal(call(rewriteOf(2 ** 48 - 2)), 244);
    assert.equal(sender.protectFrame(bytes, [], rewriteOf(0), new Uint8Array(0), []), 0);
    sender[Symbol.dispose]();
    sender[Symbol.dispose]();
    assert.equal(call(rewriteOf(1)), 0);
    assert.equal(sender.protectRtcp(new Uint8Array(8), new Uint8Array(64)), 0);
  });

  // Two inputs under one vector give the sum of both away, and with GCM the key of the tag (RFC 7714 §10.1).
  Deno.test(`SrtpSender never uses a vector for two packets in a session (${name})`, () => {
    const resend = fc.record({ back: fc.nat(30), rtx: fc.boolean() });
    const step = fc.record({ sizes: fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }), skips: fc.nat(2), resend });
    fc.assert(
      fc.property(fc.constantFrom(...profileNames), fc.array(step, { maxLength: 25 }), (profile, steps) => {
        using sender = senderOf(profile, accel);
        const session = new TestSession(sender, profile);
        for (const { sizes, skips, resend } of steps) {
          session.send(frameOf(sizes, session.frames + 1), skips);
          session.resend(resend.back, resend.rtx);
        }
      }),
      { numRuns: 40 },
    );
  });
}

/** A session as callers keep it: an index that only grows, packets sent again with theirs, a count of its own for RTX. */
class TestSession {
  frames = 0;
  readonly #sender: SrtpSender;
  readonly #salt: Uint8Array;
  readonly #sent: { frame: TestFrame; packet: number; index: number }[] = [];
  readonly #inputs = new Map<string, string>();
  #index = 65_530;
  #rtxIndex = 0;

  constructor(sender: SrtpSender, profile: SrtpProfile) {
    const { key, salt } = masterOf(profile);
    this.#sender = sender;
    this.#salt = deriveSrtpKeys(profile, key, salt).rtp.salt;
  }

  send(frame: TestFrame, skippedFrames: number): void {
    this.frames += 1 + skippedFrames;
    protect(this.#sender, frame, rewriteOf(this.#index)).forEach((packet, i) => {
      this.#record(packet, this.#index + i);
      this.#sent.push({ frame, packet: i, index: this.#index + i });
    });
    this.#index += frame.offsets.length;
  }

  resend(back: number, asRtx: boolean): void {
    const sent = this.#sent.at(-1 - back);
    if (!sent) return;
    const rewrite = rewriteOf(sent.index);
    if (asRtx) rewrite.rtx = { ssrc: 5, payloadType: 103, index: this.#rtxIndex };
    const out = new Uint8Array(200);
    const { bytes, offsets } = sent.frame;
    const size = this.#sender.protectFrame(bytes, offsets, rewrite, out, [], sent.packet, sent.packet + 1);
    this.#record(out.slice(0, size), asRtx ? this.#rtxIndex++ : sent.index);
  }

  // Equal ciphertext under equal key and vector means equal input.
  #record(packet: Uint8Array, index: number): void {
    assert.equal(rtpSequence(packet), index % 65_536);
    const vector = `${this.#salt.toHex()} ${rtpSsrc(packet)} ${index}`;
    const before = this.#inputs.get(vector) ?? packet.toHex();
    assert.equal(packet.toHex(), before, `Index ${index} was used for two packets`);
    this.#inputs.set(vector, before);
  }
}

Deno.test("preferredSrtpProfiles prefers GCM where it is cheap", () => {
  assert.deepEqual(preferredSrtpProfiles(), ["AES_CM_128_HMAC_SHA1_80"]);
  const { accel } = backends[0]!;
  if (accel?.crypto) assert.equal(preferredSrtpProfiles(accel)[0], "AEAD_AES_128_GCM");
});
