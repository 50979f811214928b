/** Offers that no browser makes, to the whole engine: each is answered line by line, or refused in words; nothing stays. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "sdp-transform";
import { codec, type Media, type Principal, StreamError } from "../../core/mod.ts";
import { TestCamera, TestEngine } from "./engine_testing.ts";
import { AUDIO_LINES, CHROMIUM_OFFER, mediaLine, SESSION, VIDEO_LINES } from "./sdp_testing.ts";

const MEDIAS: readonly Media[] = [
  { kind: "video", direction: "recvonly", codecs: [codec("H264")] },
  { kind: "audio", direction: "recvonly", codecs: [codec("PCMA", { clockRate: 8000 })] },
];
const ALL: Principal = { name: "all", isAdmin: true, mayOperate: true, isTrusted: true, can: () => true };

const text = (...lines: readonly string[]) => lines.join("\r\n") + "\r\n";
const video = (mid: string, lines: readonly string[] = VIDEO_LINES) => mediaLine("video", mid, "recvonly", lines);
const audio = (mid: string) => mediaLine("audio", mid, "recvonly", AUDIO_LINES);
const head = (...mids: readonly string[]) =>
  SESSION.map((line) => line.replace(/BUNDLE.*/, ["BUNDLE", ...mids].join(" ")));

/** The media and direction of each line of an answer; `off`: it was refused. */
async function linesOf(it: TestEngine, sdp: string): Promise<string[]> {
  const peer = await it.engine.accept(it.offer(sdp));
  const { media } = parse(peer.answer) as { media: { type: string; port: number; direction: string }[] };
  peer.close("the test has seen it");
  return media.map(({ type, port, direction }) => `${type} ${port === 0 ? "off" : direction}`);
}

function assertNobodyIsLeft(it: TestEngine): void {
  assert.equal(it.engine.stats().length, 0);
  assert.equal(it.transport.stats.sessions, 0);
  assert.equal(it.streams.control.list(ALL)["cam"]!.consumers.length, 0);
}

Deno.test("An offer without audio gets the picture alone, one with twenty lines each track once", async () => {
  await using it = await TestEngine.open(new TestCamera(...MEDIAS));
  assert.deepEqual(await linesOf(it, text(...head("0"), ...video("0"))), ["video sendonly"]);
  assert.deepEqual(await linesOf(it, text(...head("0"), ...audio("0"))), ["audio sendonly"]);
  const mids = Array.from({ length: 20 }, (_none, i) => String(i));
  const many = mids.flatMap((mid, i) => i % 2 === 0 ? audio(mid) : video(mid, VIDEO_LINES.slice(30, 50)));
  const lines = await linesOf(it, text(...head(...mids), ...many));
  assert.deepEqual(lines.slice(0, 2), ["audio sendonly", "video sendonly"]);
  assert.equal(lines.length, 20);
  for (const line of lines.slice(2)) assert.match(line, /^(audio|video) inactive$/);
  await assert.rejects(linesOf(it, text(...head(...mids), ...many, ...audio("20"))), /more than 20 media lines/);
  assertNobodyIsLeft(it);
});

Deno.test("An offer of unknown codecs is told what the camera has and what was offered", async () => {
  await using it = await TestEngine.open(new TestCamera(...MEDIAS));
  const unknown = text(...head("0"), ...video("0", ["a=rtpmap:96 FANCY/90000", "a=rtpmap:97 x265/90000"]));
  await assert.rejects(linesOf(it, unknown), {
    code: "NO_COMMON_CODEC",
    message: "streams: codecs not matched: video:H264, audio:PCMA => video:FANCY, video:X265",
  });
  const unnamed = unknown.replaceAll(/^a=rtpmap.*$/gm, "a=x");
  await assert.rejects(linesOf(it, unnamed), { code: "BAD_SOURCE", message: /no line for picture or sound/ });
  assertNobodyIsLeft(it);
});

Deno.test("The engine answers any offer line by line, or refuses it in words, and keeps nothing of it", async () => {
  await using it = await TestEngine.open(new TestCamera(...MEDIAS));
  const lines = CHROMIUM_OFFER.split("\r\n");
  const change = fc.record({
    at: fc.nat({ max: lines.length - 1 }),
    how: fc.constantFrom("replace", "remove", "append", "cut", "copy", "move"),
    to: fc.nat({ max: lines.length - 1 }),
    with: fc.oneof(
      fc.string(),
      fc.constantFrom("m=video 9 X 1", "m= 0", "a=mid:0", "a=bundle-only", "a=setup:passive"),
    ),
  });
  const count = { answered: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
      const changed = [...lines];
      for (const { at, how, to, with: other } of changes) {
        const line = changed[at] ?? "";
        if (how === "replace") changed[at] = other;
        else if (how === "append") changed[at] = line + other;
        else if (how === "cut") changed[at] = line.slice(0, other.length);
        else if (how === "copy") changed.splice(to, 0, line);
        else changed.splice(at, 1);
        if (how === "move") changed.splice(to, 0, line);
      }
      const sdp = changed.join("\r\n");
      try {
        const answered = await linesOf(it, sdp);
        count.answered++;
        assert.equal(answered.length, sdp.split(/[\r\n]+/).filter((line) => line.startsWith("m=")).length, sdp);
      } catch (error) {
        if (!(error instanceof StreamError)) throw error;
        count.refused++;
        assert.ok(["BAD_SOURCE", "NO_COMMON_CODEC"].includes(error.code), `${error.code} ${error.message}`);
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(count.answered > 40 && count.refused > 4, JSON.stringify(count));
  assertNobodyIsLeft(it);
});
