import assert from "node:assert/strict";
import { wishesOfQuery, wishesOfStrings } from "./wishes.ts";

const list = (medias: ReturnType<typeof wishesOfQuery>) =>
  medias.map(({ kind, codecs }) => `${kind}: ${codecs.map(({ name }) => name).join(" ")}`);

Deno.test("wishesOfQuery() wants what the mode says", () => {
  const video = "video: H264 H265";
  const cases: [string, string][] = [
    ["", "audio: MPEG4-GENERIC"],
    ["mp4", "audio: MPEG4-GENERIC"],
    ["mp4=flac", "audio: MPEG4-GENERIC PCMA PCMU L16 PCML"],
    ["mp4=all", "audio: MPEG4-GENERIC PCMA PCMU L16 PCML OPUS MPA"],
  ];
  for (const [query, audio] of cases) {
    assert.deepEqual(list(wishesOfQuery(new URLSearchParams(query))), [video, audio], query);
  }
});

Deno.test("wishesOfQuery() takes from a filter what MP4 can hold", () => {
  const of = (query: string) => list(wishesOfQuery(new URLSearchParams(query)));
  assert.deepEqual(of("video=h265"), ["video: H265"]);
  assert.deepEqual(of("video=h264,jpeg&audio=opus"), ["video: H264", "audio: OPUS"]);
  assert.deepEqual(of("audio=aac&audio=opus"), ["audio: MPEG4-GENERIC", "audio: OPUS"]);
  assert.deepEqual(of("video=jpeg"), []);
  const [any] = of("video");
  assert.match(any!, /H264/);
  assert.doesNotMatch(any!, /JPEG|ANY/);
});

Deno.test("wishesOfStrings() knows the strings that players send, and ignores others", () => {
  const of = (value: unknown) => list(wishesOfStrings(value, ["video", "audio"]));
  assert.deepEqual(of("avc1.640029,avc1.64002A,mp4a.40.2,mp4a.40.5"), ["video: H264", "audio: MPEG4-GENERIC"]);
  assert.deepEqual(of("hvc1.1.6.L153.B0, flac"), ["video: H265", "audio: PCMA PCMU L16 PCML"]);
  assert.deepEqual(of("opus"), ["audio: OPUS"]);
  for (const nothing of ["", undefined, 5, "vp09.00.10.08"]) {
    assert.deepEqual(of(nothing), ["video: H264 H265", "audio: MPEG4-GENERIC"]);
  }
  assert.deepEqual(list(wishesOfStrings("avc1.640029,mp4a.40.2", ["video"])), ["video: H264"]);
});
