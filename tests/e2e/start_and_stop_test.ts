/** The program as a person meets it first: started without a config, started wrongly, and stopped. */
import assert from "node:assert/strict";
import { openLan } from "../support/lan.ts";
import { readFmp4 } from "../../core/mod.ts";
import { needs, run, start } from "../support/programs.ts";
import { serverCommand, startServer } from "../support/server.ts";
import { MseClient } from "./mse_client.ts";
import { BROWSER_TEST, chromium, PlayerPage } from "./page.ts";

Deno.test({
  ...await needs("A start without a config listens at once and shows the demo", "chromium", "netns"),
  ...BROWSER_TEST,
  async fn() {
    // A network of its own, as the usual ports may be taken in this one.
    await using lan = await openLan();
    const startMs = performance.now();
    await using server = await startServer({ hasNoConfig: true, namespace: lan.namespace });
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < 4000, `it listened after ${tookMs} ms`);
    // Home Assistant waits for this line and reads time, level and text of all.
    assert.match(await server.line(/listen addr=:1984/), /^\d\d:\d\d:\d\d\.\d{3} INF \[api\] listen addr=:1984$/);
    await server.line(/INF \[rtsp\] listen addr=:8554$/);
    const lines = server.output().trim().split("\n");
    for (const line of lines) assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} (TRC|DBG|INF|WRN|ERR) \S/);
    const link = / link=(http:\S+)$/.exec(await server.line(/ link=/))![1]!;

    await using one = await chromium(lan.namespace);
    const tab = await PlayerPage.open(one.browser, link);
    await tab.page.click("text=demo");
    await tab.until("p.stats.decoded > 50 && p.video.currentTime > 1");
    const { decoded } = await tab.stats();
    await tab.until(`p.stats.decoded >= ${decoded + 25}`, 3000);
    assert.deepEqual(tab.faults, []);
  },
});

Deno.test({
  ...await needs("SIGTERM ends players properly within 2 s", "ffmpeg"),
  async fn() {
    await using server = await startServer({ config: 'streams:\n  cam: "demo:"\n' });
    await using viewer = new MseClient(server.api, "src=cam");
    const input = ["-v", "error", "-rtsp_transport", "tcp", "-i", `rtsp://${server.rtsp}/cam`];
    await using player = start("ffmpeg", [...input, "-c", "copy", "-f", "mpegts", "-"]);
    const played = player.stdout.getReader();
    await played.read();
    const response = await server.fetch("/api/stream.mp4?src=cam&start=now");
    const file = response.arrayBuffer();
    await viewer.more(30);
    const startMs = performance.now();
    const { code } = await server.stop("SIGTERM");
    assert.equal(code, 0, server.output());
    assert.ok(performance.now() - startMs < 2000, `it took ${performance.now() - startMs} ms`);
    const closed = await viewer.closed;
    assert.equal(closed.code, 1001);
    assert.notEqual(closed.reason, "");
    // Both saw an end, and no error: the answer is a whole file.
    assert.ok(readFmp4(new Uint8Array(await file)).tracks[0]!.samples.length > 30);
    while (!(await played.read()).done);
    assert.deepEqual([(await player.status).code, player.errors()], [0, ""]);
  },
});

/** Runs the program to its end, in an empty folder. */
async function runToEnd(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const [program, ...rest] = serverCommand();
  const cwd = await Deno.makeTempDir();
  try {
    const { code, output } = await run(program!, [...rest, ...args], { cwd, env: { NO_COLOR: "1" } });
    return { code, lines: output.trim().split("\n").filter((line) => !/ INF /.test(line)) };
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

Deno.test("A second instance ends with one clear line and code 1", async () => {
  await using server = await startServer();
  const config = `{api: {listen: "${server.api}"}, rtsp: {listen: "${server.rtsp}"}, webrtc: {listen: ""}}`;
  const { code, lines } = await runToEnd("-config", config);
  assert.equal(code, 1);
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0]!, /ERR \[api\] Cannot listen on \S+: the port is in use by another program, set api\.listen/);
  assert.equal((await server.fetch("/api")).status, 200);
});

Deno.test("A config that cannot be read ends the program with one clear line and code 1", async () => {
  const { code, lines } = await runToEnd("-config", "/");
  assert.equal(code, 1);
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0]!, /ERR .*"?\/"?.*(directory|folder)/);
});

Deno.test("A config with mistakes turns off what they are in, names file, line and column, and runs", async () => {
  await using server = await startServer({
    config: 'streams:\n  cam: "demo:"\nmp4:\n  rotate: 90\naccess:\n  hots: [cam.example]\nstreems:\n  a: "demo:"\n',
  });
  await server.line(/ \S*go2rtc\.yaml:\d+:\d+: access\.hots: unknown key, did you mean "hosts"\?/);
  await server.line(
    / \S*go2rtc\.yaml:\d+:\d+: section "streems" is not used by any loaded module, did you mean "streams"\?/,
  );
  await using viewer = new MseClient(server.api, "src=cam");
  await viewer.more(5);
});
