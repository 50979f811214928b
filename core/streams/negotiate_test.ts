import assert from "node:assert/strict";
import { codec } from "../media/codec.ts";
import { StreamError } from "../util/errors.ts";
import { attachError, type Match, negotiate, type Offer } from "./negotiate.ts";
import { aac, gives, h264, h265, opus, pcma, pcmu, takes } from "./testing.ts";

const any = codec("ANY", { kind: "audio", clockRate: 0 });
const anyVideo = codec("ANY", { kind: "video", clockRate: 0 });
const all = codec("ALL", { kind: "audio", clockRate: 0 });
const allVideo = codec("ALL", { kind: "video", clockRate: 0 });

function offer(source: string, ...medias: Offer["medias"] & object): Offer {
  return { source, medias };
}

function matchesOf(step: ReturnType<typeof negotiate>): readonly Match[] {
  assert.ok("matches" in step, "expected the walk to be done");
  return step.matches;
}

function show(matches: readonly Match[]): string[] {
  return matches.map(({ slot, offered, media }) => `${slot} ${media.direction} ${offered.name}`);
}

Deno.test("negotiate() asks for the first slot that nobody has dialled", () => {
  assert.deepEqual(negotiate([takes(h264)], [{ source: "a" }, { source: "b" }]), { dial: 0 });
  assert.deepEqual(negotiate([takes(h264)], [{ source: "a", hasFailed: true }, { source: "b" }]), { dial: 1 });
});

Deno.test("negotiate() leaves later sources alone when earlier ones serve", () => {
  const step = negotiate([takes(h264), takes(aac)], [offer("a", gives(h264), gives(aac)), { source: "b" }]);
  assert.deepEqual(show(matchesOf(step)), ["0 recvonly H264", "0 recvonly MPEG4-GENERIC"]);
});

Deno.test("negotiate() takes video from one source, audio from another, and talks to a third", () => {
  const wishes = [takes(h264), takes(opus), gives(pcma)];
  const first = offer("a", gives(h264), gives(aac));
  assert.deepEqual(negotiate(wishes, [first, { source: "b" }, { source: "c" }]), { dial: 1 });
  const second = offer("b", gives(opus));
  assert.deepEqual(negotiate(wishes, [first, second, { source: "c" }]), { dial: 2 });
  const step = negotiate(wishes, [first, second, offer("c", takes(pcmu, pcma))]);
  assert.deepEqual(show(matchesOf(step)), ["0 recvonly H264", "1 recvonly OPUS", "2 sendonly PCMA"]);
});

Deno.test("negotiate() lets the order of the producer's codecs decide", () => {
  const step = negotiate([takes(pcma, pcmu)], [offer("a", gives(pcmu, pcma))]);
  assert.deepEqual(show(matchesOf(step)), ["0 recvonly PCMU"]);
});

Deno.test("negotiate() is content with a part of the wishes", () => {
  const step = negotiate([takes(h264), takes(opus)], [offer("a", gives(h264), gives(aac))]);
  assert.deepEqual(show(matchesOf(step)), ["0 recvonly H264"]);
});

Deno.test("negotiate() passes over the source that the consumer itself stands for", () => {
  const slots = [offer("ffmpeg:cam#audio=opus", gives(opus)), offer("fake:cam", gives(opus))];
  assert.deepEqual(show(matchesOf(negotiate([takes(any)], slots, "ffmpeg:cam#audio=opus"))), ["1 recvonly OPUS"]);
  assert.deepEqual(matchesOf(negotiate([takes(any)], slots.slice(0, 1), "ffmpeg:cam#audio=opus")), []);
});

Deno.test("negotiate() goes on through all sources for ALL, each media once", () => {
  const slots = [offer("a", gives(h264), gives(h265), gives(aac)), offer("b", gives(opus))];
  const step = negotiate([takes(allVideo), takes(all)], slots);
  assert.deepEqual(show(matchesOf(step)), [
    "0 recvonly H264",
    "0 recvonly H265",
    "0 recvonly MPEG4-GENERIC",
    "1 recvonly OPUS",
  ]);
  assert.deepEqual(negotiate([takes(all)], [slots[0]!, { source: "b" }]), { dial: 1 });
});

Deno.test("negotiate() compares rate and channels only where the wish names them", () => {
  const stereo = codec("OPUS", { clockRate: 48000, channels: 2 });
  const mono = codec("OPUS", { clockRate: 48000, channels: 1 });
  const open = codec("OPUS", { kind: "audio" });
  assert.equal(matchesOf(negotiate([takes(mono)], [offer("a", gives(stereo))])).length, 0);
  assert.equal(matchesOf(negotiate([takes(open)], [offer("a", gives(stereo))])).length, 1);
});

Deno.test("negotiate() gives one media in one codec only", () => {
  const step = negotiate([takes(pcma), takes(pcmu)], [offer("a", gives(pcma, pcmu)), offer("b", gives(pcmu))]);
  assert.deepEqual(show(matchesOf(step)), ["0 recvonly PCMA", "1 recvonly PCMU"]);
});

Deno.test("attachError() speaks the contract's words", () => {
  const wishes = [takes(codec("VP8")), takes(opus), gives(pcma)];
  assert.equal(attachError(wishes, [], []).message, "streams: unknown error");
  const offers = [offer("a", gives(h264), gives(aac), takes(pcma)), offer("b", gives(h264))];
  const unmatched = attachError(wishes, offers, []);
  assert.equal(unmatched.code, "NO_COMMON_CODEC");
  assert.equal(unmatched.message, "streams: codecs not matched: video:H264, audio:AAC => video:VP8, audio:OPUS");
  const samples = attachError([takes(anyVideo)], [offer("a", gives(codec("L16")), gives(codec("PCML")))], []);
  assert.equal(samples.message, "streams: codecs not matched: audio:S16B, audio:S16L => video:ANY");
});

Deno.test("attachError() joins what went wrong, each text once, logins hidden", () => {
  const failures = [
    new StreamError("TIMEOUT", "dial tcp timeout"),
    new StreamError("TIMEOUT", "dial tcp timeout"),
    new StreamError("OFFLINE", "streams: no route to rtsp://me:secret@cam/1"),
  ];
  const error = attachError([takes(h264)], [], failures);
  assert.equal(error.message, "streams: dial tcp timeout, no route to rtsp://***@cam/1");
  assert.equal(error.code, "OFFLINE");
  assert.equal(attachError([], [], failures.slice(0, 2)).code, "TIMEOUT");
});
