/** The npm packages as a bundler finds them. */
import { join } from "node:path";
import { BuildError, root, run } from "./dist.ts";

/** Installs the packages of the lock file into a new folder, which the caller removes: Deno itself does without one. */
export async function installPackages(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-packages-" });
  for (const name of ["deno.json", "deno.lock"]) await Deno.copyFile(join(root, name), join(folder, name));
  try {
    await run(Deno.execPath(), ["install", "--quiet", "--node-modules-dir=auto", "--frozen"], { cwd: folder });
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    if (!(error instanceof BuildError)) throw error;
    throw new BuildError(`Cannot install the packages that are bundled: ${error.message}`);
  }
  return folder;
}
