import assert from "node:assert/strict";
import fc from "fast-check";
import { aacFmtp, makeAudioSpecificConfig } from "../../codecs/aac.ts";
import { withObuSize } from "../../codecs/av1.ts";
import { parseJpeg } from "../../codecs/jpeg.ts";
import { type Codec, codec } from "../../media/codec.ts";
import { payloadFormatOf } from "../payload_formats.ts";
import { bytes, checkFormat, nal, overWire } from "../testing.ts";
import { concat } from "./format.ts";
import { jpegHeaders } from "../../codecs/jpeg.ts";
import { latmPayload } from "./latm.ts";

/** Units that come out as they went in. */
function same(sent: readonly Uint8Array[], read: readonly Uint8Array[]): void {
  assert.deepEqual(read.map((unit) => [...unit]), sent.map((unit) => [...unit]));
}

/** The same bytes, maybe cut elsewhere. */
function sameBytes(sent: readonly Uint8Array[], read: readonly Uint8Array[]): void {
  assert.deepEqual([...concat(read)], [...concat(sent)]);
}

function check(of: Codec, units: fc.Arbitrary<Uint8Array[]>, isEqual = same): void {
  checkFormat(payloadFormatOf(of), of, { units, isEqual });
}

const size = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 9000 }));

function frameOf(header: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(header, size, fc.nat({ max: 250 })).map(([header, size, seed]) => nal(header, size, seed));
}

Deno.test("h264Payload loses nothing at any packet size and in any order, and takes any garbage", () => {
  const slice = frameOf(fc.constantFrom([0x65, 0x88], [0x41, 0x9a], [0x01, 0x20], [0x61, 0x88]));
  const sets = fc.constantFrom([], [nal([0x67], 20)], [nal([0x67], 20), nal([0x68], 5), nal([0x68], 200, 9)]);
  const units = fc.tuple(sets, fc.array(slice, { minLength: 1, maxLength: 4 })).map(([sets, slices]) => [
    ...sets,
    ...slices,
    nal([0x06], 20),
  ]);
  check(codec("H264"), units);
});

Deno.test("h265Payload loses nothing at any packet size and in any order, and takes any garbage", () => {
  const slice = frameOf(fc.constantFrom([0x26, 0x01, 0x80], [0x02, 0x01, 0x80], [0x02, 0x03, 0x20]));
  const sets = fc.constantFrom([], [nal([0x40, 1], 20), nal([0x42, 1], 40), nal([0x44, 1], 8), nal([0x4e, 1], 12)]);
  const units = fc.tuple(sets, fc.array(slice, { minLength: 1, maxLength: 4 })).map(([sets, slices]) => [
    ...sets,
    ...slices,
  ]);
  check(codec("H265"), units);
});

Deno.test("av1Payload loses nothing at any packet size and in any order, and takes any garbage", () => {
  const obu = fc.tuple(fc.constantFrom(0x08, 0x20, 0x30, 0x18), size, fc.nat({ max: 250 }))
    .map(([header, size, seed]) => withObuSize(nal([header], size, seed)));
  const units = fc.array(obu, { minLength: 1, maxLength: 5 }).map((obus) => [concat(obus)]);
  check(codec("AV1"), units);
});

Deno.test("vp8Payload loses nothing at any packet size and in any order, and takes any garbage", () => {
  check(codec("VP8"), frameOf(fc.constantFrom([0x10], [0x11])).map((frame) => [frame]));
});

Deno.test("vp9Payload loses nothing at any packet size and in any order, and takes any garbage", () => {
  check(codec("VP9"), frameOf(fc.constantFrom([0x82], [0x86])).map((frame) => [frame]));
});

Deno.test("aacPayload loses nothing at any packet size and in any order, and takes any garbage", () => {
  const asc = makeAudioSpecificConfig({ objectType: 2, sampleRate: 48000, channels: 2 });
  const aac = codec("MPEG4-GENERIC", { clockRate: 48000, channels: 2, fmtp: aacFmtp(asc), parameterSets: [asc] });
  check(aac, fc.array(frameOf(fc.constant([0x21])).filter((frame) => frame.length < 8192), { maxLength: 1 }));
  const short = { ...aac, fmtp: "mode=AAC-lbr;sizelength=6;indexlength=2;indexdeltalength=2" };
  check(short, fc.array(bytes(1, 60).map((frame) => (frame[0] = 0x21, frame)), { maxLength: 3 }));
});

Deno.test("latmPayload loses nothing at any packet size and in any order, and takes any garbage", () => {
  const latm = codec("MP4A-LATM", { clockRate: 44100, fmtp: "cpresent=0;config=400024203fc0" });
  checkFormat(latmPayload, latm, { units: frameOf(fc.constant([0x21])).map((frame) => [frame]), isEqual: same });
  const inBand = codec("MP4A-LATM", { clockRate: 44100, fmtp: "cpresent=1" });
  fc.assert(fc.property(bytes(1, 80), (payload) => {
    overWire(latmPayload, inBand, { units: [payload], maxPayload: 1000 });
  }));
});

Deno.test("opusPayload, g711Payload, g722Payload lose nothing and take any garbage", () => {
  check(codec("OPUS", { clockRate: 48000, channels: 2 }), fc.array(bytes(1, 80), { maxLength: 3 }));
  for (const name of ["PCMA", "PCMU", "G722"]) {
    check(codec(name, { clockRate: 8000 }), fc.array(bytes(1, 3000), { maxLength: 3 }), sameBytes);
  }
});

Deno.test("l16Payload keeps samples whole, and pcmlPayload exchanges their bytes", () => {
  const samples = fc.array(bytes(1, 900), { maxLength: 3 })
    .map((units) => units.map((unit) => unit.subarray(0, unit.length & ~3)));
  check(codec("L16", { clockRate: 48000, channels: 2 }), samples, sameBytes);
  const l16 = payloadFormatOf(codec("L16", { channels: 2 }));
  for (const { payload, advance } of l16.packetize([new Uint8Array(1000)], codec("L16", { channels: 2 }), 102)) {
    assert.equal(payload.length % 4, 0);
    assert.equal(advance, payload.length / 4);
  }
  const pcml = payloadFormatOf(codec("PCML"));
  const [part] = pcml.packetize([Uint8Array.of(1, 2, 3, 4)], codec("PCML", { clockRate: 8000 }), 100);
  assert.deepEqual([...part!.payload], [2, 1, 4, 3]);
});

Deno.test("mpaPayload loses nothing at any packet size and in any order, and takes any garbage", () => {
  // MPEG-1 layer 3 at 44.1 kHz: 128 kbit/s make 417 bytes, 320 make 1044.
  const units = fc.array(fc.constantFrom([0x90, 417], [0xe0, 1044]), { minLength: 1, maxLength: 4 })
    .map((sizes) => sizes.map(([rate, size], i) => nal([0xff, 0xfb, rate!, 0x40], size! - 4, i)));
  check(codec("MPA", { clockRate: 90000 }), units);
});

Deno.test("opaquePayload hands payloads on as they are", () => {
  const units = fc.array(bytes(1, 80), { maxLength: 5 });
  check(codec("MP2T", { kind: "video" }), units);
  check(codec("VND.ONVIF.METADATA", { kind: "application", clockRate: 90000 }), units);
  check(codec("SPEEX", { kind: "audio", clockRate: 16000 }), units);
});

Deno.test("jpegPayload loses nothing at any packet size and in any order, and takes any garbage", () => {
  const picture = fc.record({
    type: fc.constantFrom<0 | 1>(0, 1),
    width: fc.integer({ min: 1, max: 255 }).map((blocks) => blocks * 8),
    height: fc.integer({ min: 1, max: 255 }).map((blocks) => blocks * 8),
    restartInterval: fc.constantFrom(0, 40),
    quantTables: bytes(128, 128),
    scan: fc.tuple(size, fc.nat({ max: 250 })).map(([size, seed]) => nal([1, 2], size, seed)),
  });
  const units = picture.map((picture) => [concat([jpegHeaders(picture), picture.scan, Uint8Array.of(0xff, 0xd9)])]);
  checkFormat(payloadFormatOf(codec("JPEG")), codec("JPEG"), {
    units,
    // The tables take 128 bytes of the first packet.
    minPayload: 160,
    isEqual: (sent, read) => assert.deepEqual(parseJpeg(read[0]!), parseJpeg(sent[0]!)),
  });
});

Deno.test("payloadFormatOf() is opaque for names that objects have by themselves", () => {
  assert.equal(payloadFormatOf(codec("constructor")), payloadFormatOf(codec("SPEEX")));
});
