/**
 * Makes everything that is published from the program files in `dist`: archives, Debian packages, `install.sh` that knows
 * where it comes from, and their sums.
 *
 *     deno task release                            # into dist/release
 *     deno task release --repository owner/name    # on GitHub; $GITHUB_REPOSITORY is the default
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeArchives } from "./archives.ts";
import { writeChecksums } from "./checksums.ts";
import { makeDebs } from "./deb.ts";
import { BuildError, builtFiles, dist, place, placeText, release, root, shown, step } from "./dist.ts";

/** Fills a folder with all that is published; what was in it goes. */
export async function makeRelease(from: string, out: string, repository: string | undefined): Promise<string[]> {
  await Deno.remove(out, { recursive: true }).catch(() => {/* There was none. */});
  const made = [...await makeArchives(from, out), ...await makeDebs(from, out)];
  for (const { target, path } of await builtFiles(from)) {
    if (target !== "node") continue;
    const bundle = join(out, path.split(/[\\/]/).at(-1)!);
    await place(path, bundle, 0o755);
    made.push(bundle);
  }
  const script = join(out, "install.sh");
  await placeText(await installScript(repository), script, 0o755);
  return [...made, script, await writeChecksums(out)];
}

/** The installation script, told the repository whose releases it takes. */
export async function installScript(repository: string | undefined): Promise<string> {
  const text = await Deno.readTextFile(join(root, "packaging/install.sh"));
  if (repository === undefined) return text;
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository)) throw new BuildError(`"${repository}" is no repository: give owner/name`);
  const stamped = text.replace(/^repository=''$/m, `repository='${repository}'`);
  if (stamped === text) throw new Error("packaging/install.sh has no line \"repository=''\"");
  return stamped;
}

if (import.meta.main) {
  await step(async () => {
    const { values } = parseArgs({ args: Deno.args, options: { repository: { type: "string" } } });
    const made = await makeRelease(dist, release, values.repository ?? Deno.env.get("GITHUB_REPOSITORY"));
    for (const path of made) console.log(`${shown(path)}: ${((await Deno.stat(path)).size / 1e6).toFixed(1)} MB`);
  });
}
