import assert from "node:assert/strict";
import {
  av1CodecString,
  av1Config,
  Av1Obu,
  av1ObuType,
  isAv1Keyframe,
  parseAv1Config,
  parseAv1SequenceHeader,
  splitObus,
  withObuSize,
} from "./av1.ts";
import { binary, hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

// Sequence headers of libaom (8 bit) and SVT-AV1 (10 bit), 320x180.
const AOM = hex("0a0b000000043cfeccdaf90040");
const SVT10 = hex("0a0b000000043cfecc02f84040");
const DELIMITER = "1200";
// The first bytes of frames of libaom, with their sizes made to fit.
const KEY_FRAME = "3206 121400a14810";
const INTER_FRAME = "3206 2905f0200000";
const HIDDEN_INTER_FRAME = "3206 0700408348e0";
const SHOWN_AGAIN = "1a01b8";

Deno.test("splitObus() gives each OBU whole", () => {
  const unit = hex(`${DELIMITER} ${toHex(AOM)} ${KEY_FRAME}`);
  const obus = splitObus(unit);
  assert.deepEqual(obus.map(toHex), ["1200", toHex(AOM), "3206121400a14810"]);
  assert.deepEqual(obus.map(av1ObuType), [Av1Obu.TEMPORAL_DELIMITER, Av1Obu.SEQUENCE_HEADER, Av1Obu.FRAME]);
});

Deno.test("splitObus() takes an extension, a long size and a last OBU without size", () => {
  const long = `3e08 8201 ${"00".repeat(130)}`;
  const obus = splitObus(hex(`${DELIMITER} ${long} 30 1214`));
  assert.deepEqual(obus.map(({ length }) => length), [2, 134, 3]);
  assert.deepEqual(splitObus(hex("1200 3207 12")).map(toHex), ["1200"]);
  assert.deepEqual(splitObus(hex("32ffffffffffffffffff00")), []);
});

const KEYFRAMES: readonly (readonly [string, string, boolean])[] = [
  ["a key frame with its sequence header", `${DELIMITER} ${toHex(AOM)} ${KEY_FRAME}`, true],
  ["a key frame alone", `${DELIMITER} ${KEY_FRAME}`, true],
  ["a frame without size", "30 121400", true],
  ["an inter frame", `${DELIMITER} ${INTER_FRAME}`, false],
  ["a sequence header before an inter frame", `${DELIMITER} ${toHex(AOM)} ${INTER_FRAME}`, false],
  ["a hidden frame", `${DELIMITER} ${HIDDEN_INTER_FRAME}`, false],
  ["a frame that is shown again", `${DELIMITER} ${SHOWN_AGAIN}`, false],
  ["a frame that passes the end", "3240 1214", false],
  ["nothing", "", false],
];

for (const [name, unit, expected] of KEYFRAMES) {
  Deno.test(`isAv1Keyframe() is ${expected} for ${name}`, () => assert.equal(isAv1Keyframe(hex(unit)), expected));
}

Deno.test("parseAv1SequenceHeader() reads libaom's and SVT-AV1's", () => {
  const aom = parseAv1SequenceHeader(AOM);
  assert.deepEqual(aom, {
    profile: 0,
    level: 0,
    tier: 0,
    isStill: false,
    isReducedStill: false,
    width: 320,
    height: 180,
    bitDepth: 8,
    isMonochrome: false,
    subsamplingX: true,
    subsamplingY: true,
    chromaPosition: 0,
  });
  assert.deepEqual(parseAv1SequenceHeader(SVT10), { ...aom, bitDepth: 10 });
});

Deno.test("parseAv1SequenceHeader() reads timing, levels and tiers", () => {
  const header = binary([
    "00001000", // a sequence header without size
    "000 0 0", // Main profile, moving
    `1 ${"1".padStart(32, "0")} ${(25).toString(2).padStart(32, "0")} 1 1`, // 25 pictures a second, 1 tick each
    `1 00111 ${"1".padStart(32, "0")} 01001 01001`, // decoder model with 8 bits of delay
    "0 00000", // one operating point
    `${"0".repeat(12)} 01101 1 1 ${"0".repeat(17)}`, // level 5.1, high tier, with a decoder model
    "1010 1001 11101111111 1000011011", // 1920x540, in 11 and 10 bits
    "0 000 0000 1 11 1 1 111 000", // no frame ids, order hints, screen tools chosen per frame
    "0 0 0 0 00 0 0 0",
  ].join(""));
  const { level, tier, width, height, frameRate } = parseAv1SequenceHeader(header);
  assert.deepEqual({ level, tier, width, height, frameRate }, {
    level: 13,
    tier: 1,
    width: 1920,
    height: 540,
    frameRate: 25,
  });
  assert.equal(av1CodecString(header), "av01.0.13H.08");
});

Deno.test("withObuSize() adds a size, and leaves what has one", () => {
  const bare = Uint8Array.of(AOM[0]! & ~2, ...AOM.subarray(2));
  assert.deepEqual(withObuSize(bare), AOM);
  assert.equal(withObuSize(AOM), AOM);
  const long = withObuSize(Uint8Array.of(0x34, 0x08, ...new Uint8Array(300)));
  assert.equal(toHex(long.subarray(0, 4)), "3608ac02");
  assert.deepEqual(splitObus(long), [long]);
  assert.deepEqual(parseAv1SequenceHeader(bare), parseAv1SequenceHeader(AOM));
});

Deno.test("av1Config() writes what ffmpeg writes, and parseAv1Config() finds the header in it", () => {
  assert.equal(toHex(av1Config(AOM)), "81000c000a0b000000043cfeccdaf90040");
  assert.equal(toHex(av1Config(SVT10)), "81004c000a0b000000043cfecc02f84040");
  assert.deepEqual(parseAv1Config(av1Config(AOM)), AOM);
  assert.equal(parseAv1Config(hex("81000c00")), undefined);
  assert.throws(() => av1Config(hex("3206121400a14810")), RangeError);
});

Deno.test("av1CodecString() has profile, level, tier and depth", () => {
  assert.equal(av1CodecString(AOM), "av01.0.00M.08");
  assert.equal(av1CodecString(SVT10), "av01.0.00M.10");
});

Deno.test("parseAv1SequenceHeader(), splitObus() and isAv1Keyframe() survive any bytes", () => {
  survives(parseAv1SequenceHeader, [AOM, SVT10]);
  const unit = hex(`${DELIMITER} ${toHex(AOM)} ${KEY_FRAME}`);
  survives(splitObus, [unit]);
  survives((bytes) => assert.equal(typeof isAv1Keyframe(bytes), "boolean"), [unit]);
  survives(withObuSize, [unit]);
  survives(parseAv1Config, [av1Config(AOM)]);
});
