/** What the steps of a release share: where things are, what was compiled, and how programs are run. */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import deno from "../../deno.json" with { type: "json" };

/** The project's own folder. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** The version that is built. */
export const version: string = deno.version;

/** Where `compile` and `bundle` put what they make. */
export const dist: string = join(root, "dist");

/** Where what is published is put. */
export const release: string = join(dist, "release");

/** A program file of this version, for one system (`linux-arm64`) or for Node (`node`). */
export interface Built {
  readonly target: string;
  readonly path: string;
}

/** The program files of this version in a folder, by target. */
export async function builtFiles(folder: string): Promise<Built[]> {
  const found: Built[] = [];
  const prefix = `lenswire-${version}`;
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile) continue;
    const path = join(folder, name);
    if (name === `${prefix}.mjs`) found.push({ target: "node", path });
    const target = /^-((?:linux|windows|macos)-(?:x64|arm64))(?:\.exe)?$/.exec(name.slice(prefix.length))?.[1];
    if (name.startsWith(prefix) && target !== undefined) found.push({ target, path });
  }
  return found.sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** A fault that the one who builds can mend; its message says how. */
export class BuildError extends Error {}

/** Runs a program to its end and answers what it printed. Rejects with what it complained of. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args: [...args], stdin: "null", ...options }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new BuildError(`Cannot run "${program}": install it first`);
  }
  const decoder = new TextDecoder();
  if (output.success) return decoder.decode(output.stdout);
  const said = (decoder.decode(output.stderr) || decoder.decode(output.stdout)).trim();
  throw new BuildError(`"${program} ${args[0] ?? ""}" failed with code ${output.code}: ${said}`);
}

/** Copies a file to a place whose folders need not exist yet, with these permissions. */
export async function place(from: string, to: string, mode: number): Promise<void> {
  await Deno.mkdir(join(to, ".."), { recursive: true });
  await Deno.copyFile(from, to);
  await Deno.chmod(to, mode);
}

/** Writes a file to a place whose folders need not exist yet, with these permissions. */
export async function placeText(text: string, to: string, mode: number): Promise<void> {
  await Deno.mkdir(join(to, ".."), { recursive: true });
  await Deno.writeTextFile(to, text);
  await Deno.chmod(to, mode);
}

/** A path as it is told to a person. */
export function shown(path: string): string {
  return relative(Deno.cwd(), path) || ".";
}

/** Runs a step from the command line: a fault is told in one line. */
export async function step(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // What `parseArgs` does not understand is a TypeError.
    if (!(error instanceof BuildError) && !(error instanceof TypeError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}
