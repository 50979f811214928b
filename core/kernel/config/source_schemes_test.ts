import assert from "node:assert/strict";
import { Config } from "./config.ts";
import { describeProblem } from "./problem.ts";

const SCHEMES = ["demo", "rtsp"];

async function problemsOf(text: string): Promise<string[]> {
  const config = await Config.load([text], () => undefined);
  return config.checkSources(SCHEMES).map(describeProblem);
}

Deno.test("Config.checkSources() names each source that nothing opens, with its place", async () => {
  const text =
    '{streams: {a: "rtsp://x", b: ["demo:", "ffmpeg:a#audio=opus"], c: {url: ["rstp://u:p@x"]}, d: , e: "", f: {}}}';
  assert.deepEqual(await problemsOf(text), [
    '-c:1:40: streams.b.1: no loaded module opens "ffmpeg:", so this source is passed over',
    '-c:1:74: streams.c.url.0: no loaded module opens "rstp:", did you mean "rtsp:"?',
  ]);
});

Deno.test("Config.checkSources() shows nothing of a source that has no scheme", async () => {
  for (const source of ["anna secret@x", "192.168.1.10:554/secret", "sec ret://x"]) {
    assert.deepEqual(await problemsOf(`{streams: {a: "${source}"}}`), [
      '-c:1:12: streams.a: this is no address of a source, it begins with a scheme like "rtsp:"',
    ]);
  }
});

Deno.test("Config.checkNames() sees a stream that stands beside the section", async () => {
  const config = await Config.load(['{streams: , yard: "rtsp://x", hall: ["demo:"], mode: fast}'], () => undefined);
  assert.deepEqual(config.checkNames(["streams"]).map((one) => `${one.level} ${describeProblem(one)}`), [
    'warn -c:1:13: section "yard" is not used by any loaded module, is it a stream? Then indent it below "streams"',
    'warn -c:1:31: section "hall" is not used by any loaded module, is it a stream? Then indent it below "streams"',
    'info -c:1:48: section "mode" is not used by any loaded module',
  ]);
});
