/**
 * Packs each program file in `dist` with what belongs beside it: a folder for plugins, an example config, the licence and,
 * for Linux, the service. Needs GNU `tar`, and `zip` for Windows.
 *
 *     deno task archives     # dist/release/lenswire-<version>-linux-x64.tar.gz …
 */
import { join } from "node:path";
import {
  BuildError,
  type Built,
  builtFiles,
  dist,
  place,
  placeText,
  release,
  root,
  run,
  shown,
  step,
  version,
} from "./dist.ts";
import { unitForNode } from "./unit.ts";

/** Packs one program file into a folder and answers the archive's path. */
export async function makeArchive({ target, path }: Built, out: string): Promise<string> {
  const isWindows = target.startsWith("windows-");
  const name = `lenswire-${version}-${target}`;
  const temporary = await Deno.makeTempDir({ prefix: "lenswire-archive-" });
  try {
    const folder = join(temporary, name);
    const program = target === "node" ? "lenswire.mjs" : isWindows ? "lenswire.exe" : "lenswire";
    await place(path, join(folder, program), 0o755);
    await place(join(root, "LICENSE"), join(folder, "LICENSE"), 0o644);
    await place(join(root, "packaging/lenswire.yaml"), join(folder, "lenswire.example.yaml"), 0o644);
    // An underscore hides it: it is loaded once it is renamed.
    await place(join(root, "plugins/example.ts"), join(folder, "plugins/_example.ts"), 0o644);
    const unit = await Deno.readTextFile(join(root, "packaging/systemd/lenswire.service"));
    if (target === "node") await placeText(unitForNode(unit), join(folder, "lenswire.service"), 0o644);
    if (target.startsWith("linux-")) await placeText(unit, join(folder, "lenswire.service"), 0o644);
    await Deno.mkdir(out, { recursive: true });
    const archive = join(out, `${name}.${isWindows ? "zip" : "tar.gz"}`);
    await Deno.remove(archive).catch(() => {/* There was none. */});
    if (isWindows) await run("zip", ["-q", "-r", "-X", archive, name], { cwd: temporary });
    else {await run("tar", ["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--file", archive, name], {
        cwd: temporary,
      });}
    return archive;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** Packs every program file of a folder; answers the archives' paths. */
export async function makeArchives(from: string, out: string): Promise<string[]> {
  const found = await builtFiles(from);
  if (found.length === 0) {
    throw new BuildError(
      `No program file of ${version} in "${from}": run "deno task compile:all" and "deno task bundle"`,
    );
  }
  const made: string[] = [];
  for (const built of found) made.push(await makeArchive(built, out));
  return made;
}

if (import.meta.main) {
  await step(async () => {
    for (const path of await makeArchives(dist, release)) {
      console.log(`${shown(path)}: ${((await Deno.stat(path)).size / 1e6).toFixed(1)} MB`);
    }
  });
}
