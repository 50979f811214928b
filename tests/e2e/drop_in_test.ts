/** The program in the place of go2rtc: called by that name, and started as Frigate, ring-mqtt and Home Assistant do. */
import assert from "node:assert/strict";
import { type Lan, openLan } from "../support/lan.ts";
import { launch } from "../support/launched.ts";
import { needs, run } from "../support/programs.ts";
import { serverCommand } from "../support/server.ts";

/** A folder with an executable `go2rtc`: a link to the compiled program, or a script that passes its name on. */
async function installGo2rtc(folder: string, name = "go2rtc"): Promise<string> {
  const path = `${folder}/${name}`;
  const command = serverCommand();
  if (command.length === 1) {
    await Deno.symlink(await Deno.realPath(command[0]!), path);
    return path;
  }
  const words = command.map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(path, `#!/bin/bash\nexec -a "$0" ${words} "$@"\n`, { mode: 0o755 });
  return path;
}

/** A GET from inside the network, as clients on the same machine send it; answers status and body. */
async function get(lan: Lan, url: string, init: RequestInit = {}): Promise<{ status: number; body: string }> {
  const code = "const [url, init] = JSON.parse(Deno.args[0]); const response = await fetch(url, init); " +
    "console.log(JSON.stringify({ status: response.status, body: await response.text() }))";
  return JSON.parse(await lan.inside(Deno.execPath(), "eval", code, JSON.stringify([url, init])));
}

/** How many pictures of a stream ffmpeg decodes in a second of it. */
async function decoded(lan: Lan, url: string): Promise<number> {
  const args = ["-v", "error", "-rtsp_transport", "tcp", "-timeout", "10000000", "-i", url, "-t", "1", "-f", "null"];
  const whole = ["netns", "exec", lan.namespace, "ffmpeg", ...args, "-progress", "-", "-"];
  const { code, output } = await run("ip", whole);
  assert.equal(code, 0, output);
  return Number([...output.matchAll(/^frame=(\d+)/gm)].at(-1)?.[1]);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-drop-in-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Called go2rtc, it tells the contract's version and looks for go2rtc.yaml alone", () =>
  inFolder(async (folder) => {
    // What Home Assistant's WebRTC component downloads has its version in the name, and gets no arguments.
    const binary = await installGo2rtc(folder, "go2rtc-1.9.14");
    for (const option of ["-v", "-version", "--version"]) {
      const { code, output } = await run(binary, [option]);
      assert.equal(code, 0);
      assert.match(output, /^go2rtc version 1\.9\.14 \(lenswire-\S+\) \w+\/\w+\n$/);
    }
    assert.deepEqual((await run(binary, ["-nonsense"])).code, 2);
    const listeners = 'api: {listen: "${GO2RTC_LISTEN:127.0.0.1:0}"}\nrtsp: {listen: ""}\nwebrtc: {listen: ""}\n';
    await Deno.writeTextFile(`${folder}/go2rtc.yaml`, `${listeners}streams: {mine: "\${GO2RTC_SOURCE}"}\n`);
    await Deno.writeTextFile(`${folder}/lenswire.yaml`, `${listeners}streams: {other: "demo:"}\n`);
    await using program = launch([binary], { cwd: folder, env: { GO2RTC_SOURCE: "demo:" } });
    const url = `http://${(await program.line("[api] listen addr=")).split("addr=")[1]}/`;
    assert.equal((await fetch(url, { method: "HEAD" })).status, 200);
    const streams = await (await fetch(`${url}api/streams`)).json() as Record<string, { producers: { url: string }[] }>;
    assert.deepEqual(Object.keys(streams), ["mine"]);
    // The value of a variable is shown to nobody; what it stands for plays.
    assert.equal(streams.mine!.producers[0]!.url, "***");
    const still = await fetch(`${url}api/frame.mp4?src=mine`);
    assert.equal(still.status, 200);
    await still.body?.cancel();
    assert.equal((await program.terminate()).code, 0);
  }));

Deno.test({
  ...await needs(
    "Frigate runs it as /config/go2rtc: health check, restream, writes to the first config",
    "netns",
    "ffmpeg",
  ),
  fn: () =>
    inFolder(async (folder) => {
      await using lan = await openLan();
      const binary = await installGo2rtc(folder);
      // Frigate keeps the one, empty without HomeKit, and makes the other anew at each start.
      const homekit = `${folder}/go2rtc_homekit.yml`;
      const generated = `${folder}/go2rtc.yaml`;
      await Deno.writeTextFile(homekit, "");
      await Deno.writeTextFile(
        generated,
        `streams:
  yard:
  - 'demo:'
api:
  origin: '*'
hass:
  config: /homeassistant
log:
  format: text
webrtc:
  candidates:
  - 198.18.0.1:8555
  - stun:8555
ffmpeg:
  bin: /usr/lib/ffmpeg/7.0/bin/ffmpeg
access:
  login_proxies:
    127.0.0.1: viewer
`,
      );
      const command = [binary, `-config=${homekit}`, `-config=${generated}`];
      // The supervisor of its container starts services in folders of their own, and again when they end.
      const env = { LIBVA_VERSION_MAJOR: "2", FRIGATE_RTSP_PASSWORD: "secret" };
      for (const round of [1, 2]) {
        await using program = launch(command, { cwd: "/", namespace: lan.namespace, env });
        await program.line("INF [api] listen addr=:1984");
        assert.equal((await get(lan, "http://127.0.0.1:1984/api/streams")).status, 200);
        if (round === 1) {
          const added = await get(lan, "http://127.0.0.1:1984/api/streams?name=gate&src=rtsp://127.0.0.1:9/", {
            method: "PUT",
          });
          assert.equal(added.status, 200, added.body);
          assert.match(await Deno.readTextFile(homekit), /gate:\n\s+- "?rtsp:\/\/127\.0\.0\.1:9\//);
          // Whoever has logged in at Frigate comes through its nginx, from wherever he is.
          const viewer = { headers: { "x-forwarded-for": "8.8.8.8", "x-forwarded-host": "frigate.example.com" } };
          assert.equal((await get(lan, "http://127.0.0.1:1984/api/frame.mp4?src=yard", viewer)).status, 200);
          assert.equal((await get(lan, "http://127.0.0.1:1984/api/config", viewer)).status, 403);
          assert.ok(await decoded(lan, "rtsp://127.0.0.1:8554/yard?video=copy&audio=aac") > 20);
          const probe = await get(lan, "http://127.0.0.1:1984/api/streams?src=yard&video=all&audio=all&microphone");
          const { producers } = JSON.parse(probe.body) as { producers: { url: string; medias: string[] }[] };
          assert.ok(producers[0]!.medias.some((media) => media.startsWith("video, recvonly")), probe.body);
        }
        const { code, tookMs } = await program.terminate();
        assert.equal(code, 0);
        assert.ok(tookMs < 5000, `it took ${tookMs} ms to end`);
      }
      const streams = await Deno.readTextFile(generated);
      assert.doesNotMatch(streams, /gate/);
    }),
});

Deno.test({
  ...await needs(
    "ring-mqtt finds it in PATH: RTSP alone, with its login, and lines whose time it cuts off",
    "netns",
    "ffmpeg",
  ),
  fn: () =>
    inFolder(async (folder) => {
      await using lan = await openLan();
      await installGo2rtc(folder);
      const config = `${folder}/go2rtc.yaml`;
      await Deno.writeTextFile(
        config,
        `log:
  level: debug
  hass: info
api:
  listen: ''
srtp:
  listen: ''
rtsp:
  listen: ':8554'
  username: ring
  password: secret
  default_query: video&audio=aac&audio=opus
webrtc:
  listen: ''
streams:
  gc0_live: 'demo:'
  gc0_event: >-
    exec:${folder}/scripts/start-stream.sh gc0 event ring/cam/gc0/event {output}
`,
      );
      const env = { PATH: `${folder}:${Deno.env.get("PATH")}`, RUNMODE: "standard" };
      await using program = launch(["go2rtc", "-config", config], { cwd: folder, namespace: lan.namespace, env });
      await program.line("INF [rtsp] listen addr=:8554");
      assert.ok(await decoded(lan, "rtsp://ring:secret@127.0.0.1:8554/gc0_live") > 20);
      await assert.rejects(get(lan, "http://127.0.0.1:1984/api"), /refused/i);
      for (const line of program.lines) assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} \S/);
      const { code, tookMs } = await program.terminate();
      assert.equal(code, 0);
      assert.ok(tookMs < 5000, `it took ${tookMs} ms to end`);
    }),
});

/** How Home Assistant logs the levels that it finds as the second word of a line; others are warnings. */
const QUIET = new Set(["TRC", "DBG", "INF"]);

Deno.test({
  ...await needs(
    "Home Assistant starts it on its ports: the line it waits for, levels, the version check, SIGTERM",
    "netns",
  ),
  fn: () =>
    inFolder(async (folder) => {
      await using lan = await openLan();
      const binary = await installGo2rtc(folder);
      const config = `${folder}/go2rtc_k3x9.yaml`;
      await Deno.writeTextFile(
        config,
        `# This file is managed by Home Assistant
# Do not edit it manually

app:
  modules: ["api","exec","ffmpeg","http","mjpeg","onvif","rtmp","rtsp","srtp","webrtc","ws"]

api:
  listen: "127.0.0.1:11984"
  username: k1
  password: k2
  local_auth: true
  allow_paths: ["/","/api","/api/frame.jpeg","/api/schemes","/api/streams","/api/webrtc","/api/ws"]

exec:
  allow_paths: ["ffmpeg"]

rtsp:
  listen: "127.0.0.1:18554"

webrtc:
  listen: ":18555/tcp"
  ice_servers: []
`,
      );
      await using program = launch([binary, "-c", config], { cwd: "/", namespace: lan.namespace });
      await program.line("INF [api] listen addr=127.0.0.1:11984");
      await program.line("INF [rtsp] listen addr=127.0.0.1:18554");
      await program.line("INF [webrtc] listen tcp addr=:18555");
      const url = "http://127.0.0.1:11984/api";
      assert.equal((await get(lan, url)).status, 401);
      const headers = { authorization: `Basic ${btoa("k1:k2")}` };
      const { version } = JSON.parse((await get(lan, url, { headers })).body);
      const [major, minor, patch] = version.split(".").map(Number);
      assert.ok(major === 1 && (minor > 9 || (minor === 9 && patch >= 13)), version);
      assert.equal((await get(lan, url.replace("/api", "/"), { headers })).status, 200);
      const loud = program.lines.filter((line) => !QUIET.has(line.split(" ")[1] ?? ""));
      assert.deepEqual(loud, []);
      const { code, tookMs } = await program.terminate();
      assert.equal(code, 0);
      assert.ok(tookMs < 5000, `it took ${tookMs} ms to end, Home Assistant kills it after 5 s`);
    }),
});
