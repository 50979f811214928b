import assert from "node:assert/strict";
import { codec } from "../../media/codec.ts";
import { canMuxFmp4, fmp4Codecs, fmp4Mime } from "./mime.ts";

const h264 = (profile: string) => codec("H264", { fmtp: `packetization-mode=1;profile-level-id=${profile}` });
const text = (...codecs: Parameters<typeof fmp4Mime>[0]) => /"(.*)"/.exec(fmp4Mime(codecs))![1]!;

Deno.test("fmp4Mime() rounds H264 profiles, constraints and levels as players of the contract expect", () => {
  const cases = [
    ["42E01F", "42E01F"],
    ["4d401f", "4D401F"],
    ["4D001E", "4D001E"],
    ["64001F", "64001F"],
    ["640028", "640028"],
    ["640033", "640029"],
    ["6E0029", "640029"],
    ["42C01F", "42001F"],
    ["640c1f", "64001F"],
    ["4D4020", "4D4029"],
  ];
  for (const [given, expected] of cases) assert.equal(text(h264(given!)), `avc1.${expected}`);
  assert.equal(text(codec("H264")), "avc1.640029");
});

Deno.test("fmp4Mime() takes the profile from the parameter set before that of the SDP", () => {
  const sps = Uint8Array.of(0x67, 0x4d, 0x40, 0x1e, 0);
  assert.equal(text({ ...h264("64001F"), parameterSets: [sps] }), "avc1.4D401E");
});

Deno.test("fmp4Mime() lists codecs in the order of the tracks", () => {
  const aac = codec("MPEG4-GENERIC", { clockRate: 48000, channels: 2 });
  assert.equal(fmp4Mime([h264("64001F"), aac]), 'video/mp4; codecs="avc1.64001F,mp4a.40.2"');
  assert.equal(text(aac, codec("H265")), "mp4a.40.2,hvc1.1.6.L153.B0");
  assert.equal(text(codec("OPUS"), codec("PCMA", { clockRate: 8000 }), codec("FLAC")), "opus,flac,flac");
});

Deno.test("fmp4Mime() throws for a codec that cannot be muxed", () => {
  assert.throws(() => fmp4Mime([codec("JPEG")]), /Cannot mux "JPEG\/90000\/0" into MP4/);
});

Deno.test("canMuxFmp4() takes what is listed, and raw samples only at the rates of FLAC", () => {
  for (const one of fmp4Codecs) assert(canMuxFmp4(one), one.name);
  assert(canMuxFmp4(codec("PCMU", { clockRate: 16000 })));
  assert(!canMuxFmp4(codec("L16", { clockRate: 11025 })));
  assert(!canMuxFmp4(codec("L16", { clockRate: 48000, channels: 6 })));
  assert(!canMuxFmp4(codec("G722", { clockRate: 8000 })));
  assert(!canMuxFmp4(codec("JPEG")));
});
