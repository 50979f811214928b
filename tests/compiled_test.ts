/**
 * The program as one file. A file of the newest Deno needs the runtime that Deno fetches; here it is made by the tool that
 * `COMPILE_CHECK` names, with whatever runtime it has: it is called in the folder to compile, as
 * `tool ENTRY --output FILE -- FLAG…`, and ends with 2 when it has none.
 */
import assert from "node:assert/strict";
import deno from "../deno.json" with { type: "json" };
import { COMPILE_FLAGS } from "../scripts/build/compile.ts";
import { bundleForDeno, entry } from "../scripts/build/deno_bundle.ts";
import { MseClient } from "./e2e/mse_client.ts";
import { startServer } from "./support/server.ts";

const MAX_BYTES = 105e6;

const PLUGIN = `export default {
  name: "beside",
  api: 1,
  config: (z) => z.object({ answer: z.string().min(1).default("here") }),
  setup(ctx) {
    ctx.http.get("/api/beside", { summary: "A test", needs: "watch", camera: () => null, responses: { "200": "Here" } },
      () => new Response(ctx.config.answer));
  },
};
`;

const decoder = new TextDecoder();
const folder = await Deno.makeTempDir({ prefix: "lenswire-compiled-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const { outputs } = await bundleForDeno(`${folder}/bundle`);
const file = `${folder}/lenswire`;
const missing = await compile();

/** Compiles the bundle, and takes it away so that nothing is found there by accident; answers what is missing for that. */
async function compile(): Promise<string | undefined> {
  const tool = Deno.env.get("COMPILE_CHECK");
  if (!tool) return "COMPILE_CHECK";
  const args = [entry, "--output", file, "--", ...COMPILE_FLAGS];
  const cwd = `${folder}/bundle`;
  const { code, stdout, stderr } = await new Deno.Command(tool, { args, cwd, stdin: "null" }).output();
  if (code === 2) return "runtime to compile with";
  assert.equal(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
  await Deno.remove(cwd, { recursive: true });
  return undefined;
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (skipped: no ${missing})` : name, ignore: missing !== undefined, fn });
}

Deno.test("The bundle loads no large package but when it is asked for by itself", () => {
  const large = (path: string) => Object.keys(outputs[path]?.inputs ?? {}).some((input) => input.endsWith(":werift"));
  const parts = Object.entries(outputs).filter(([path]) => !large(path));
  const loads = (kind: string) =>
    parts.flatMap(([path, { imports }]) =>
      imports.filter((one) => one.kind === kind && large(one.path)).map(() => path)
    );
  assert.deepEqual(loads("import-statement"), []);
  assert.equal(loads("dynamic-import").length, 1);
});

test("The compiled file says its version, and is not larger than promised", async () => {
  const { stdout } = await new Deno.Command(file, { args: ["--version"], stdin: "null" }).output();
  assert.equal(decoder.decode(stdout), `lenswire ${deno.version}\n`);
  const { size } = await Deno.stat(file);
  assert.ok(size <= MAX_BYTES, `${size} bytes`);
});

test("The compiled file serves pages and pictures, and leaves no file behind", async () => {
  const temporary = await Deno.makeTempDir();
  {
    const env = { TMPDIR: temporary };
    await using server = await startServer({ command: [file], env, config: 'streams:\n  cam: "demo:"\n' });
    assert.equal((await server.json<{ version: string }>("/api")).version, "1.9.14");
    const page = await server.fetch("/stream.html");
    assert.match(await page.text(), /pages\/stream\.js/);
    await using viewer = new MseClient(server.api, "src=cam");
    await viewer.more(10);
  }
  assert.deepEqual([...Deno.readDirSync(temporary)], []);
  await Deno.remove(temporary);
});

test("The compiled file takes config and plugins that lie beside it", async () => {
  const home = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${home}/go2rtc.yaml`,
    'api: {listen: "127.0.0.1:0"}\nrtsp: {listen: ""}\nwebrtc: {listen: ""}\n',
  );
  await Deno.mkdir(`${home}/plugins`);
  await Deno.writeTextFile(`${home}/plugins/beside.js`, PLUGIN);
  await Deno.writeTextFile(
    `${home}/plugins/typed.ts`,
    PLUGIN.replaceAll("beside", "typed").replace("ctx)", "ctx: never)"),
  );
  {
    Deno.linkSync(file, `${home}/lenswire`);
    await using server = await startServer({ command: [`${home}/lenswire`], isBare: true, hasNoConfig: true });
    await server.line(new RegExp(`config path=${home}/go2rtc.yaml`));
    const [, address] = /\[api\] listen addr=(\S+)/.exec(await server.line(/\[api\] listen/))!;
    assert.equal(await (await fetch(`http://${address}/api/beside`)).text(), "here");
    // Whether it can be loaded depends on the runtime; if not, the log says what to do.
    const typed = await fetch(`http://${address}/api/typed`);
    if (await typed.text() !== "here") {
      await server.line(/typed\.ts was left out: .* imports no TypeScript: make JavaScript/);
    }
  }
  await Deno.remove(home, { recursive: true });
});

test("Players see pictures of the compiled file as they do of the source", async () => {
  const names = [
    "A start without a config listens at once and shows the demo",
    "A camera is shown by Chromium, with its sound",
    "Chromium plays a stream over WHEP with picture and sound",
  ];
  const files = ["start_and_stop", "players", "webrtc_chromium"].map((name) => `tests/e2e/${name}_test.ts`);
  const args = ["test", "-A", "--unstable-net", "--no-check", `--filter=/${names.join("|")}/`, ...files];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args,
    env: { LENSWIRE_COMMAND: file, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = decoder.decode(stdout);
  assert.equal(code, 0, said);
  const [, passed, ignored = "0"] = /\| (\d+) passed.*?\| 0 failed(?: \| (\d+) ignored)?/.exec(said)!;
  assert.equal(Number(passed) + Number(ignored), names.length, said);
});
