import assert from "node:assert/strict";
import * as core from "../mod.ts";
import type { BuiltIn } from "./builtin.ts";
import { Kernel, type KernelOptions, StartError } from "./kernel.ts";
import type { KernelService } from "./kernel_service.ts";
import type { PluginContext, PluginDefinition } from "./plugin.ts";

interface Running extends AsyncDisposable {
  readonly kernel: Kernel;
  readonly folder: string;
  readonly path: string;
  readonly text: string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Resolves as soon as a line of the log matches. */
  line(pattern: RegExp): Promise<string>;
}

class Output {
  text = "";
  readonly #waiters = new Set<() => void>();
  writeStdout = (text: string): void => {
    this.text += text;
    for (const wake of [...this.#waiters]) wake();
  };
  writeStderr = this.writeStdout;
  isStdoutTerminal = () => false;
  append = () => Promise.resolve();
  line(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`No line like ${pattern} in:\n${this.text}`)), 5000);
      const look = () => {
        const found = this.text.split("\n").find((line) => pattern.test(line));
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve(found);
      };
      this.#waiters.add(look);
      look();
    });
  }
}

async function start(config: string, more: Partial<KernelOptions> = {}): Promise<Running> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const path = `${folder}/lenswire.yaml`;
  await Deno.writeTextFile(path, config);
  const output = new Output();
  const kernel = await Kernel.start({
    configs: [path],
    builtIns: [],
    core: () => Promise.resolve(core),
    output,
    plugins: `${folder}/plugins`,
    ...more,
  });
  return {
    kernel,
    folder,
    path,
    get text() {
      return output.text;
    },
    fetch: (path, init) => fetch(`http://127.0.0.1:${kernel.addresses[0]!.port}${path}`, init),
    line: (pattern) => output.line(pattern),
    async [Symbol.asyncDispose]() {
      await kernel.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function builtIn(name: string, setup: (ctx: PluginContext) => void, more: Partial<PluginDefinition> = {}): BuiltIn {
  return { name, load: () => Promise.resolve({ default: { name, api: 1, setup, ...more } }) };
}

const API = "api: {listen: '127.0.0.1:0'}\n";

Deno.test("Kernel prints the lines that clients wait for, then answers", async () => {
  await using running = await start(API);
  const lines = running.text.split("\n");
  assert.match(lines[0]!, /INF go2rtc platform=\S+ revision=\S+ version=1\.9\.14$/);
  assert.match(lines[1]!, /INF config path=\S+lenswire\.yaml$/);
  const { port } = running.kernel.addresses[0]!;
  assert.ok(lines.some((line) => line.endsWith(`INF [api] listen addr=127.0.0.1:${port}`)));
  assert.match(running.text, new RegExp(`INF \\[access\\] .* link=http://127.0.0.1:${port}/\\?token=[\\w-]{22}\n`));
  const document = await (await running.fetch("/api/openapi.json")).json();
  assert.deepEqual(Object.keys(document.paths), [
    "/api/docs",
    "/api/events",
    "/api/openapi.json",
    "/api/ws",
    "/metrics",
  ]);
  assert.match(await (await running.fetch("/api/docs")).text(), /<code>\/metrics<\/code>/);
  assert.match(await (await running.fetch("/metrics")).text(), /^process_resident_memory_bytes \d+$/m);
  const { budget } = core;
  assert.ok(budget.limitBytes < core.process.memory().limit / 3);
});

Deno.test("Kernel fails with one line when the port is taken, and leaves nothing behind", async () => {
  await using running = await start(API);
  const { port } = running.kernel.addresses[0]!;
  const output = new Output();
  let setups = 0;
  await assert.rejects(
    Kernel.start({
      configs: [`api.listen=127.0.0.1:${port}`],
      builtIns: [builtIn("late", () => void setups++)],
      core: () => Promise.resolve(core),
      output,
    }),
    StartError,
  );
  assert.equal(setups, 0);
  const wanted =
    `ERR [api] Cannot listen on 127.0.0.1:${port}: the port is in use by another program, set api.listen to another one`;
  assert.ok(output.text.includes(wanted), output.text);
  assert.equal(output.text.match(/ERR/g)?.length, 1);
});

Deno.test("Kernel honours app.modules and allow_paths", async () => {
  const builtIns = [builtIn("on", () => {}), builtIn("off", () => {}), {
    ...builtIn("always", () => {}),
    enabledBy: ["*"],
  }];
  await using running = await start(`${API}app: {modules: [api, on]}\n`, { builtIns });
  assert.deepEqual(running.kernel.host.names(), ["on", "always"]);
  await using silent = await start(`${API}app: {modules: [on]}\n`, { builtIns });
  assert.equal(silent.kernel.addresses.length, 0);
  await using narrow = await start("api: {listen: '127.0.0.1:0', allow_paths: [/metrics]}\n");
  assert.equal((await narrow.fetch("/api/ws")).status, 404);
  assert.equal((await narrow.fetch("/metrics")).status, 200);
});

Deno.test("Kernel lets nobody in from elsewhere when the access section has a mistake", async () => {
  await using running = await start(`${API}access: {open: true, users: 5}\n`);
  assert.match(running.text, /ERR \[config\] \S*lenswire\.yaml:2:\d+: access\.users: expected a list/);
  const settings = running.kernel.access.settings;
  assert.equal(settings.open, false);
  const headers = { "x-forwarded-for": "192.168.1.5" };
  const response = await running.fetch("/metrics", { headers });
  assert.equal(response.status, 401);
  await response.body?.cancel();
  assert.equal((await running.fetch("/metrics")).status, 200);
});

Deno.test("Kernel keeps what a section of its own said while that has a mistake, and whom it let in", async () => {
  const api = "api: {listen: '127.0.0.1:0', username: ann, password: pw}\n";
  await using running = await start(`${api}access: {users: [{name: bob, password: pw}]}\n`);
  const { access, config } = running.kernel;
  const before = access.settings;
  await config.set(["access", "users"], 5);
  assert.match(running.text, /WRN \[config\] section "access" has mistakes: what it said before stays in force/);
  await config.set(["api", "local_auth"], "maybe");
  await config.set(["access", "users"], [{ name: "eve", password: "pw" }]);
  assert.equal(access.settings, before);
  await config.set(["api", "local_auth"], true);
  const { api: login, users } = access.settings;
  assert.deepEqual([login.username, login.localAuth, users[0]!.name], ["ann", true, "eve"]);
});

Deno.test("Kernel takes the login of RTSP as it is written, and lets nobody in by one that cannot be read", async () => {
  const loginOf = async (section: string) => {
    await using running = await start(`${API}rtsp: ${section}\n`);
    return running.kernel.access.settings.services.rtsp!;
  };
  assert.deepEqual(await loginOf("{username: 007, password: 001234}"), { username: "007", password: "001234" });
  assert.deepEqual(await loginOf("{username: a, password: 1e3}"), { username: "a", password: "1e3" });
  assert.deepEqual(await loginOf("{username: true, password: '0x10'}"), { username: "true", password: "0x10" });
  assert.deepEqual(await loginOf("{listen: ''}"), { username: "", password: "" });
  for (const odd of ["x", "[a]", "{username: [a], password: b}"]) {
    assert.match((await loginOf(odd)).username, /^[\da-f-]{36}$/, odd);
  }
});

Deno.test("Kernel applies changes of the config without touching what did not change", async () => {
  const setups: unknown[] = [];
  const counted = builtIn("counted", (ctx) => {
    setups.push(ctx.config);
    ctx.source("fake", { open: () => Promise.reject(new Error("offline")) });
    ctx.http.get("/api/counted", { summary: "", needs: "watch" }, () => new Response(String(setups.length)));
  }, { config: (zod) => zod.object({ rate: zod.number().default(1) }) });
  const config = `${API}streams:\n  keep: "fake:1"\n  drop: "fake:2"\n`;
  await using running = await start(config, { builtIns: [counted] });
  const { kernel } = running;
  const keep = kernel.streams.get("keep", core.systemPrincipal);
  assert.ok(keep);

  await Deno.writeTextFile(running.path, `${API}streams:\n  keep: "fake:1"\n  fresh: "fake:3"\n`);
  await running.line(/config changed sections=streams/);
  assert.deepEqual(kernel.streams.names(core.systemPrincipal), ["keep", "fresh"]);
  assert.equal(kernel.streams.get("keep", core.systemPrincipal), keep);
  assert.deepEqual(setups, [{ rate: 1 }]);

  await kernel.config.set(["counted", "rate"], 5);
  await running.line(/anew plugin=counted/);
  while (setups.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(setups, [{ rate: 1 }, { rate: 5 }]);
  assert.equal(await (await running.fetch("/api/counted")).text(), "2");
  assert.equal(kernel.streams.get("keep", core.systemPrincipal), keep);

  await kernel.config.set(["log", "level"], "error");
  await kernel.config.set(["api", "base_path"], "/rtc");
  assert.doesNotMatch(running.text, /takes effect after a restart/);
  await kernel.config.set(["log", "level"], "info");
  await kernel.config.set(["api", "base_path"], "/rtc2");
  await running.line(/WRN \[config\] .* takes effect after a restart/);
  await kernel.config.set(["access", "users"], [{ name: "anna", password: "pw" }]);
  const asProxy = { headers: { "x-forwarded-for": "192.168.1.5" } };
  assert.equal((await running.fetch("/metrics", asProxy)).status, 401);
});

/** A built-in module that brings a source which runs commands and one that does not, and the kernel's service to the test. */
function spyOn() {
  let found: KernelService | undefined;
  const spy = builtIn("spy", (ctx) => {
    found = ctx.use<KernelService>("kernel");
    ctx.source("exec", { trusted: true, open: () => Promise.reject(new Error("no")) });
    ctx.source("fake", { open: () => Promise.reject(new Error("no")) });
  }, { requires: ["kernel"] });
  return { spy, service: () => found! };
}

Deno.test("Kernel holds back what somebody who is not trusted writes into the config, until somebody trusted saves it", async () => {
  const { spy, service } = spyOn();
  await using running = await start(`${API}streams: {}\n`, { builtIns: [spy] });
  const { kernel } = running;
  const untrusted = { ...core.systemPrincipal, isTrusted: false };
  const text = `${API}streams:\n  bad: "exec:sh"\n  good: "fake:1"\naccess: {open: true}\n`;
  const held = await service().config.replace(text, untrusted);
  assert.deepEqual([...held].sort(), ["access.open", "streams.bad"]);
  assert.equal(kernel.access.settings.open, false);
  assert.deepEqual(kernel.streams.names(core.systemPrincipal), ["good"]);
  assert.equal(await service().config.text(), text);
  // Whoever merges something else has not read what is held.
  assert.deepEqual(await service().config.merge("streams: {more: 'fake:2'}", core.systemPrincipal), []);
  assert.equal(kernel.access.settings.open, false);
  assert.deepEqual(kernel.streams.names(core.systemPrincipal).sort(), ["good", "more"]);
  assert.deepEqual(await service().config.merge("streams: {bad: 'exec:sh'}", core.systemPrincipal), []);
  assert.deepEqual(kernel.streams.names(core.systemPrincipal).sort(), ["bad", "good", "more"]);
  assert.equal(kernel.access.settings.open, false);
  assert.deepEqual(await service().config.replace(text, core.systemPrincipal), []);
  assert.equal(kernel.access.settings.open, true);
  assert.deepEqual(kernel.streams.names(core.systemPrincipal).sort(), ["bad", "good"]);
});

Deno.test("Kernel holds back what nobody trusted writes, whatever stands in the place of a section before", async () => {
  const { spy, service } = spyOn();
  const untrusted = { ...core.systemPrincipal, isTrusted: false };
  const save = (text: string) => service().config.replace(text, untrusted);
  const sections = {
    streams: "{bad: 'exec:sh'}",
    api: "{listen: '127.0.0.1:0', username: eve, password: pw}",
    app: "{modules: [spy, exec]}",
    log: "{output: 'file:mine'}",
  };
  for (const odd of ["x", "[]", "5"]) {
    await using running = await start(API, { builtIns: [spy] });
    const { config, streams, access } = running.kernel;
    const before = Object.keys(sections).map((name) => config.section(name));
    const oddly = (name: string) => `${name}: ${odd}\n`;
    assert.deepEqual([...await save(Object.keys(sections).map(oddly).join(""))].sort(), Object.keys(sections).sort());
    const held = await save(Object.entries(sections).map(([name, value]) => `${name}: ${value}\n`).join(""));
    assert.deepEqual([...held].sort(), ["api.password", "api.username", "app.modules", "log.output", "streams.bad"]);
    assert.deepEqual(Object.keys(sections).map((name) => config.section(name) ?? {}), before.map((one) => one ?? {}));
    assert.equal(access.settings.api.username, "");
    assert.deepEqual(streams.names(core.systemPrincipal), []);
  }
  // The section is odd in the file already, and what is held outlives another change of it.
  await using running = await start(`${API}streams: x\n`, { builtIns: [spy] });
  assert.deepEqual(await save(`${API}streams: {bad: 'exec:sh'}\n`), ["streams.bad"]);
  await running.kernel.config.set(["streams", "good"], "fake:1");
  assert.deepEqual(running.kernel.streams.names(core.systemPrincipal), ["good"]);
});

Deno.test("Kernel loads the plugins of a folder, and anew when they change", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const plugin = (answer: string) => `
    import type { PluginDefinition } from "../core/mod.ts";
    const plugin: PluginDefinition = {
      name: "mine", api: 1,
      setup(ctx) { ctx.http.get("/api/mine", { summary: "", needs: "watch" }, () => ctx.core.textResponse(200, "${answer}")); },
    };
    export default plugin;`;
  await Deno.writeTextFile(`${folder}/mine.ts`, plugin("one"));
  await Deno.mkdir(`${folder}/big`);
  await Deno.writeTextFile(`${folder}/big/mod.ts`, `export { default } from "./inner.ts";`);
  await Deno.writeTextFile(`${folder}/big/inner.ts`, `export default { name: "big", api: 1, setup() {} };`);
  await Deno.writeTextFile(`${folder}/broken.ts`, "export default {{{");
  await Deno.writeTextFile(`${folder}/_off.ts`, "throw new Error('must not run')");
  await Deno.writeTextFile(`${folder}/types.d.ts`, "nonsense");
  try {
    await using running = await start(API, { plugins: folder, dev: true });
    assert.deepEqual(running.kernel.host.names().sort(), ["big", "mine"]);
    assert.match(running.text, /ERR Plugin \S+\/broken\.ts was left out: /);
    assert.equal(await (await running.fetch("/api/mine")).text(), "one\n");
    await Deno.writeTextFile(`${folder}/mine.ts`, plugin("two"));
    let text = "";
    for (let i = 0; i < 200 && text !== "two\n"; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      text = await (await running.fetch("/api/mine")).text();
    }
    assert.equal(text, "two\n");
    await Deno.remove(`${folder}/mine.ts`);
    while (running.kernel.host.names().includes("mine")) await new Promise((resolve) => setTimeout(resolve, 20));
    const gone = await running.fetch("/api/mine");
    assert.equal(gone.status, 404);
    await gone.body?.cancel();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Kernel shows nothing of a private key that YAML has folded into one line", async () => {
  for (const fold of [">", ">-"]) {
    const output = new Output();
    const pem = ["-----BEGIN PRIVATE KEY-----", "MIISECRET", "-----END PRIVATE KEY-----"].map((one) => `    ${one}\n`);
    const config = `api:\n  listen: ""\n  tls_listen: "127.0.0.1:0"\n  tls_cert: |\n${
      pem.join("")
    }  tls_key: ${fold}\n`;
    const message = /Cannot read api\.tls_key: it is PEM text without line breaks, write it with "\|"/;
    await assert.rejects(start(config + pem.join(""), { output }), message);
    assert.match(output.text, message);
    assert.doesNotMatch(output.text, /SECRET/);
  }
});

Deno.test("Kernel serves HTTPS and a unix socket", async () => {
  const folder = await Deno.makeTempDir();
  const make = await new Deno.Command("openssl", {
    args: [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=localhost",
      "-days",
      "2",
      "-addext",
      "subjectAltName=DNS:localhost",
      "-keyout",
      `${folder}/key.pem`,
      "-out",
      `${folder}/cert.pem`,
    ],
    stderr: "null",
  }).output();
  assert.ok(make.success);
  const config =
    `api: {listen: '', tls_listen: '127.0.0.1:0', tls_cert: '${folder}/cert.pem', tls_key: '${folder}/key.pem', unix_listen: '${folder}/api.sock'}\n`;
  try {
    // A program that was killed leaves its socket behind.
    Deno.listen({ transport: "unix", path: `${folder}/api.sock` }).close();
    await using running = await start(config);
    const { port } = running.kernel.addresses[0]!;
    assert.match(running.text, new RegExp(`INF \\[api\\] tls listen addr=127.0.0.1:${port}\n`));
    assert.ok(running.text.includes(`INF [api] listen addr=${folder}/api.sock\n`));
    const get = async (...args: string[]) =>
      new TextDecoder().decode((await new Deno.Command("curl", { args: ["-s", ...args] }).output()).stdout);
    assert.match(await get("-k", `https://127.0.0.1:${port}/metrics`), /process_resident/);
    assert.match(await get("--unix-socket", `${folder}/api.sock`, "http://localhost/metrics"), /process_resident/);
    await running.kernel.stop();
    await assert.rejects(Deno.stat(`${folder}/api.sock`), Deno.errors.NotFound);
    await Deno.writeTextFile(`${folder}/api.sock`, "precious");
    await assert.rejects(start(config), /it is no socket, set api\.unix_listen to another path/);
    assert.equal(await Deno.readTextFile(`${folder}/api.sock`), "precious");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
