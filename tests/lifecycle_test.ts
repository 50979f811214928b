import assert from "node:assert/strict";
import { freePort, startServer, until } from "./support/server.ts";

const main = new URL("../main.ts", import.meta.url).pathname;

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-net", main, ...args],
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

Deno.test("The program answers its options", async () => {
  const version = await run("-version");
  assert.match(version.out, /^go2rtc version 1\.9\.14 \(\S+\) \w+\/\w+\n$/);
  assert.match((await run("--version")).out, /^lenswire \d+\.\d+\.\d+\n$/);
  assert.match((await run("-h")).out, /^Usage: lenswire/);
  const wrong = await run("-nonsense");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /Unknown option "-nonsense"/);
});

Deno.test("The program ends by SIGTERM and SIGINT with code 0, viewers and all", async () => {
  for (const [signal, name] of [["SIGTERM", "terminated"], ["SIGINT", "interrupt"]] as const) {
    const server = await startServer({ config: 'streams:\n  cam: "demo:"\n' });
    const socket = new WebSocket(`ws://${server.api}/api/ws?src=cam`);
    const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
    const frames = new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => typeof data === "string" || resolve();
    });
    socket.onopen = () => socket.send(JSON.stringify({ type: "mse", value: "avc1.640029" }));
    await frames;
    const events = await server.fetch("/api/events");
    const movie = await server.fetch("/api/stream.mp4?src=cam");
    const startMs = performance.now();
    const status = await server.stop(signal);
    assert.equal(status.code, 0, server.output());
    assert.ok(performance.now() - startMs < 3000, `it took ${performance.now() - startMs} ms`);
    assert.match(server.output(), new RegExp(`exit with signal: ${name}\n`));
    assert.ok([1000, 1001].includes(await closed));
    for (const { body } of [events, movie]) await body!.cancel().catch(() => {});
    await server[Symbol.asyncDispose]();
  }
});

Deno.test("The program ends with one line and code 1 when its port is taken", async () => {
  await using server = await startServer();
  const other = await run("-c", `api.listen=${server.api}`);
  assert.equal(other.code, 1);
  assert.match(other.out, /ERR \[api\] Cannot listen on \S+: the port is in use by another program, set api\.listen/);
  assert.doesNotMatch(other.out, /\[rtsp\]/);
});

Deno.test("The program runs on without RTSP when that port is taken", async () => {
  await using first = await startServer();
  await using second = await startServer({
    isBare: true,
    config: `api:\n  listen: 127.0.0.1:0\nrtsp:\n  listen: "${first.rtsp}"\n`,
  });
  assert.match(
    second.output(),
    new RegExp(
      `ERR \\[rtsp\\] Cannot listen on ${first.rtsp}: the port is in use by another program, set rtsp.listen to another one`,
    ),
  );
  const port = /\[api\] listen addr=127\.0\.0\.1:(\d+)/.exec(second.output())![1];
  const schemes = await (await fetch(`http://127.0.0.1:${port}/api/schemes`)).json();
  assert.ok(schemes.includes("rtsp"));
});

Deno.test("The program exits and starts anew when the API says so", async () => {
  await using server = await startServer();
  assert.equal((await server.fetch("/api/restart", { method: "POST" })).status, 200);
  const starts = () => server.output().match(/\[api\] listen addr=/g)?.length === 2;
  await until(starts);
  const port = /\[api\] listen addr=127\.0\.0\.1:(\d+)/.exec(server.output().split("[access]")[1]!)![1];
  const response = await fetch(`http://127.0.0.1:${port}/api/exit?code=7`, { method: "POST" }).catch(() => undefined);
  await response?.body?.cancel();
  assert.equal((await server.status).code, 7);
});

Deno.test("The program goes on in the background", async () => {
  const { code, out } = await run("-d", "-c", "api.listen=127.0.0.1:0", "-c", "rtsp.listen=''");
  assert.equal(code, 0);
  const pid = Number(/^Running in daemon mode with PID: (\d+)\n$/.exec(out)?.[1]);
  assert.ok(pid > 0, out);
  Deno.kill(pid, "SIGTERM");
});

Deno.test("The program listens for RTSP again after a restart that a source holds up", async () => {
  const plugins = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${plugins}/stuck.ts`,
    `export default {
      name: "stuck", api: 1,
      setup(ctx) {
        const media = { kind: "video", direction: "recvonly", codecs: [ctx.core.codec("H264", { clockRate: 90000 })] };
        const run = (io) => {
          io.track(media);
          io.live();
          ctx.log.info("stuck");
          return new Promise(() => {});
        };
        const producer = { medias: [media], info: { formatName: "stuck" }, run, close() {} };
        ctx.source("stuck", { open: () => Promise.resolve(producer) });
      },
    };`,
  );
  const [apiPort, rtspPort] = [freePort(), freePort()];
  const args = ["--plugins", plugins];
  const config = "streams: {cam: 'stuck:'}\npreload: {cam: ''}\n";
  await using server = await startServer({ apiPort, rtspPort, args, config });
  await server.line(/\[stuck\] stuck/);
  await (await server.fetch("/api/restart", { method: "POST" })).body?.cancel();
  await until(() => server.output().match(/\[api\] listen addr=/g)?.length === 2);
  assert.doesNotMatch(server.output(), /ERR/);
  (await Deno.connect({ hostname: "127.0.0.1", port: rtspPort })).close();
  await Deno.remove(plugins, { recursive: true });
});

Deno.test("The program's modules run on while their sections have mistakes, and start when these are mended", async () => {
  await using server = await startServer();
  const text = await Deno.readTextFile(server.configPath);
  const own = `${server.configPath}.pages`;
  await Deno.mkdir(own);
  await Deno.writeTextFile(`${own}/index.html`, "mine");
  const isOpen = async () => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(server.rtsp.split(":")[1]) });
    conn.close();
    return true;
  };
  const fixed = text.replace(/listen: "127\.0\.0\.1:0"\nwebrtc/, `listen: "${server.rtsp}"\nwebrtc`);
  const mistaken = fixed.replace("rtsp:\n", "$&  pkt_size: much\n").replace("webrtc:\n", "$&  limits: 5\n");
  await Deno.writeTextFile(server.configPath, mistaken.replace("api:\n", "$&  static_dir: []\n"));
  await server.line(/Plugin "webrtc" found mistakes in the config; it goes on as it runs/);
  await server.line(/Plugin "rtsp" found mistakes in the config; it goes on as it runs/);
  await server.line(/Plugin "www" found mistakes in the config; it goes on as it runs/);
  assert.ok(await isOpen());
  assert.match(await (await server.fetch("/")).text(), /<html/);
  assert.ok(await server.json("/api/webrtc/stats"));
  await Deno.writeTextFile(server.configPath, fixed.replace("api:\n", `$&  static_dir: "${own}"\n`));
  await until(async () => await (await server.fetch("/")).text() === "mine");
  assert.ok(await until(() => isOpen().catch(() => false)));

  await using late = await startServer({ isBare: true, config: mistaken.replace(server.rtsp, "127.0.0.1:0") });
  assert.match(late.output(), /Plugin "rtsp" found mistakes in the config; it stays off/);
  await Deno.writeTextFile(late.configPath, text);
  await late.line(/\[rtsp\] listen addr=/);
  await late.line(/\[webrtc\] listen udp addr=/);
});
