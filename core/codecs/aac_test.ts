import assert from "node:assert/strict";
import fc from "fast-check";
import {
  aacFmtp,
  adtsHeader,
  type AudioSpecificConfig,
  makeAudioSpecificConfig,
  parseAacFmtp,
  parseAdtsHeader,
  parseAudioSpecificConfig,
} from "./aac.ts";
import { binary, hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

const LC = { objectType: 2, coreObjectType: 2, samplesPerFrame: 1024 };

const CONFIGS: readonly (readonly [string, string, AudioSpecificConfig])[] = [
  ["AAC-LC 44100/2", "1210", { ...LC, sampleRate: 44100, outputRate: 44100, channels: 2 }],
  ["AAC-LC 16000/1", "1408", { ...LC, sampleRate: 16000, outputRate: 16000, channels: 1 }],
  ["AAC-LC of ffmpeg, which says there is no SBR", "121056e500", {
    ...LC,
    sampleRate: 44100,
    outputRate: 44100,
    channels: 2,
  }],
  ["AAC-LC 48000/5.1", "11b056e500", { ...LC, sampleRate: 48000, outputRate: 48000, channels: 6 }],
  ["HE-AAC signalled behind", "131056e598", { ...LC, sampleRate: 24000, outputRate: 48000, channels: 2 }],
  ["HE-AAC signalled first", "2b920800", { ...LC, objectType: 5, sampleRate: 22050, outputRate: 44100, channels: 2 }],
  ["HE-AAC v2", "eb8a0800", { ...LC, objectType: 29, sampleRate: 22050, outputRate: 44100, channels: 1 }],
  ["AAC-ELD", "f8ec3000", {
    objectType: 39,
    coreObjectType: 39,
    sampleRate: 24000,
    outputRate: 24000,
    channels: 1,
    samplesPerFrame: 480,
  }],
  ["960 samples", "1214", { ...LC, sampleRate: 44100, outputRate: 44100, channels: 2, samplesPerFrame: 960 }],
  ["a rate of its own", "17802ee088", { ...LC, sampleRate: 24001, outputRate: 24001, channels: 1 }],
];

for (const [name, asc, expected] of CONFIGS) {
  Deno.test(`parseAudioSpecificConfig() reads ${name}`, () => {
    assert.deepEqual(parseAudioSpecificConfig(hex(asc)), expected);
  });
}

Deno.test("parseAudioSpecificConfig() counts the channels of a program", () => {
  const program = "0000 01 0011  0010 0001 0000 01 000 0000  0 0 0  0 0000  1 0001  1 0010";
  const { channels, sampleRate } = parseAudioSpecificConfig(binary(`00010 0011 0000 000 ${program}`));
  assert.deepEqual({ channels, sampleRate }, { channels: 6, sampleRate: 48000 });
});

Deno.test("parseAudioSpecificConfig() refuses rates and channels that do not exist", () => {
  assert.throws(() => parseAudioSpecificConfig(binary("00010 1101 0010 000")), RangeError);
  assert.throws(() => parseAudioSpecificConfig(binary("00010 0100 1000 000")), RangeError);
  assert.throws(() => parseAudioSpecificConfig(hex("12")), RangeError);
});

Deno.test("makeAudioSpecificConfig() writes what parseAudioSpecificConfig() reads", () => {
  assert.equal(toHex(makeAudioSpecificConfig({ objectType: 2, sampleRate: 44100, channels: 2 })), "1210");
  const known = fc.record({
    objectType: fc.constantFrom(1, 2, 4),
    sampleRate: fc.oneof(fc.constantFrom(8000, 16000, 44100, 96000), fc.integer({ min: 1, max: 0xffffff })),
    channels: fc.constantFrom(1, 2, 3, 4, 5, 6, 8),
  });
  fc.assert(fc.property(known, (config) => {
    const { objectType, sampleRate, channels } = parseAudioSpecificConfig(makeAudioSpecificConfig(config));
    assert.deepEqual({ objectType, sampleRate, channels }, { ...config });
  }));
  assert.throws(() => makeAudioSpecificConfig({ objectType: 2, sampleRate: 8000, channels: 7 }), RangeError);
});

Deno.test("aacFmtp() and parseAacFmtp() are inverse", () => {
  const fmtp = aacFmtp(hex("1408"));
  assert.equal(
    fmtp,
    "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408",
  );
  assert.deepEqual(parseAacFmtp(fmtp), hex("1408"));
  assert.equal(parseAacFmtp("mode=AAC-hbr; config="), undefined);
});

Deno.test("parseAdtsHeader() reads ffmpeg's", () => {
  assert.deepEqual(parseAdtsHeader(hex("00 fff150802b3ffc de02"), 1), {
    asc: hex("1210"),
    objectType: 2,
    sampleRate: 44100,
    channels: 2,
    frameLength: 345,
    headerLength: 7,
    blocks: 1,
  });
  assert.deepEqual(parseAdtsHeader(hex("fff16040413ffc de"))!.asc, hex("1408"));
  const withChecksum = parseAdtsHeader(hex("fff850802b3ffd 1234"))!;
  assert.deepEqual([withChecksum.headerLength, withChecksum.blocks], [9, 2]);
});

for (
  const [name, text] of [
    ["another layer", "fff750802b3ffc"],
    ["no sync", "ffe150802b3ffc"],
    ["a short frame", "fff15080003ffc"],
    ["a rate that does not exist", "fff17480ffffffc0"],
    ["6 bytes", "fff150802b3f"],
  ] as const
) {
  Deno.test(`parseAdtsHeader() refuses ${name}`, () => assert.equal(parseAdtsHeader(hex(text)), undefined));
}

Deno.test("adtsHeader() writes what ffmpeg writes", () => {
  assert.equal(toHex(adtsHeader(hex("121056e500"), 338)), "fff150802b3ffc");
  assert.equal(parseAdtsHeader(adtsHeader(hex("2b920800"), 100))!.sampleRate, 22050);
  assert.throws(() => adtsHeader(hex("1210"), 8185), RangeError);
  assert.throws(() => adtsHeader(hex("f8ec3000"), 100), RangeError);
  assert.throws(() => adtsHeader(hex("17802ee088"), 100), RangeError);
});

Deno.test("parseAudioSpecificConfig() and parseAdtsHeader() survive any bytes", () => {
  survives(parseAudioSpecificConfig, CONFIGS.map(([, asc]) => hex(asc)));
  survives(parseAdtsHeader, [hex("fff150802b3ffcde02")]);
});
