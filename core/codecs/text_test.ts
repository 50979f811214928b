import assert from "node:assert/strict";
import { fmtpValue, fromBase64, fromHex, toBase64, toHex } from "./text.ts";

Deno.test("fromHex() and toHex() are inverse, and odd text is refused", () => {
  assert.equal(toHex(fromHex("12 10\n0A ff")!), "12100aff");
  assert.equal(fromHex("121"), undefined);
  assert.equal(fromHex("12zz"), undefined);
});

Deno.test("fromBase64() takes text with and without padding", () => {
  assert.deepEqual(fromBase64("aO48gA=="), Uint8Array.of(0x68, 0xee, 0x3c, 0x80));
  assert.deepEqual(fromBase64(" aO48gA"), Uint8Array.of(0x68, 0xee, 0x3c, 0x80));
  assert.equal(toBase64(Uint8Array.of(0x68, 0xee, 0x3c, 0x80)), "aO48gA==");
  for (const text of ["aO48g", "a*bc", "abc=d"]) assert.equal(fromBase64(text), undefined, text);
});

Deno.test("fmtpValue() finds a key in any case, with spaces and with = in the value", () => {
  const fmtp = "packetization-mode=1; Sprop-Parameter-Sets = aO48gA== ;config=1210;flag";
  assert.equal(fmtpValue(fmtp, "sprop-parameter-sets"), "aO48gA==");
  assert.equal(fmtpValue(fmtp, "config"), "1210");
  assert.equal(fmtpValue(fmtp, "flag"), undefined);
  assert.equal(fmtpValue("", "config"), undefined);
});
