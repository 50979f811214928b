import assert from "node:assert/strict";
import { checkSource, checkSources, parseEntry, parseSeconds, parseSourceText } from "./entry.ts";
import { FakeRegistry } from "./testing.ts";

Deno.test("parseEntry() reads every form of the contract", () => {
  assert.deepEqual(parseEntry("rtsp://cam/1").sources, ["rtsp://cam/1"]);
  assert.deepEqual(parseEntry(["a:1", "b:2"]).sources, ["a:1", "b:2"]);
  assert.deepEqual(parseEntry({ url: "a:1", other: 5 }).sources, ["a:1"]);
  assert.deepEqual(parseEntry({ url: ["a:1", "b:2"], linger: "1m", start: "now" }), {
    sources: ["a:1", "b:2"],
    problems: [],
    lingerMs: 60_000,
    start: "now",
  });
  assert.deepEqual(parseEntry(null), { sources: [], problems: [] });
  assert.deepEqual(parseEntry("").sources, []);
});

Deno.test("parseEntry() leaves out what it cannot read and says so", () => {
  const list = parseEntry(["a:1", 5, null, ["x"]]);
  assert.deepEqual(list.sources, ["a:1"]);
  assert.equal(list.problems.length, 3);
  assert.match(parseEntry(7).problems[0]!, /got number/);
  assert.match(parseEntry({ url: 7 }).problems[0]!, /"url"/);
  assert.match(parseEntry({ url: "a:1", linger: "soon" }).problems[0]!, /"linger"/);
  assert.match(parseEntry({ url: "a:1", start: "later" }).problems[0]!, /"start"/);
});

Deno.test("parseSeconds() reads units and refuses the rest", () => {
  assert.equal(parseSeconds("5"), 5000);
  assert.equal(parseSeconds("0"), 0);
  assert.equal(parseSeconds("500ms"), 500);
  assert.equal(parseSeconds("1.5s"), 1500);
  assert.equal(parseSeconds("99999m"), 24 * 3600 * 1000);
  assert.equal(parseSeconds("-1"), undefined);
  assert.equal(parseSeconds(""), undefined);
});

Deno.test("parseSourceText() keeps the stream's options from the opener", () => {
  assert.deepEqual(parseSourceText("rtsp://cam/1#linger=2#start=live"), {
    dialled: "rtsp://cam/1",
    lingerMs: 2000,
    start: "live",
  });
  assert.equal(parseSourceText("rtsp://cam/1#media=video#linger=2").dialled, "rtsp://cam/1#media=video");
});

function refuses(text: string, isTrusted: boolean, message: string): void {
  const registry = new FakeRegistry();
  registry.addSource("exec", { trusted: true, open: () => Promise.reject(new Error("unused")) });
  assert.throws(() => checkSource(text, registry, isTrusted), { name: "StreamError", message });
}

Deno.test("checkSource() refuses in the contract's words", () => {
  refuses("", false, "streams: source empty");
  refuses("nonsense", false, "streams: source not supported");
  refuses("gopher://x", true, "streams: source not supported");
  refuses("exec:rm -rf", false, "streams: source from insecure producer");
  refuses("fake:a b", false, "streams: source with spaces may be insecure");
  refuses("fake:a#raw=-i /etc/passwd", false, "streams: source with spaces may be insecure");
});

Deno.test("checkSource() lets a trusted caller set what runs commands", () => {
  const registry = new FakeRegistry();
  registry.addSource("exec", { trusted: true, open: () => Promise.reject(new Error("unused")) });
  checkSource("exec:ffmpeg -i x", registry, true);
  checkSource("fake:a", registry, false);
});

Deno.test("Quirk(Home Assistant): turns of the picture come as #raw with a space", () => {
  const registry = new FakeRegistry();
  for (const turn of ["-vf vflip", "-vf hflip,vflip", "-vf transpose=1", "-vf transpose=2,hflip"]) {
    checkSource(`fake:camera.hall#video=h264#raw=${turn}`, registry, false);
  }
  refuses("fake:a b#raw=-vf vflip", false, "streams: source with spaces may be insecure");
  refuses("fake:a#raw=-vf vflip -y /x", false, "streams: source with spaces may be insecure");
});

Deno.test("checkSources() Quirk(Home Assistant): a transcoder nobody serves may stand beside a camera", () => {
  const registry = new FakeRegistry();
  const check = (...texts: string[]) => checkSources(texts, registry, false);
  check("fake:camera.hall", "ffmpeg:camera.hall#audio=opus#query=log_level=debug");
  assert.throws(() => check("ffmpeg:camera.hall#audio=opus"), { message: "streams: source not supported" });
  assert.throws(() => check("fake:a", "gopher:a"), { message: "streams: source not supported" });
  assert.throws(() => check("fake:a", "ffmpeg:a#raw=-i x"), { message: /spaces/ });
  assert.throws(() => check("fake:a", "exec:rm"), { name: "StreamError" });
});
