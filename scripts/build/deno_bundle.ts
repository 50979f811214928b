/**
 * Makes the folder that is compiled into one file: the program bundled in parts, each loaded when it is first used, and
 * beside them the web pages and the demo clip. `deno run` starts it too, faster and smaller than the source.
 *
 *     deno run -A scripts/build/deno_bundle.ts            # build/
 */
import type { Metafile, Plugin } from "esbuild";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import deno from "../../deno.json" with { type: "json" };
import { root, shown, step, version } from "./dist.ts";
import { lateBuiltIns } from "./late_builtins.ts";
import { installPackages } from "./packages.ts";

/** The folder that is compiled. */
export const buildFolder: string = join(root, "build");

/** The file in it that starts the program. */
export const entry = "main.js";

/** The packages in CommonJS ask for built-in modules only; the runtime's own `require` would be loaded at every start. */
const BANNER = `const require = (name) => process.getBuiltinModule(name);`;

/** An idle program needs none of these built-in modules, and is 4 MB smaller without. */
const LATE = ["node:crypto", "node:dns/promises"];

/** Fills a folder, which is emptied first; answers what is in each part, and which loads which. */
export async function bundleForDeno(folder: string): Promise<Metafile> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  const packages = await installPackages();
  // Loaded only here: it starts a process of its own.
  const esbuild = await import("esbuild");
  const assets = new Set<string>();
  let parts: Metafile;
  try {
    const { metafile } = await esbuild.build({
      entryPoints: [join(root, "main.ts")],
      outdir: folder,
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "esnext",
      // What is left out is read at every start; names stay, for those who read a stack trace.
      minifyWhitespace: true,
      minifySyntax: true,
      lineLimit: 160,
      charset: "ascii",
      legalComments: "none",
      logLevel: "error",
      metafile: true,
      banner: { js: BANNER },
      nodePaths: [join(packages, "node_modules")],
      // Its build for browsers is the one in ES modules.
      alias: { yaml: join(packages, "node_modules/yaml/browser/index.js") },
      // There are no files to choose from: the library is inside.
      define: { "import.meta.resolve": "undefined" },
      plugins: [
        flatFolder(assets),
        lateBuiltIns(LATE, "process.getBuiltinModule"),
        smallPackages(),
        partsOfTheirOwn(["werift", "zod"]),
      ],
    });
    parts = metafile;
    for (const output of Object.keys(metafile.outputs)) await loadLate(output);
  } finally {
    await esbuild.stop();
    await Deno.remove(packages, { recursive: true });
  }
  // What `deno run` and `deno compile` read there, instead of the project's own.
  await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify({ version, unstable: deno.unstable }));
  for (const path of assets) await copy(join(root, path), join(folder, path));
  return parts;
}

/**
 * The runtime reads at every start, and keeps, what an `import()` names: werift's megabyte for one. It cannot do so with a
 * name that has to be computed.
 */
async function loadLate(path: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replaceAll(/\bimport\(("\.\/[^"]+")\)/g, "import([$1][0])"));
}

/**
 * All parts lie in one folder: what a module finds by its own address is below that, where it is in the source tree.
 * Collects what that is.
 */
function flatFolder(assets: Set<string>): Plugin {
  return {
    name: "flat folder",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const own = relative(root, path).replaceAll("\\", "/");
        // What is in the project's own folder is in that of the bundle.
        if (!/^\w+\//.test(own)) return undefined;
        const text = await Deno.readTextFile(path);
        for (const [, asset] of text.matchAll(/new URL\("([^"]+)", import\.meta\.url\)/g)) {
          assets.add(join(dirname(own), asset!));
        }
        const address = `new URL(${JSON.stringify(own)}, import.meta.url).href`;
        return { contents: text.replaceAll("import.meta.url", address), loader: "ts" };
      });
      build.onLoad({ filter: /[\\/]deno\.json$/ }, () => ({ contents: JSON.stringify({ version }), loader: "json" }));
    },
  };
}

/** Leaves out of the packages what the program never uses. */
function smallPackages(): Plugin {
  return {
    name: "small packages",
    setup(build) {
      // zod's messages in fifty languages.
      build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
        contents: 'export { default as en } from "./en.js";',
      }));
      // Deno knows the built-in modules by their full names alone.
      build.onResolve(
        { filter: /^[a-z_]+(?:\/promises)?$/ },
        ({ path }) => isBuiltin(path) ? { path: `node:${path}`, external: true } : undefined,
      );
    },
  };
}

/**
 * Bundles each of these packages by itself where it is imported late. zod shares its core with `zod/mini`, which every
 * start loads, and would make that as large as it needs it. Names become short, for a compiled program holds all of its
 * file in memory.
 */
function partsOfTheirOwn(names: readonly string[]): Plugin {
  return {
    name: "parts of their own",
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(?:${names.join("|")})$`) }, ({ path, kind }) => {
        return kind === "dynamic-import" ? { path, namespace: "part of its own" } : undefined;
      });
      build.onLoad({ filter: /./, namespace: "part of its own" }, async ({ path }) => {
        const { entryPoints: _, outdir: _folder, splitting: _splits, metafile: _parts, banner: _first, ...settings } =
          build.initialOptions;
        const built = await build.esbuild.build({
          ...settings,
          stdin: { contents: `export * from "${path}";`, resolveDir: root },
          plugins: [smallPackages()],
          minifyIdentifiers: true,
          write: false,
        });
        return { contents: built.outputFiles[0]!.text };
      });
    },
  };
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.copyFile(from, to);
    return;
  }
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

if (import.meta.main) {
  await step(async () => {
    await bundleForDeno(buildFolder);
    console.log(shown(join(buildFolder, entry)));
  });
}
