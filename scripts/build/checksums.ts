/**
 * Writes the SHA-256 sums of what is published, in the form of `sha256sum`.
 *
 *     deno task checksums     # dist/release/SHA256SUMS
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { release, shown, step } from "./dist.ts";

const NAME = "SHA256SUMS";

/** Sums up every file of a folder into its file `SHA256SUMS`, and answers that one's path. */
export async function writeChecksums(folder: string): Promise<string> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) if (isFile && name !== NAME) names.push(name);
  const lines: string[] = [];
  for (const name of names.sort()) lines.push(`${await sha256(join(folder, name))}  ${name}\n`);
  const path = join(folder, NAME);
  await Deno.writeTextFile(path, lines.join(""));
  return path;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const chunk of file.readable) hash.update(chunk);
  return hash.digest("hex");
}

if (import.meta.main) {
  await step(async () => {
    const path = await writeChecksums(release);
    console.log(`${shown(path)}:\n${await Deno.readTextFile(path)}`);
  });
}
