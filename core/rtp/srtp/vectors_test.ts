import assert from "node:assert/strict";
import { type PacketCipher, SealBatch } from "../../runtime/mod.ts";
import { srtpTransform } from "./cipher.ts";
import { deriveSrtpKeys, type SrtpKeys } from "./keys.ts";
import { SrtpReceiver } from "./receiver.ts";
import { SrtpSender } from "./sender.ts";
import { backends } from "./testing.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));

/** Keys and packet of RFC 7714 §16.1. */
const GCM_KEYS: SrtpKeys = {
  key: hex("000102030405060708090a0b0c0d0e0f"),
  authenticationKey: new Uint8Array(0),
  salt: hex("517569642070726f2071756f"),
};
const GCM_PACKET = hex(`8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
  69736120 696e2070 61727465 73207472 6573`);
const GCM_SEALED = hex(`8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
  0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce`);
/** RFC 7714 §17.1: encrypted and tagged SRTCP. */
const GCM_RTCP = hex(`81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
  deadbeef deadbeef deadbeef deadbeef deadbeef`);
const GCM_RTCP_SEALED = hex(`81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
  c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`);

/** Encrypts one packet with session keys, and proves that the other direction undoes it. */
function seal(
  cipher: PacketCipher,
  packet: Uint8Array,
  { headerBytes, iv, trailer, growth }: { headerBytes: number; iv: Uint8Array; trailer: number; growth: number },
): Uint8Array {
  const batch = new SealBatch();
  batch.reserve(1);
  batch.count = 1;
  batch.ivs.set(iv);
  batch.payloadStarts[0] = batch.headerBytes[0] = headerBytes;
  batch.payloadBytes[0] = packet.length - headerBytes;
  batch.trailers[0] = trailer;
  const out = new Uint8Array(packet.length + growth);
  out.set(packet.subarray(0, headerBytes));
  cipher.seal(batch, packet, out);
  const copy = out.slice();
  assert.equal(cipher.open(copy, headerBytes, iv, trailer), packet.length);
  assert.deepEqual(copy.subarray(0, packet.length), packet);
  return out;
}

for (const { name, accel } of backends) {
  Deno.test(`SRTP computes the packets of RFC 7714 (${name})`, () => {
    const rtp = srtpTransform("AEAD_AES_128_GCM", GCM_KEYS, { isControl: false, accel });
    const iv = new Uint8Array(16);
    rtp.iv.write(iv, 0, 0x5501a0b2, 0xf17b);
    assert.deepEqual(iv.subarray(0, 12), hex("51753c6580c2726f20718414"));
    assert.deepEqual(seal(rtp.cipher, GCM_PACKET, { headerBytes: 12, iv, trailer: 0, growth: 16 }), GCM_SEALED);
    rtp.cipher[Symbol.dispose]();
    const rtcp = srtpTransform("AEAD_AES_128_GCM", GCM_KEYS, { isControl: true, accel });
    rtcp.iv.write(iv, 0, 0x4d617273, 0x5d4);
    assert.deepEqual(iv.subarray(0, 12), hex("517524055203726f207170bb"));
    const sealed = seal(rtcp.cipher, GCM_RTCP, { headerBytes: 8, iv, trailer: 0x800005d4, growth: 20 });
    assert.deepEqual(sealed, GCM_RTCP_SEALED);
    rtcp.cipher[Symbol.dispose]();
  });

  Deno.test(`SRTP computes the key stream of RFC 3711 §B.2 (${name})`, () => {
    const keys: SrtpKeys = {
      key: hex("2b7e151628aed2a6abf7158809cf4f3c"),
      authenticationKey: new Uint8Array(20),
      salt: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"),
    };
    const { cipher, iv } = srtpTransform("AES_CM_128_HMAC_SHA1_80", keys, { isControl: false, accel });
    const vector = new Uint8Array(16);
    iv.write(vector, 0, 0, 0);
    const out = seal(cipher, new Uint8Array(12 + 0xff02 * 16), { headerBytes: 12, iv: vector, trailer: 0, growth: 10 });
    const block = (counter: number) => out.subarray(12 + counter * 16, 28 + counter * 16).toHex();
    assert.equal(block(0), "e03ead0935c95e80e166b16dd92b4eb4");
    assert.equal(block(1), "d23513162b02d0f72a43a2fe4a5f97ab");
    assert.equal(block(2), "41e95b3bb0a2e8dd477901e4fca894c0");
    assert.equal(block(0xfeff), "ec8cdf7398607cb0f2d21675ea9ea1e4");
    assert.equal(block(0xff00), "362b7c3c6773516318a077d7fc5073ae");
    assert.equal(block(0xff01), "6a2cc3787889374fbeb4c81b17ba6c44");
    cipher[Symbol.dispose]();
  });

  Deno.test(`SRTP protects the packet that libsrtp's own test has (${name})`, () => {
    const key = hex("e1f97a0d3e018be0d64fa32c06de4139");
    const salt = hex("0ec675ad498afeebb6960b3aabe6");
    const plain = hex("800f1234decafbadcafebabeabababababababababababababababab");
    const sealed = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    using sender = new SrtpSender("AES_CM_128_HMAC_SHA1_80", key, salt, { accel });
    const out = new Uint8Array(64);
    const rewrite = { index: 0x1234, payloadType: 15, ssrc: 0xcafebabe, timestampDelta: 0 };
    const size = sender.protectFrame(plain, [0], rewrite, out, []);
    assert.deepEqual(out.subarray(0, size), sealed);
    using receiver = new SrtpReceiver("AES_CM_128_HMAC_SHA1_80", key, salt, { accel });
    assert.deepEqual(receiver.unprotect(out.subarray(0, size)), plain);
  });
}

Deno.test("deriveSrtpKeys computes the keys of RFC 3711 §B.3", () => {
  const masterKey = hex("e1f97a0d3e018be0d64fa32c06de4139");
  const masterSalt = hex("0ec675ad498afeebb6960b3aabe6");
  const { rtp } = deriveSrtpKeys("AES_CM_128_HMAC_SHA1_80", masterKey, masterSalt);
  assert.equal(rtp.key.toHex(), "c61e7a93744f39ee10734afe3ff7a087");
  assert.equal(rtp.salt.toHex(), "30cbbc08863d8c85d49db34a9ae1");
  assert.equal(rtp.authenticationKey.toHex(), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
});

Deno.test("deriveSrtpKeys refuses keys of another size", () => {
  assert.throws(() => deriveSrtpKeys("AEAD_AES_128_GCM", new Uint8Array(16), new Uint8Array(14)), RangeError);
  assert.throws(() => deriveSrtpKeys("AES_CM_128_HMAC_SHA1_80", new Uint8Array(32), new Uint8Array(14)), RangeError);
});
