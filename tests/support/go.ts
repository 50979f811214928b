/** Programs in Go that tests build: pion as a peer. */
import { cached, hashOf } from "./cache.ts";
import { hasProgram, run } from "./processes.ts";

const FOLDER = new URL("./pion/", import.meta.url).pathname;
const FILES = ["main.go", "go.mod", "go.sum"];
/** The modules come over the network the first time. */
const LIMIT_S = 120;

let pion: Promise<string | undefined> | undefined;

/** The program in `pion/`, built; `undefined` when that cannot be done. */
export function pionPeer(): Promise<string | undefined> {
  return pion ??= build();
}

async function build(): Promise<string | undefined> {
  if (!await hasProgram("go", "version")) return undefined;
  const texts = await Promise.all(FILES.map((file) => Deno.readTextFile(FOLDER + file)));
  return await cached(
    `pion-${await hashOf(texts)}`,
    async (path) => (await Deno.stat(path).catch(() => undefined))?.isFile ?? false,
    async (path) => {
      const args = ["build", "-trimpath", "-mod=readonly", "-buildvcs=false", "-o", path, "."];
      return (await run("go", args, { cwd: FOLDER, limitS: LIMIT_S })).code === 0;
    },
  );
}
