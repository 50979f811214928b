import assert from "node:assert/strict";
import fc from "fast-check";
import { joinAnnexB, joinLengthPrefixed, splitAnnexB, splitLengthPrefixed, unescapeRbsp } from "./annexb.ts";
import { hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

const SPLITS: readonly (readonly [string, string, readonly string[]])[] = [
  ["3-byte start codes", "000001 6742 000001 68ce", ["6742", "68ce"]],
  ["4-byte start codes", "00000001 6742 00000001 68ce", ["6742", "68ce"]],
  ["both kinds, and more zeros", "000001 0910 0000000000 01 6742 00000001 6588 0000", ["0910", "6742", "6588"]],
  ["bytes before the first start code", "1234 000001 6742", ["6742"]],
  ["a start code at the end", "000001 6742 00000001", ["6742"]],
  ["no NAL between start codes", "000001 000001 00000001 6742", ["6742"]],
  ["a NAL that ends with 01", "000001 6701 000001 6801", ["6701", "6801"]],
  ["01 behind one zero", "000001 67000100 01 000001 68", ["6700010001", "68"]],
  ["emulation prevention", "000001 670000030001 000001 68", ["670000030001", "68"]],
  ["no start code", "6742 0000 02", []],
  ["nothing", "", []],
];

for (const [name, input, expected] of SPLITS) {
  Deno.test(`splitAnnexB() splits ${name}`, () => {
    assert.deepEqual(splitAnnexB(hex(input)).map(toHex), expected);
  });
}

// NAL units as an encoder makes them: no start code inside, no zero at the end.
const nal = fc.uint8Array({ minLength: 1, maxLength: 40, max: 4 }).map((bytes) => {
  const escaped: number[] = [];
  for (const byte of bytes) {
    if (byte < 4 && escaped.at(-1) === 0 && escaped.at(-2) === 0) escaped.push(3);
    escaped.push(byte);
  }
  return { escaped: Uint8Array.from([...escaped, 0x80]), plain: Uint8Array.from([...bytes, 0x80]) };
});

Deno.test("splitAnnexB() and splitLengthPrefixed() undo joining", () => {
  fc.assert(fc.property(fc.array(nal, { maxLength: 10 }), (units) => {
    const nals = units.map(({ escaped }) => escaped);
    assert.deepEqual(splitAnnexB(joinAnnexB(nals)), nals);
    assert.deepEqual(splitLengthPrefixed(joinLengthPrefixed(nals)), nals);
    const short = nals.flatMap((one) => [0, 0, 1, ...one]);
    assert.deepEqual(splitAnnexB(Uint8Array.from(short)), nals);
  }));
});

Deno.test("unescapeRbsp() takes out what an encoder put in", () => {
  fc.assert(fc.property(nal, ({ escaped, plain }) => assert.deepEqual(unescapeRbsp(escaped), plain)));
  const without = hex("67 00 01 00 00 04");
  assert.equal(unescapeRbsp(without), without);
});

Deno.test("splitAnnexB() gives views", () => {
  const bytes = hex("00000001 6742");
  assert.equal(splitAnnexB(bytes)[0]!.buffer, bytes.buffer);
});

Deno.test("splitLengthPrefixed() takes lengths of other sizes and stops at a broken one", () => {
  assert.deepEqual(splitLengthPrefixed(hex("0002 6742 0000 0001 68"), 2).map(toHex), ["6742", "68"]);
  assert.deepEqual(splitLengthPrefixed(hex("02 6742 09 68"), 1).map(toHex), ["6742"]);
  assert.deepEqual(splitLengthPrefixed(hex("ffffffff 6742")), []);
});

Deno.test("splitAnnexB(), splitLengthPrefixed() and unescapeRbsp() survive any bytes", () => {
  survives(splitAnnexB, [hex("00000001 6742 000001 68ce")]);
  survives(splitLengthPrefixed, [hex("00000002 6742")]);
  survives(unescapeRbsp, [hex("67 000003 000003")]);
});
