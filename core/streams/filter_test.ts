import assert from "node:assert/strict";
import { describeMedia } from "../media/media.ts";
import { mediasOfProbe, mediasOfQuery } from "./filter.ts";

function show(query: string, read = mediasOfQuery): string[] {
  return read(new URLSearchParams(query)).map(describeMedia);
}

Deno.test("mediasOfQuery() reads the contract's filters, pictures first", () => {
  assert.deepEqual(show("audio&video"), ["video, sendonly, ANY", "audio, sendonly, ANY"]);
  assert.deepEqual(show("video=copy"), ["video, sendonly, ANY"]);
  assert.deepEqual(show("video=h264,h265"), ["video, sendonly, H264, H265"]);
  assert.deepEqual(show("audio=aac&audio=opus"), ["audio, sendonly, MPEG4-GENERIC", "audio, sendonly, OPUS"]);
  assert.deepEqual(show("video=all&audio=all"), ["video, sendonly, ALL", "audio, sendonly, ALL"]);
  assert.deepEqual(show("video=mjpeg&audio=mp3"), ["video, sendonly, JPEG", "audio, sendonly, MPA"]);
  assert.deepEqual(show("mp4&source=x"), []);
});

Deno.test("mediasOfQuery() wants a media of the kind it was asked for, whatever the codec's name", () => {
  assert.deepEqual(mediasOfQuery(new URLSearchParams("video=nonsense"))[0]?.codecs[0]?.kind, "video");
});

Deno.test("mediasOfProbe() asks for a speaker too", () => {
  assert.deepEqual(show("video&microphone=pcma", mediasOfProbe), ["video, sendonly, ANY", "audio, recvonly, PCMA"]);
  assert.deepEqual(show("microphone", mediasOfProbe), ["audio, recvonly, ANY"]);
});
