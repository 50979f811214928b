import assert from "node:assert/strict";
import { LOAS_HEADER_BYTES, loasFrameLength, parseLatm, parseStreamMuxConfig } from "./latm.ts";
import { binary, hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

// 44100/2 of ffmpeg: a LOAS header, and an element that begins with its configuration and is not on whole bytes.
const CONFIG = "0 1 000000 0000 000  00010 0100 0010 000  000 11111111 0 0";
const ELEMENT = binary(`0 ${CONFIG} 00000011 11011110 00000010 01001100`);

Deno.test("loasFrameLength() reads ffmpeg's header", () => {
  const frame = hex("56e15a200012101fe7");
  assert.equal(loasFrameLength(frame), LOAS_HEADER_BYTES + 0x15a);
  assert.equal(loasFrameLength(frame, 1), undefined);
  assert.equal(loasFrameLength(frame, 7), undefined);
});

Deno.test("parseLatm() takes the frame and the configuration out of an element", () => {
  const element = parseLatm(ELEMENT, undefined, true)!;
  assert.equal(toHex(element.config.asc), "1210");
  assert.deepEqual(element.frames.map(toHex), ["de024c"]);
  const next = parseLatm(binary("1 00000010 00000001 00000010"), element.config, true)!;
  assert.deepEqual(next.frames.map(toHex), ["0102"]);
  assert.equal(parseLatm(binary("1 00000010 00000001 00000010"), undefined, true), undefined);
});

Deno.test("parseLatm() takes elements whose configuration came in the SDP", () => {
  // RFC 6416 §7.3.1.1: AAC-LC 24000/1.
  const config = parseStreamMuxConfig(hex("40002610 3fc0"));
  assert.deepEqual([toHex(config.asc), config.subFrames], ["1308", 1]);
  const long = [255, 1, ...new Uint8Array(256).fill(7)];
  assert.deepEqual(parseLatm(Uint8Array.from(long), config, false)!.frames, [new Uint8Array(256).fill(7)]);
  assert.equal(parseLatm(Uint8Array.from(long).subarray(0, 100), config, false), undefined);
});

Deno.test("parseLatm() takes several frames, and frames of a fixed size", () => {
  const several = parseStreamMuxConfig(binary("0 1 000001 0000 000  00010 0100 0010 000  000 11111111 0 0"));
  assert.deepEqual(parseLatm(hex("01aa 02bbcc"), several, false)!.frames.map(toHex), ["aa", "bbcc"]);
  const fixed = parseStreamMuxConfig(binary("0 1 000000 0000 000  00010 0100 0010 000  001 000000000 0 0"));
  assert.equal(parseLatm(new Uint8Array(21), fixed, false)!.frames[0]!.length, 20);
});

Deno.test("parseStreamMuxConfig() refuses several programs", () => {
  assert.throws(() => parseStreamMuxConfig(binary("0 1 000000 0001 000 00010 0100 0010 000")), RangeError);
});

Deno.test("parseLatm() survives any bytes", () => {
  survives((bytes) => parseLatm(bytes, undefined, true), [ELEMENT]);
  survives(parseStreamMuxConfig, [hex("400026103fc0")]);
  survives(loasFrameLength, [hex("56e15a200012101fe7")]);
});
