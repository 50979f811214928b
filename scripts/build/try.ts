/**
 * Runs program files as a user would, in an empty folder: `--version`, then the server until it answers, then its end.
 *
 *     deno task try                 # the files in dist that this machine can run
 *     deno task try FILE...
 */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { BuildError, builtFiles, dist, run, shown, step, version } from "./dist.ts";
import { ownTarget } from "./targets.ts";

const LISTENS = /\[api\] listen addr=(\S+)/;
const LIMIT_MS = 30_000;

/** Rejects when a program file does not do what it should; answers how long it took to listen, in milliseconds. */
export async function tryFile(file: string): Promise<number> {
  const [program, ...args] = file.endsWith(".mjs") ? ["node", file] : [file];
  assert.equal((await run(program!, [...args, "--version"])).trim(), `lenswire ${version}`);
  const folder = await Deno.makeTempDir({ prefix: "lenswire-try-" });
  const startedMs = performance.now();
  const child = new Deno.Command(program!, {
    args: [...args, "-c", "{api: {listen: '127.0.0.1:0'}, rtsp: {listen: ''}, webrtc: {listen: ''}}"],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  let text = "";
  let tookMs: number | undefined;
  try {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      const address = LISTENS.exec(text)?.[1];
      if (tookMs !== undefined || address === undefined) continue;
      tookMs = performance.now() - startedMs;
      assert.equal((await (await fetch(`http://${address}/api`)).json()).lenswire, version);
      // Windows has no signal that asks.
      child.kill(Deno.build.os === "windows" ? "SIGKILL" : "SIGTERM");
    }
    const { code } = await child.status;
    if (tookMs === undefined) throw new BuildError(`"${file}" did not begin to listen:\n${text}`);
    if (Deno.build.os !== "windows") assert.equal(code, 0, text);
    return tookMs;
  } finally {
    clearTimeout(timer);
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  await step(async () => {
    const all = Deno.args.length > 0 ? [] : await builtFiles(dist);
    const found = all.filter(({ target }) => target === ownTarget?.name || target === "node").map(({ path }) => path);
    const files = Deno.args.length > 0 ? Deno.args.map((file) => resolve(file)) : found;
    if (files.length === 0) {
      throw new BuildError(`Nothing in dist runs on ${Deno.build.target}: run "deno task compile"`);
    }
    for (const file of files) {
      console.log(`${shown(file)}: answers, ${Math.round(await tryFile(file))} ms after its start`);
    }
  });
}
