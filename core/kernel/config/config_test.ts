import assert from "node:assert/strict";
import fc from "fast-check";
import { Secrets } from "../secrets.ts";
import { kernelSchemas } from "../schema.ts";
import { Config } from "./config.ts";
import { describeProblem } from "./problem.ts";

const SAMPLE = `# The house, 2 cameras
env:
  NVR: nvr.lan

api:
  listen: ":1984"
  username: admin        # change me
  password: \${API_PASSWORD:secret}

rtsp:
  listen: ":8554"
  default_query: "video&audio=aac"

log: {level: info, streams: debug, api: warn}

x-defaults: &cam
  linger: 10

streams:
  # front
  front door:
    - rtsp://\${USER}:\${PASS:pw}@\${NVR}:554/cam/realmonitor?channel=1&subtype=0#backchannel=0
    - "ffmpeg:front door#audio=opus"
  yard: rtsp://10.0.0.6/live
  pushed:
  garage:
    <<: *cam
    url: rtspx://10.0.0.7:7441/abc
  4: http://10.0.0.8/mjpeg

publish:
  yard: [rtmp://a.example/live/key]
preload:
  yard:
homekit:
  yard: {pin: 12345678}
webrtc: {candidates: [192.168.1.2:8555, stun:8555]}
`;

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function environment(values: Readonly<Record<string, string>>) {
  return (name: string) => (Object.hasOwn(values, name) ? values[name] : undefined);
}

function test(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test(name, () => withFolder(run));
}

test("Config.load() keeps the value of a key that a later config names without one", async (folder) => {
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, "api: {listen: ':31'}\nrtsp: {listen: ''}\n");
  const later = [`${folder}/go2rtc.yaml`, "rtsp.listen=", "{api: {listen: , origin: '*'}, webrtc: {listen: }}"];
  const config = await Config.load(later, environment({}), { folder });
  assert.deepEqual(config.section("rtsp"), { listen: "" });
  assert.deepEqual(config.section("api"), { listen: ":31", origin: "*" });
  assert.deepEqual(config.section("webrtc"), { listen: null });
});

test("Config.load() reads a whole file", async (folder) => {
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, SAMPLE);
  const secrets = new Secrets();
  const config = await Config.load([], environment({ USER: "anna", NVR: "not this" }), { folder, secrets });
  assert.deepEqual(config.problems, []);
  assert.equal(config.path, `${folder}/go2rtc.yaml`);
  assert.deepEqual(config.section("streams"), {
    "front door": [
      "rtsp://anna:pw@nvr.lan:554/cam/realmonitor?channel=1&subtype=0#backchannel=0",
      "ffmpeg:front door#audio=opus",
    ],
    yard: "rtsp://10.0.0.6/live",
    pushed: null,
    garage: { linger: 10, url: "rtspx://10.0.0.7:7441/abc" },
    4: "http://10.0.0.8/mjpeg",
  });
  for (const name of ["app", "env", "log", "api", "access", "streams", "publish", "preload"] as const) {
    assert.ok(config.validate(name, kernelSchemas[name]).ok, name);
  }
  const api = config.validate("api", kernelSchemas.api);
  assert.ok(api.ok && api.value.password === "secret" && api.value.listen === ":1984");
  assert.deepEqual(config.problems, []);
  assert.equal(secrets.mask("anna nvr.lan secret pw"), "*** *** secret pw");
  const unused = config.checkNames([...Object.keys(kernelSchemas), "rtsp", "webrtc"]);
  assert.deepEqual(unused.map(describeProblem), [
    'go2rtc.yaml:16:1: section "x-defaults" is not used by any loaded module',
    'go2rtc.yaml:35:1: section "homekit" is not used by any loaded module',
  ]);
});

test("Config.checkNames() names the section that was meant", async (folder) => {
  const config = await Config.load(["{strems: {}}"], environment({}), { folder });
  assert.deepEqual(config.checkNames(["streams", "api"]).map(describeProblem), [
    '-c:1:2: section "strems" is not used by any loaded module, did you mean "streams"?',
  ]);
});

test("Config.load() merges the values in order", async (folder) => {
  await Deno.writeTextFile(
    `${folder}/a.yaml`,
    "env: {ONE: first}\nrtsp: {listen: ':1', username: ${ONE}}\nlist: [1, 2]\n",
  );
  await Deno.writeTextFile(`${folder}/b.yaml`, "rtsp: {username: ${ONE}2}\nlist: [3]\napi:\n");
  const values = ["", "missing.yaml", "a.yaml", '{api: {listen: ":5", origin: "*"}}', "b.yaml", "rtsp.listen=''"];
  const config = await Config.load(values, environment({ ONE: "env" }), { folder });
  assert.equal(config.path, `${folder}/missing.yaml`);
  assert.deepEqual(config.section("rtsp"), { listen: "", username: "first2" });
  assert.deepEqual(config.section("api"), { listen: ":5", origin: "*" });
  assert.deepEqual(config.section("list"), [3]);
});

test("Config.load() fills in no variable of an inline config", async (folder) => {
  const config = await Config.load(['{streams: {a: "${X}"}}'], environment({ X: "y" }), { folder });
  assert.deepEqual(config.section("streams"), { a: "${X}" });
});

test("Config.load() looks into env, then credentials, then the environment", async (folder) => {
  await Deno.writeTextFile(`${folder}/TWO`, " credential\n");
  await Deno.writeTextFile(`${folder}/THREE`, "unused");
  await Deno.writeTextFile(
    `${folder}/c.yaml`,
    'env:\n  THREE: 0123\n  RAW: ${ONE}\nx: ["${ONE}", "${TWO}", "${THREE}", "${RAW}", "${../TWO:no}"]\n',
  );
  const secrets = new Secrets();
  const env = environment({ CREDENTIALS_DIRECTORY: folder, ONE: "one", TWO: "unused", THREE: "unused" });
  const config = await Config.load(["c.yaml"], env, { folder, secrets });
  assert.deepEqual(config.section("x"), ["one", "credential", "0123", "${ONE}", "no"]);
  assert.equal(secrets.mask("one credential 0123 no"), "*** *** *** no");
});

test("Config.load() takes env from JSON and from a file with an error elsewhere", async (folder) => {
  await Deno.writeTextFile(`${folder}/a.yaml`, '{"env": {"A": "1"}, "x": "${A}"}');
  await Deno.writeTextFile(`${folder}/b.yaml`, "env: {B: b}\ny: ${B}\nz: [\n");
  const config = await Config.load(["a.yaml", "b.yaml"], environment({}), { folder });
  assert.equal(config.section("x"), "1");
  assert.equal(config.section("y"), "b");
});

test("Config.load() rejects with one line when a file cannot be read", async (folder) => {
  await Deno.mkdir(`${folder}/dir`);
  await assert.rejects(Config.load(["dir"], environment({}), { folder }), {
    message: `Cannot read the config file "${folder}/dir": it is a folder`,
  });
});

test("Config.load() reads a byte order mark, CRLF and UTF-16", async (folder) => {
  const text = "\uFEFFapi:\r\n  listen: ':1'\r\n  lisen: x\r\n";
  await Deno.writeTextFile(`${folder}/a.yaml`, text);
  await Deno.writeFile(`${folder}/b.yaml`, new Uint8Array(Uint16Array.from(text, (char) => char.charCodeAt(0)).buffer));
  for (const file of ["a.yaml", "b.yaml"]) {
    const config = await Config.load([file], environment({}), { folder });
    config.validate("api", kernelSchemas.api);
    assert.deepEqual(config.problems.map(describeProblem), [
      `${file}:3:3: api.lisen: unknown key, did you mean "listen"?`,
    ]);
  }
});

test("Config.isComplete tells when nobody knows what a file was to say", async (folder) => {
  const isComplete = async (text: string) => {
    await Deno.writeTextFile(`${folder}/a.yaml`, text);
    return (await Config.load(["a.yaml"], environment({}), { folder })).isComplete;
  };
  assert.equal(await isComplete(SAMPLE), true);
  assert.equal(await isComplete("api: [\nrtsp: {}\n"), true);
  assert.equal(await isComplete("what is this\napi: {}\n"), false);
  assert.equal(await isComplete('{"api": {"username": "a"}'), false);
  assert.equal(await isComplete("- a\n"), false);
});

test("Config.set() edits the file, applies the change and tells it once", async (folder) => {
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, SAMPLE);
  await Deno.chmod(`${folder}/go2rtc.yaml`, 0o600);
  const config = await Config.load([], environment({}), { folder });
  const told: string[] = [];
  const stop = config.onChange((changed) => told.push(changed.join()));
  await config.set(["streams", "yard"], ["rtsp://10.0.0.9/live"]);
  const wanted = SAMPLE.replace("yard: rtsp://10.0.0.6/live", "yard:\n    - rtsp://10.0.0.9/live");
  assert.equal(await config.text(), wanted);
  assert.deepEqual((config.section("streams") as Record<string, unknown>).yard, ["rtsp://10.0.0.9/live"]);
  await config.set(["streams", "yard"], ["rtsp://10.0.0.9/live"]);
  await config.remove(["streams", "4"]);
  await config.remove(["streams", "nope"]);
  assert.deepEqual(told, ["streams", "streams"]);
  stop();
  await config.set(["streams", "new"], "x");
  assert.equal(told.length, 2);
  assert.equal((await Deno.stat(`${folder}/go2rtc.yaml`)).mode! & 0o777, 0o600);
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["go2rtc.yaml"]);
});

test("Config.reload() tells of a mistake that changes no section, once", async (folder) => {
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, SAMPLE);
  const config = await Config.load([], environment({}), { folder });
  const told: string[] = [];
  config.onChange((changed) => told.push(`${changed.join()} ${config.problems.length}`));
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, `${SAMPLE}broken: [\n`);
  await config.reload();
  await config.reload();
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, SAMPLE);
  await config.reload();
  assert.equal(told.length, 2, told.join());
  assert.match(told[0]!, /^ [1-9]/);
  assert.equal(told[1], " 0");
});

test("Config.set() makes a file that does not exist, with its folder", async (folder) => {
  const config = await Config.load(["sub/lenswire.yaml"], environment({}), { folder });
  await assert.rejects(config.text(), { code: "NOT_FOUND" });
  await assert.rejects(config.merge("{}"), { code: "NOT_FOUND" });
  await config.set(["streams", "a"], ["x"]);
  assert.equal(await config.text(), "streams:\n  a:\n    - x\n");
  assert.equal((await Deno.stat(config.path!)).mode! & 0o777, 0o644);
});

test("Config.set() keeps a link a link", async (folder) => {
  await Deno.writeTextFile(`${folder}/real.yaml`, "streams:\n");
  await Deno.symlink(`${folder}/real.yaml`, `${folder}/go2rtc.yaml`);
  const config = await Config.load([], environment({}), { folder });
  await config.set(["streams", "a"], "x");
  assert.ok((await Deno.lstat(`${folder}/go2rtc.yaml`)).isSymlink);
  assert.equal(await Deno.readTextFile(`${folder}/real.yaml`), "streams:\n  a: x\n");
});

const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;

test("Config.set() leaves the file to whom it belongs", async (folder) => {
  if (!isRoot) return;
  const path = `${folder}/go2rtc.yaml`;
  await Deno.writeTextFile(path, "streams: {a: x}\n");
  await Deno.chmod(path, 0o640);
  await Deno.chown(path, 1000, 1001);
  const config = await Config.load([], environment({}), { folder });
  await config.set(["streams", "b"], "y");
  const { uid, gid, mode } = await Deno.stat(path);
  assert.deepEqual([uid, gid, mode! & 0o7777], [1000, 1001, 0o640]);
});

test("Config.set() on a full disk rejects and leaves the file as it is", async (folder) => {
  const path = `${folder}/go2rtc.yaml`;
  const mount = async (command: string, ...args: string[]) =>
    (await new Deno.Command(command, { args: [...args, folder], stderr: "null" }).output()).success;
  if (!isRoot || !await mount("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs")) return;
  try {
    const text = `# ${"x".repeat(3000)}\nstreams: {a: x}\n`;
    await Deno.writeTextFile(path, text);
    const config = await Config.load([], environment({}), { folder });
    await assert.rejects(config.set(["streams", "b"], "y".repeat(20_000)), /Cannot write .*: no space left on device$/);
    assert.equal(await Deno.readTextFile(path), text);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["go2rtc.yaml"]);
  } finally {
    await mount("umount");
  }
});

test("Config.set() serialises writers and keeps what somebody else wrote", async (folder) => {
  const path = `${folder}/go2rtc.yaml`;
  await Deno.writeTextFile(path, "streams:\n");
  const config = await Config.load([], environment({}), { folder });
  await Deno.writeTextFile(path, "# by hand\nstreams:\n  hand: y\n");
  await Promise.all(Array.from({ length: 20 }, (_, i) => config.set(["streams", `s${i}`], [`x${i}`])));
  const text = await Deno.readTextFile(path);
  assert.match(text, /^# by hand\nstreams:\n {2}hand: y\n {2}s0:\n/);
  assert.equal(Object.keys(config.section("streams") as object).length, 21);
});

test("Config.set() of a variable's text is read back as it was given", async (folder) => {
  const config = await Config.load([], environment({ HOME: "/root" }), { folder });
  await config.set(["streams", "a"], ["rtsp://h/${HOME}"]);
  assert.deepEqual(config.section("streams"), { a: ["rtsp://h/${HOME}"] });
  await config.merge("streams: {b: '${HOME}'}");
  assert.deepEqual(config.section("streams"), { a: ["rtsp://h/${HOME}"], b: "/root" });
});

test("Config refuses to save without a file", async (folder) => {
  const config = await Config.load(["{api: {}}"], environment({}), { folder });
  assert.equal(config.path, undefined);
  const refusal = { code: "REFUSED", message: "config file disabled" };
  await assert.rejects(config.set(["streams", "a"], "x"), refusal);
  await assert.rejects(config.remove(["streams", "a"]), refusal);
  await assert.rejects(config.replace(""), refusal);
  await assert.rejects(config.merge("{}"), refusal);
  await assert.rejects(config.text(), refusal);
});

test("Config.remove() tells that the section is missing", async (folder) => {
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, "api: {}\n");
  const config = await Config.load([], environment({}), { folder });
  await assert.rejects(config.remove(["streams", "a"]), { message: "yaml: path not exist" });
});

test("Config.replace() and merge() check the text before they write", async (folder) => {
  await Deno.writeTextFile(`${folder}/go2rtc.yaml`, SAMPLE);
  const config = await Config.load([], environment({}), { folder });
  await assert.rejects(config.replace("a: [\n"), { name: "SyntaxError", message: /^yaml: line 2, column 1/ });
  await assert.rejects(config.merge("a: [\n"), { name: "SyntaxError" });
  await assert.rejects(config.merge("- a\n"), { name: "SyntaxError" });
  assert.equal(await config.text(), SAMPLE);
  await config.merge('{"rtsp": {"listen": ""}}');
  assert.equal(await config.text(), SAMPLE.replace('listen: ":8554"', 'listen: ""'));
  await config.replace("\n# mine\n");
  assert.equal(await config.text(), "\n# mine\n");
  assert.deepEqual(config.sections(), []);
});

test("Config.replace() stores but does not apply what is held", async (folder) => {
  const path = `${folder}/go2rtc.yaml`;
  await Deno.writeTextFile(path, "access: {open: false}\nstreams: {a: x}\n");
  const config = await Config.load([], environment({}), { folder });
  const holds = ([section]: readonly string[], value: unknown) =>
    section === "access" || (typeof value === "string" && value.startsWith("exec:"));
  const text = "access: {open: true}\nstreams: {a: 'exec:rm', b: y, c: 'exec:ls'}\n";
  assert.deepEqual(await config.replace(text, holds), ["access.open", "streams.a", "streams.c"]);
  assert.equal(await config.text(), text);
  assert.deepEqual(config.section("access"), { open: false });
  assert.deepEqual(config.section("streams"), { a: "x", b: "y" });
  await config.set(["streams", "d"], "z");
  assert.deepEqual(config.section("streams"), { a: "x", b: "y", d: "z" });
  assert.deepEqual(await config.replace(await config.text(), holds), ["access.open", "streams.a", "streams.c"]);
  await Deno.writeTextFile(path, "access: {open: true}\nstreams: {a: 'exec:cp'}\n");
  await config.reload();
  assert.deepEqual(config.section("streams"), { a: "exec:cp" });
  assert.deepEqual(config.section("access"), { open: false });
});

test("Config.replace() holds back what it stored with an error when that is mended", async (folder) => {
  const path = `${folder}/go2rtc.yaml`;
  await Deno.writeTextFile(path, "streams: {}\n");
  const config = await Config.load([], environment({}), { folder });
  const holds = (_path: readonly string[], value: unknown) => String(value).startsWith("exec:");
  const text = "env: {X: '['}\nstreams: {a: 'exec:id', b: y}\npreload:\n  b: ${X}\n";
  await config.replace(text, holds);
  assert.ok(config.problems.some(({ message }) => message.includes("stays in force")));
  await config.reload();
  await config.remove(["preload", "b"]);
  assert.deepEqual(config.section("streams"), { b: "y" });
  await config.set(["streams", "c"], "exec:date");
  assert.deepEqual(config.section("streams"), { b: "y", c: "exec:date" });
});

test("Config.reload() answers the sections that changed", async (folder) => {
  const path = `${folder}/go2rtc.yaml`;
  await Deno.writeTextFile(path, "a: {x: 1, y: 2}\nb: [1]\nc: 1\nd:\n");
  const config = await Config.load([], environment({}), { folder });
  await Deno.writeTextFile(path, "# new\na: {y: 2, x: 1}\nb: [2]\ne: 1\n");
  assert.deepEqual(await config.reload(), ["b", "c", "e"]);
  assert.deepEqual(await config.reload(), []);
  await Deno.writeTextFile(path, "a: {y: 2, x: 1}\nb: [2]\ne: 1\nf:\ng: {}\n");
  assert.deepEqual(await config.reload(), []);
});

test("Config.reload() keeps what was in force while a file has an error or is away", async (folder) => {
  const path = `${folder}/go2rtc.yaml`;
  await Deno.writeTextFile(path, "api: {origin: '*'}\nstreams: {a: x}\n");
  const config = await Config.load([], environment({}), { folder });
  for (const text of ["api: {origin: ''}\nstreams\n  a: x\n", "streams:\n\ta: x\n", "what"]) {
    await Deno.writeTextFile(path, text);
    assert.deepEqual(await config.reload(), []);
    assert.ok(config.problems.some(({ level }) => level === "error"));
    assert.ok(config.problems.some(({ message }) => message.includes("stays in force")));
  }
  await Deno.remove(path);
  assert.deepEqual(await config.reload(), []);
  await Deno.writeTextFile(path, "api: {origin: ''}\nstreams: {a: x}\n");
  assert.deepEqual(await config.reload(), ["api"]);
  assert.deepEqual(config.problems, []);
});

test("Config.watch() sees edits of others once, whatever time they have, and its own not again", async (folder) => {
  const path = `${folder}/go2rtc.yaml`;
  await Deno.writeTextFile(path, "streams: {a: x}\n");
  const { mtime } = await Deno.stat(path);
  const config = await Config.load([], environment({}), { folder });
  const controller = new AbortController();
  const errors: unknown[] = [];
  const told: string[] = [];
  let wake = () => {};
  config.onChange((changed) => {
    told.push(changed.join());
    wake();
  });
  config.watch(controller.signal, (error) => errors.push(error));
  const next = () => new Promise<void>((resolve) => wake = resolve);

  let change = next();
  await Deno.writeTextFile(path, "streams: {a: y}\n");
  await Deno.utime(path, mtime!, mtime!);
  await change;
  await config.set(["api", "origin"], "*");
  assert.deepEqual(told, ["streams", "api"]);

  change = next();
  await Deno.writeTextFile(`${path}.new`, "streams: {a: z}\n");
  await Deno.rename(`${path}.new`, path);
  await change;
  assert.deepEqual(told, ["streams", "api", "streams,api"]);

  controller.abort();
  assert.deepEqual(errors, []);
});

test("Config never throws on what a file says", async (folder) => {
  const piece = fc.constantFrom(
    "streams:",
    "api:\n",
    "  listen: ",
    ":1984",
    "\n",
    "\n  ",
    "- ",
    "{",
    "}",
    "*a",
    "&a ",
    "<<: ",
    "\t",
    "'",
    "${X:y}",
    "${X",
    "[",
    ", ",
    "env: {X: 1}\n",
    "log: debug\n",
    "null",
  );
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.array(piece, { maxLength: 12 }).map((all) => all.join("")));
  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      await Deno.writeTextFile(`${folder}/go2rtc.yaml`, content);
      const config = await Config.load([], environment({}), { folder });
      for (const [name, schema] of Object.entries(kernelSchemas)) config.validate(name, schema);
      config.checkNames(["streams"]);
      config.problems.forEach(describeProblem);
      await config.set(["streams", "a"], "x").then(
        // A variable may fill in what breaks the YAML around it.
        () => config.isComplete && assert.equal((config.section("streams") as Record<string, unknown>).a, "x"),
        (error: unknown) => assert.ok(error instanceof Error && error.message !== ""),
      );
    }),
    { numRuns: 200, examples: [["\n  ${X:'}streams:"]] },
  );
});
