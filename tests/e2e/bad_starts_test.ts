/** Starts where a program is not at home: without rights, without a place for files, and in folders with odd names. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { launch, type Launched } from "../support/launched.ts";
import { hasProgram, run } from "../support/programs.ts";
import { serverCommand } from "../support/server.ts";
import { MseClient } from "./mse_client.ts";

const QUIET = 'rtsp: {listen: ""}\nwebrtc: {listen: ""}\n';

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-start-" });
  await Deno.chmod(folder, 0o755);
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function apiOf(program: Launched): Promise<string> {
  return (await program.line("[api] listen addr=")).split("addr=")[1]!;
}

const AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
const canLockDown = Deno.build.os === "linux" && Deno.uid() === 0 &&
  await hasProgram("unshare", "-m", ...AS_NOBODY, "true");

function needsRoot(name: string, isPossible = canLockDown) {
  return {
    name: isPossible ? name : `${name} (skipped: no root, or a machine that lets nobody do this)`,
    ignore: !isPossible,
  };
}

/**
 * The command as a user who owns nothing, without HOME and without a folder for temporary files. What the program is made
 * of is shown in `folder`, as it may lie where that user cannot look.
 */
async function lockedDown(folder: string, args: readonly string[]): Promise<string[]> {
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const places = new Map<string, string>();
  const show = async (path: string) => {
    const place = places.get(path) ?? `${folder}/shown${places.size}`;
    if (!places.has(path)) await Deno.mkdir(place);
    places.set(path, place);
    return place;
  };
  const command: string[] = [];
  for (const word of serverCommand()) {
    const isPath = word.startsWith("/");
    const path = isPath ? await Deno.realPath(word) : word;
    command.push(isPath ? `${await show(dirname(path))}/${path.slice(dirname(path).length + 1)}` : word);
  }
  const env = ["env", "-i", `PATH=${Deno.env.get("PATH")}`, "TMPDIR=/nonexistent", "NO_COLOR=1"];
  if (await Deno.stat(cache).then(() => true, () => false)) env.push(`DENO_DIR=${await show(cache)}`);
  const mounts = [...places].map(([path, place]) => `mount --bind '${path}' '${place}'`).join(" && ");
  return ["unshare", "-m", "sh", "-c", `${mounts} && exec "$@"`, "sh", ...AS_NOBODY, ...env, ...command, ...args];
}

Deno.test({
  ...needsRoot(
    "A locked-down user without HOME and /tmp, in a read-only folder: it plays, and says why it cannot save",
  ),
  fn: () =>
    inFolder(async (folder) => {
      const config = `${folder}/go2rtc.yaml`;
      const text = `api: {listen: "127.0.0.1:0"}\n${QUIET}streams: {cam: "demo:"}\n`;
      await Deno.writeTextFile(config, text);
      await using program = launch(await lockedDown(folder, []), { cwd: folder });
      const api = await apiOf(program);
      {
        await using viewer = new MseClient(api, "src=cam");
        await viewer.more(5);
      }
      const answer = await fetch(`http://${api}/api/streams?name=gate&src=rtsp://127.0.0.1:9/`, { method: "PUT" });
      assert.equal(answer.status, 400);
      assert.equal((await answer.text()).trim(), `Cannot write the config file "${config}": permission denied`);
      assert.equal((await program.terminate()).code, 0);
      assert.equal(await Deno.readTextFile(config), text);
      const complaints = program.lines.filter((line) => !/ INF |^exit with signal/.test(line));
      assert.match(complaints.join("\n"), /^\S+ WRN \[streams\] Cannot write the config file .*$/);
    }),
});

Deno.test({
  ...needsRoot("A config that may not be read ends the program with one line"),
  fn: () =>
    inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/go2rtc.yaml`, "api: {}\n", { mode: 0o600 });
      const [head, ...args] = await lockedDown(folder, []);
      const { code, output } = await run(head!, args, { cwd: folder });
      assert.equal(code, 1);
      assert.match(output, /^\S+ ERR Cannot read the config file "\S+go2rtc\.yaml": permission denied\n$/);
    }),
});

const firstFreePort = Number(
  await Deno.readTextFile("/proc/sys/net/ipv4/ip_unprivileged_port_start").catch(() => "0"),
);

Deno.test({
  ...needsRoot(
    "A port below 1024 without rights: one line says so, and how it ends",
    canLockDown && firstFreePort > 554,
  ),
  fn: () =>
    inFolder(async (folder) => {
      const why = "ports below 1024 are for root and programs with the capability CAP_NET_BIND_SERVICE";
      const whole = await lockedDown(folder, ["-config", `{api: {listen: "127.0.0.1:80"}, webrtc: {listen: ""}}`]);
      const { code, output } = await run(whole[0]!, whole.slice(1), { cwd: folder });
      assert.equal(code, 1);
      const lines = output.trim().split("\n").filter((line) => !line.includes(" INF "));
      assert.deepEqual(lines.map((line) => line.slice(13)), [
        `ERR [api] Cannot listen on 127.0.0.1:80: ${why}, set api.listen to another one`,
      ]);
      // The other protocols are not what the program is for: it goes on without them.
      await Deno.mkdir(`${folder}/other`);
      const listeners =
        `{api: {listen: "127.0.0.1:0"}, rtsp: {listen: "127.0.0.1:554"}, webrtc: {listen: "127.0.0.1:853"}}`;
      await using program = launch(await lockedDown(`${folder}/other`, ["-config", listeners]), { cwd: folder });
      const api = await apiOf(program);
      const refused = program.lines.filter((line) => line.includes(" ERR ")).map((line) => line.slice(13));
      assert.deepEqual(refused, [
        `ERR [rtsp] Cannot listen on 127.0.0.1:554: ${why}, set rtsp.listen to another one`,
        `ERR [webrtc] Cannot listen on UDP 127.0.0.1:853, TCP 127.0.0.1:853: ${why}, set webrtc.listen to another one; the rest goes on`,
      ]);
      assert.equal((await fetch(`http://${api}/api`)).status, 200);
    }),
});

const PLUGIN = `export default { name: "hello", api: 1, setup(ctx) {
  ctx.http.get("/api/hello", { summary: "Hello", needs: "watch", camera: () => null }, () => new Response("hello"));
} };
`;

Deno.test("Folders with spaces, signs and letters of other scripts hold config, plugins and pages; Windows' line ends stay", () =>
  inFolder(async (outer) => {
    const folder = `${outer}/Büro & Höfe – 摄像头 #1 100%`;
    await Deno.mkdir(`${folder}/plugins`, { recursive: true });
    await Deno.mkdir(`${folder}/weitere plugins`);
    await Deno.mkdir(`${folder}/meine Seiten/größer`, { recursive: true });
    await Deno.writeTextFile(`${folder}/plugins/grüß dich.js`, PLUGIN);
    await Deno.writeTextFile(`${folder}/weitere plugins/другой.js`, PLUGIN.replaceAll("hello", "other"));
    await Deno.writeTextFile(`${folder}/meine Seiten/größer/Straße 1.html`, "<p>here</p>");
    const config = `${folder}/meine config.yaml`;
    const text =
      `\uFEFF# Kameras\n\napi:\n  listen: "127.0.0.1:0"\n  static_dir: "${folder}/meine Seiten"  # eigene\n${QUIET}` +
      'streams:\n  hof: "demo:"\n';
    const withWindowsEnds = text.replaceAll("\n", "\r\n");
    await Deno.writeTextFile(config, withWindowsEnds);
    const start = (...args: string[]) => launch([...serverCommand(), "-config", config, ...args], { cwd: folder });
    {
      await using program = start();
      const api = await apiOf(program);
      assert.equal(await (await fetch(`http://${api}/api/hello`)).text(), "hello", program.lines.join("\n"));
      const page = await fetch(`http://${api}/${encodeURIComponent("größer")}/${encodeURIComponent("Straße 1.html")}`);
      assert.equal(await page.text(), "<p>here</p>");
      const added = await fetch(`http://${api}/api/streams?name=${encodeURIComponent("garten süd")}&src=demo:`, {
        method: "PUT",
      });
      assert.equal(added.status, 200, await added.text());
      assert.equal((await program.terminate()).code, 0);
    }
    const saved = await Deno.readTextFile(config);
    assert.equal(saved, `${withWindowsEnds}  garten süd:\r\n    - "demo:"\r\n`);
    await using program = start("--plugins", "weitere plugins");
    const api = await apiOf(program);
    assert.equal(await (await fetch(`http://${api}/api/other`)).text(), "other", program.lines.join("\n"));
    assert.deepEqual(Object.keys(await (await fetch(`http://${api}/api/streams`)).json()), ["hof", "garten süd"]);
    assert.deepEqual(program.lines.filter((line) => / (WRN|ERR) /.test(line)), []);
  }));
