import assert from "node:assert/strict";
import { codec, describeMedia, fromHex } from "../../core/mod.ts";
import { lineCodec, mediasOfOffer } from "./codecs.ts";
import { readOffer } from "./sdp.ts";
import { AUDIO_LINES, CHROMIUM_OFFER, mediaLine, SESSION, VIDEO_LINES, videoCodec } from "./sdp_testing.ts";

const offer = readOffer(CHROMIUM_OFFER);
const video = offer.sections[0]!;
const audio = offer.sections[1]!;

/** H264 with a sequence parameter set of that profile. */
function h264(profile: string) {
  return codec("H264", { parameterSets: [Uint8Array.of(0x67, ...fromHex(profile)!, 0xac)] });
}

function sectionWith(lines: readonly string[]) {
  return readOffer([...SESSION, ...mediaLine("video", "0", "recvonly", lines)].join("\r\n")).sections[0]!;
}

Deno.test("mediasOfOffer tells what a browser wants and gives, pictures first", () => {
  const medias = mediasOfOffer(offer);
  assert.deepEqual(medias.map(({ id }) => id), ["0", "1", "2"]);
  assert.deepEqual(medias.map(describeMedia), [
    "video, sendonly, VP8, VP9, H264, AV1, H265",
    "audio, sendonly, OPUS/48000, G722/8000, PCMU/8000, PCMA/8000",
    "audio, recvonly, OPUS/48000/2, G722/8000, PCMU/8000, PCMA/8000",
  ]);
});

Deno.test("mediasOfOffer makes two of a line that goes both ways, and none of refused, silent and foreign ones", () => {
  const text = [
    ...SESSION,
    ...mediaLine("audio", "0", "sendrecv", AUDIO_LINES),
    ...mediaLine("video", "1", "recvonly", VIDEO_LINES, 0),
    ...mediaLine("video", "2", "inactive", VIDEO_LINES),
    ...mediaLine("video", "elsewhere", "recvonly", VIDEO_LINES),
    ...mediaLine("text", "3", "recvonly", ["a=rtpmap:98 t140/1000"]),
  ].join("\r\n");
  const medias = mediasOfOffer(readOffer(text));
  assert.deepEqual(medias.map(({ id, direction }) => `${id} ${direction}`), ["0 sendonly", "0 recvonly"]);
});

Deno.test("lineCodec takes the H264 profile that the browser can decode with fragments", () => {
  const typeFor = (profile: string) => lineCodec(video, h264(profile))!.payloadType;
  assert.equal(typeFor("42001f"), 102, "baseline");
  assert.equal(typeFor("42c01e"), 108, "constrained baseline");
  assert.equal(typeFor("42e01f"), 108, "constrained baseline");
  assert.equal(typeFor("4d401f"), 116, "main");
  assert.equal(typeFor("640028"), 41, "high, at a higher level than offered");
  assert.equal(typeFor("640c1f"), 41, "constrained high");
  assert.equal(lineCodec(video, codec("H264", { fmtp: "profile-level-id=4d0028" }))!.payloadType, 116, "by the SDP");
  assert.equal(lineCodec(video, codec("H264"))!.payloadType, 102, "not known: the browser's first");
});

Deno.test("lineCodec takes the nearest H264 profile when the browser does not name the camera's", () => {
  const few = sectionWith([
    ...videoCodec(102, "H264", "packetization-mode=0;profile-level-id=64001f"),
    ...videoCodec(104, "H264", "packetization-mode=1;profile-level-id=42e01f"),
    ...videoCodec(106, "H264", "packetization-mode=1;profile-level-id=4d001f"),
  ]);
  assert.equal(lineCodec(few, h264("640028"))!.payloadType, 106);
  const bare = sectionWith(videoCodec(102, "H264"));
  assert.equal(lineCodec(bare, h264("640028"))!.payloadType, 102, "without parameters it is mode 0, and all there is");
});

Deno.test("lineCodec keeps profiles of VP9, AV1 and H265 apart", () => {
  assert.equal(lineCodec(video, codec("VP9"))!.payloadType, 98);
  assert.equal(lineCodec(video, codec("VP9", { fmtp: "profile-id=2" }))!.payloadType, 100);
  assert.equal(lineCodec(video, codec("AV1"))!.payloadType, 45);
  const both = sectionWith([
    ...videoCodec(100, "H265", "profile-id=2;level-id=120"),
    ...videoCodec(102, "H265", "profile-id=1;level-id=93"),
    ...videoCodec(104, "H265", "profile-id=1;level-id=180"),
  ]);
  assert.equal(lineCodec(both, codec("H265", { fmtp: "profile-id=1;level-id=120" }))!.payloadType, 104);
  assert.equal(lineCodec(both, codec("H265", { fmtp: "profile-id=2;level-id=93" }))!.payloadType, 100);
  const broken = codec("H265", { parameterSets: [Uint8Array.of(0x42, 0x01, 0x01)] });
  assert.equal(lineCodec(both, broken)!.payloadType, 102);
});

Deno.test("lineCodec matches sound by name and rate, Opus whatever its channels", () => {
  const opus = (channels: number) => lineCodec(audio, codec("OPUS", { clockRate: 48000, channels }))?.payloadType;
  assert.deepEqual([opus(0), opus(1), opus(2)], [111, 111, 111]);
  assert.equal(lineCodec(audio, codec("PCMA", { clockRate: 8000 }))!.payloadType, 8);
  assert.equal(lineCodec(audio, codec("PCMA", { clockRate: 8000, channels: 1 }))!.payloadType, 8);
  assert.equal(lineCodec(audio, codec("PCMA", { clockRate: 16000 })), undefined);
  assert.equal(lineCodec(audio, codec("PCMA", { clockRate: 8000, channels: 2 })), undefined);
  assert.equal(lineCodec(audio, codec("MPEG4-GENERIC", { clockRate: 48000 })), undefined);
});

Deno.test("lineCodec carries the RTX type and the feedback of its payload type", () => {
  const chosen = lineCodec(video, h264("42001f"))!;
  assert.equal(chosen.rtx, 103);
  assert.deepEqual(chosen.feedback, ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"]);
});
