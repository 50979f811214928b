/** Config files as people write them who do not know YAML, or know it too well. */
import assert from "node:assert/strict";
import { startServer } from "../support/server.ts";

const LISTENERS = 'api:\n  listen: "127.0.0.1:0"\nrtsp:\n  listen: "127.0.0.1:0"\n';

/** Starts a server with a config of its own; answers the streams it has, and what it said. */
async function startWith(config: string): Promise<{ names: string[]; output: string }> {
  await using server = await startServer({ isBare: true, config });
  const line = await server.line(/\[api\] listen addr=/);
  const port = /:(\d+)$/.exec(line)![1];
  const streams = await (await fetch(`http://127.0.0.1:${port}/api/streams`)).json();
  return { names: Object.keys(streams), output: server.output() };
}

Deno.test("A config with anchors, merge keys, duplicates and a byte order mark means what it says", async () => {
  const config = `\uFEFF${LISTENERS}streams:
  base: &base
    url: "demo:"
    linger: 1
  merged: {<<: *base, linger: 2}
  alias: *base
  twice: "rtsp://10.9.9.9/1"
  twice: "demo:"
`.replaceAll("\n", "\r\n");
  const { names, output } = await startWith(config);
  assert.deepEqual(names.sort(), ["alias", "base", "merged", "twice"]);
  assert.match(output, /go2rtc\.yaml:12:3: duplicate key "twice": the last one counts/);
});

Deno.test("A config with a mistake in one section says where, and the rest runs", async () => {
  const cases: readonly [string, RegExp][] = [
    ["log:\n\tlevel: debug\n", /go2rtc\.yaml:8:1: indent with spaces, a tab is not allowed here/],
    ["access:\n  opne: true\n", /go2rtc\.yaml:8:3: access\.opne: unknown key, did you mean "open"/],
    ["log: {level: loud}\n", /go2rtc\.yaml:7:\d+: .*level/],
    ["log: *nowhere\n", /go2rtc\.yaml:7:\d+: .*nowhere/],
    ["log: &a {b: &b [*a, *a]}\n", /go2rtc\.yaml:7:\d+/],
    ["preload: 5\n", /preload/],
  ];
  await Promise.all(cases.map(async ([section, problem]) => {
    const { names, output } = await startWith(`${LISTENERS}streams:\n  cam: "demo:"\n${section}`);
    assert.deepEqual(names, ["cam"], section);
    assert.match(output, problem, section);
  }));
});

Deno.test("A config that multiplies itself without end is refused at once", async () => {
  const levels = Array.from({ length: 12 }, (_, i) => {
    const inner = i === 0 ? '"x"' : `*l${i - 1}`;
    return `  l${i}: &l${i} [${Array(9).fill(inner).join(", ")}]\n`;
  });
  const startMs = performance.now();
  const { output } = await startWith(`${LISTENERS}streams:\n${levels.join("")}`).catch((error) => ({
    output: `${error}`,
  }));
  assert.match(output, /go2rtc\.yaml:.*alias/i);
  assert.ok(performance.now() - startMs < 10_000);
});
