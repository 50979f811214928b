import assert from "node:assert/strict";
import fc from "fast-check";
import { createHmac } from "node:crypto";
import { hmacSha1 } from "./hmac_sha1.ts";

const encoder = new TextEncoder();

Deno.test("hmacSha1() computes the vectors of RFC 2202", () => {
  const cases: readonly (readonly [Uint8Array, Uint8Array, string])[] = [
    [new Uint8Array(20).fill(0x0b), encoder.encode("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"],
    [
      encoder.encode("Jefe"),
      encoder.encode("what do ya want for nothing?"),
      "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    ],
    [new Uint8Array(20).fill(0xaa), new Uint8Array(50).fill(0xdd), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"],
    [
      new Uint8Array(80).fill(0xaa),
      encoder.encode("Test Using Larger Than Block-Size Key - Hash Key First"),
      "aa4ae5e15272d00e95705637ce8a3b55ed402112",
    ],
  ];
  for (const [key, data, digest] of cases) assert.equal(hmacSha1(key, data, data.length).toHex(), digest);
});

Deno.test("hmacSha1() agrees with OpenSSL for any key and length, again and again", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(bytes, bytes, fc.nat({ max: 300 }), (key, data, cut) => {
    const length = Math.min(cut, data.length);
    const digest = createHmac("sha1", key).update(data.subarray(0, length)).digest().toString("hex");
    for (let i = 0; i < 2; i++) assert.equal(hmacSha1(key, data, length).toHex(), digest);
  }));
});
