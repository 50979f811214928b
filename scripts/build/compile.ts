/**
 * Makes the program files: the bundle with a Deno runtime, one file for each system.
 *
 *     deno task compile                         # dist/lenswire-<version>-<system>, for this machine
 *     deno task compile:all                     # for all systems
 *     deno task compile --target linux-arm64    # for another; may be repeated
 *
 * Deno fetches the runtime of each system once. Without a network, lay `denort-<triple>.zip` of Deno's release into
 * `$DENO_DIR/dl/release/v<version>/`, or name an unpacked `denort` for this machine in `DENORT_BIN`.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { buildFolder, bundleForDeno, entry } from "./deno_bundle.ts";
import { BuildError, dist, run, shown, step, version } from "./dist.ts";
import { fileName, ownTarget, type Target, targets } from "./targets.ts";

/** What a program file may do and how it runs is settled here: whoever starts it cannot change that. */
export const COMPILE_FLAGS: readonly string[] = [
  // Who may do what is up to the config; there is nobody to answer a prompt.
  "-A",
  "--no-prompt",
  // It gained nothing, and would leave a file in the temporary folder.
  "--no-code-cache",
  "--no-lock",
  "--include=.",
  // An idle program gives its garbage back (core/runtime/freed_memory.ts).
  "--v8-flags=--expose-gc",
];

/** Compiles what `bundleForDeno` made into one file; no file is left when it is not the program. */
export async function compile(bundle: string, target: Target, output: string): Promise<void> {
  await Deno.remove(output).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await checkRuntime(target);
  const args = [
    "compile",
    "--quiet",
    "--no-check",
    ...COMPILE_FLAGS,
    "--target",
    target.triple,
    "--output",
    output,
    entry,
  ];
  try {
    await run(Deno.execPath(), args, { cwd: bundle, env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" } });
  } catch (error) {
    if (error instanceof BuildError && /denort|base binary/i.test(error.message)) {
      throw new BuildError(await withoutRuntime(target, reasonOf(error.message)));
    }
    throw error;
  }
  if (target === ownTarget) await checkProgram(output);
}

// With the `deno` command in the place of its runtime, everything goes well until the file is started: it is a prompt then.
async function checkRuntime(target: Target): Promise<void> {
  const runtime = Deno.env.get("DENORT_BIN");
  if (!runtime) return;
  if (target !== ownTarget) {
    throw new BuildError(`DENORT_BIN is a runtime for this machine: unset it to compile for ${target.name}`);
  }
  if (/^deno \d/.test(await run(runtime, ["--version"]).catch(() => ""))) {
    throw new BuildError(`DENORT_BIN is "${runtime}", which is the deno command: it has to be denort`);
  }
}

function reasonOf(message: string): string {
  const cause = /^\s*(?:\d+: )?(error sending request.*|.*denort.*)$/m.exec(message)?.[1] ?? message.split("\n")[0]!;
  return cause.replace(/: client error.*/, "").trim();
}

async function withoutRuntime({ name, triple }: Target, reason: string): Promise<string> {
  const { denoDir } = JSON.parse(await run(Deno.execPath(), ["info", "--json"])) as { denoDir: string };
  const folder = join(denoDir, "dl", "release", `v${Deno.version.deno}`);
  return `Cannot get the runtime for ${name} (${reason}): lay "denort-${triple}.zip" of Deno's release ` +
    `${Deno.version.deno} into "${folder}", or name an unpacked denort for this machine in DENORT_BIN`;
}

/** Starts a program file: it must say its version, as nothing but the program does. Removes it when it does not. */
async function checkProgram(path: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  let said: string;
  try {
    said = (await run(path, ["--version"], { cwd: folder })).trim();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    said = error.message.split("\n")[0]!;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  if (said === `lenswire ${version}`) return;
  await Deno.remove(path);
  throw new BuildError(
    `"${shown(path)}" was removed, since it is not the program: asked for its version, it said: ${said}`,
  );
}

function chosen(values: { readonly all?: boolean; readonly target?: readonly string[] }): readonly Target[] {
  if (values.all) return targets;
  if (values.target) {
    return values.target.map((name) => {
      const target = targets.find((one) => one.name === name);
      if (target) return target;
      throw new BuildError(`Unknown target "${name}": one of ${targets.map((one) => one.name).join(", ")}`);
    });
  }
  if (ownTarget) return [ownTarget];
  throw new BuildError(`Deno has no runtime for ${Deno.build.target}: make the file for Node with "deno task bundle"`);
}

if (import.meta.main) {
  await step(async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        all: { type: "boolean" },
        target: { type: "string", multiple: true },
        out: { type: "string", default: dist },
      },
    });
    const wanted = chosen(values);
    await bundleForDeno(buildFolder);
    await Deno.mkdir(values.out, { recursive: true });
    for (const target of wanted) {
      const path = join(values.out, fileName(version, target));
      await compile(buildFolder, target, path);
      console.log(`${shown(path)}: ${((await Deno.stat(path)).size / 1e6).toFixed(1)} MB`);
    }
  });
}
