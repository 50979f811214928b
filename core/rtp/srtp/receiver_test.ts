import assert from "node:assert/strict";
import fc from "fast-check";
import { writePli } from "../rtcp.ts";
import { REPLAY_WINDOW } from "./index_window.ts";
import { backends, expectedOf, frameOf, profileNames, protect, receiverOf, rewriteOf, senderOf } from "./testing.ts";

for (const { name, accel } of backends) {
  for (const profile of profileNames) {
    Deno.test(`SrtpReceiver follows the sender over wraps with losses and reordering (${profile}, ${name})`, () => {
      using sender = senderOf(profile, accel);
      using receiver = receiverOf(profile, accel);
      const frame = frameOf([30, 40]);
      // Each wrap is lost along with a hundred packets around it.
      for (let index = 20_000; index < 458_000; index += 7_001) {
        if ((index + 50) % 65_536 < 100) continue;
        const rewrite = rewriteOf(index);
        const [first, second] = protect(sender, frame, rewrite);
        const expected = expectedOf(frame, rewrite);
        assert.deepEqual(receiver.unprotect(second!), expected[1]);
        assert.deepEqual(receiver.unprotect(first!), expected[0]);
      }
      for (const index of [65_500 + 6 * 65_536, 65_600 + 6 * 65_536]) {
        const [packet] = protect(sender, frame, rewriteOf(index));
        assert.ok(receiver.unprotect(packet!));
      }
      assert.deepEqual({ ...receiver.stats, packets: 0 }, {
        packets: 0,
        failed: 0,
        replayed: 0,
        malformed: 0,
        refused: 0,
      });
    });

    Deno.test(`SrtpReceiver drops replayed, old and forged packets (${profile}, ${name})`, () => {
      using sender = senderOf(profile, accel);
      using receiver = receiverOf(profile, accel);
      const frame = frameOf([100]);
      const packetAt = (index: number) => protect(sender, frame, rewriteOf(index))[0]!;
      assert.ok(receiver.unprotect(packetAt(5000)));
      assert.equal(receiver.unprotect(packetAt(5000)), undefined);
      assert.equal(receiver.unprotect(packetAt(5000 - REPLAY_WINDOW)), undefined);
      assert.ok(receiver.unprotect(packetAt(5001 - REPLAY_WINDOW)));
      assert.equal(receiver.stats.replayed, 2);
      for (let bit = 0; bit < packetAt(5001).length * 8; bit += 5) {
        const forged = packetAt(5001);
        forged[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(receiver.unprotect(forged), undefined);
      }
      const rtcp = new Uint8Array(64);
      const size = sender.protectRtcp(writePli({ ssrc: 1, about: 2 }), rtcp);
      for (let bit = 0; bit < size * 8; bit++) {
        const forged = rtcp.slice(0, size);
        forged[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(receiver.unprotectRtcp(forged), undefined);
      }
      assert.equal(receiver.stats.packets, 2);
      assert.ok(receiver.unprotect(packetAt(5001)), "a forged packet must not take the place of the real one");
      assert.ok(receiver.unprotectRtcp(rtcp.slice(0, size)));
    });

    Deno.test(`SrtpReceiver drops garbage of any length (${profile}, ${name})`, () => {
      using receiver = receiverOf(profile, accel);
      let count = 0;
      const header = fc.constantFrom<number[]>([], [0x80, 96], [0x90, 96], [0x8f, 96], [0x80, 200], [0xbf, 0xff]);
      fc.assert(
        fc.property(header, fc.uint8Array({ maxLength: 120 }), (head, tail) => {
          const bytes = Uint8Array.of(...head, ...tail);
          assert.equal(receiver.unprotect(bytes.slice()), undefined);
          assert.equal(receiver.unprotectRtcp(bytes.slice()), undefined);
          count += 2;
        }),
        { numRuns: 300 },
      );
      const { packets, failed, replayed, malformed, refused } = receiver.stats;
      assert.deepEqual([packets, replayed, refused], [0, 0, 0]);
      assert.equal(failed + malformed, count);
    });
  }

  Deno.test(`SrtpReceiver keeps the windows of a limited number of sources (${name})`, () => {
    using sender = senderOf("AEAD_AES_128_GCM", accel);
    using receiver = receiverOf("AEAD_AES_128_GCM", accel);
    const frame = frameOf([20]);
    const packetOf = (ssrc: number, index: number) => protect(sender, frame, { ...rewriteOf(index), ssrc })[0]!;
    for (let ssrc = 0; ssrc < 64; ssrc++) assert.ok(receiver.unprotect(packetOf(ssrc, 1)));
    assert.equal(receiver.unprotect(packetOf(64, 1)), undefined);
    assert.equal(receiver.stats.refused, 1);
    assert.ok(receiver.unprotect(packetOf(63, 2)));
  });

  Deno.test(`SrtpReceiver answers nothing once it is closed (${name})`, () => {
    using sender = senderOf("AEAD_AES_128_GCM", accel);
    const receiver = receiverOf("AEAD_AES_128_GCM", accel);
    receiver[Symbol.dispose]();
    receiver[Symbol.dispose]();
    const [packet] = protect(sender, frameOf([20]), rewriteOf(1));
    assert.equal(receiver.unprotect(packet!), undefined);
    assert.equal(receiver.unprotectRtcp(new Uint8Array(40)), undefined);
  });
}

Deno.test("SrtpReceiver drops what was made with other keys", () => {
  for (const profile of profileNames) {
    using sender = senderOf(profile, undefined);
    const other = profile === "AEAD_AES_128_GCM" ? "AES_CM_128_HMAC_SHA1_80" : "AEAD_AES_128_GCM";
    using receiver = receiverOf(other, undefined);
    assert.equal(receiver.unprotect(protect(sender, frameOf([50]), rewriteOf(1))[0]!), undefined);
    assert.equal(receiver.stats.failed, 1);
  }
});
