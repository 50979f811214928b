/**
 * Makes the program for machines where Deno does not run: one file for Node 20 and later, with the web pages and the
 * demo clip inside.
 *
 *     deno task bundle               # dist/lenswire-<version>.mjs
 *     deno task bundle --out folder
 */
import type { BuildOptions, Plugin } from "esbuild";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { brotliCompressSync } from "node:zlib";
import type { EmbeddedFile } from "../../core/runtime/node/embedded_contents.ts";
import deno from "../../deno.json" with { type: "json" };
import { BuildError, dist, root, shown, step, version } from "./dist.ts";
import { lateBuiltIns } from "./late_builtins.ts";
import { installPackages } from "./packages.ts";

/** What is promised of its size. */
export const MAX_BUNDLE_BYTES = 3 << 20;

// The first line lets a Unix start the file by itself; packages in CommonJS ask for built-in modules by `require`.
const BANNER = `#!/usr/bin/env node
import { createRequire as requireFrom } from "node:module";
const require = requireFrom(import.meta.url);
if (Number.parseInt(process.versions.node) < 20) {
  console.error("lenswire needs Node 20 or later, this is " + process.versions.node);
  process.exit(1);
}`;

// Few need them, and only after a while.
const EMBEDDED_PACKAGES = ["werift", "zod"];

/** What an idle program needs none of. */
const LATE = ["child_process", "crypto", "dns", "dns/promises", "http", "vm", "zlib"].map((name) => `node:${name}`);

/** Bundles the program for Node into a folder; answers the file's path. */
export async function bundleForNode(folder: string): Promise<string> {
  const path = join(folder, `lenswire-${version}.mjs`);
  const packages = await installPackages();
  const modules = join(packages, "node_modules");
  // Loaded only here: it starts a process of its own.
  const esbuild = await import("esbuild");
  try {
    const embedded = await embed(esbuild, [modules]);
    const built = await esbuild.build({
      ...SETTINGS,
      nodePaths: [modules],
      // Its build for browsers is the one in ES modules.
      alias: { yaml: join(modules, "yaml/browser/index.js") },
      // There are no files to choose from: the library is inside.
      define: { "import.meta.resolve": "undefined" },
      entryPoints: [join(root, "main.ts")],
      write: false,
      format: "esm",
      plugins: [nodeRuntime(embedded.contents), lateBuiltIns(LATE, "require"), builtInsByName()],
      banner: { js: BANNER },
    });
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(path, built.outputFiles[0]!.text + embedded.comment);
  } finally {
    await esbuild.stop();
    await Deno.remove(packages, { recursive: true });
  }
  await Deno.chmod(path, 0o755);
  return path;
}

/** Bundles a program without packages, with the runtime for Node in the place of Deno's; for tests of that. */
export async function bundleEntry(entry: string, path: string): Promise<void> {
  const esbuild = await import("esbuild");
  try {
    await esbuild.build({
      ...SETTINGS,
      entryPoints: [entry],
      outfile: path,
      format: "esm",
      plugins: [nodeRuntime({}), lateBuiltIns(LATE, "require"), builtInsByName()],
      banner: { js: BANNER },
    });
  } finally {
    await esbuild.stop();
  }
}

/** What both parts of the bundle are built with. */
const SETTINGS = {
  bundle: true,
  minify: true,
  platform: "node",
  target: "node20",
  charset: "ascii",
  legalComments: "none",
  logLevel: "error",
} as const satisfies BuildOptions;

/** Puts the runtime for Node in the place of Deno's. */
function nodeRuntime(contents: Readonly<Record<string, EmbeddedFile>>): Plugin {
  return {
    name: "node runtime",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const own = ownPath(path);
        if (own === "core/runtime/mod.ts") {
          return { contents: 'export * from "./node/mod.ts";', resolveDir: dirname(path) };
        }
        if (own === "core/runtime/node/embedded_contents.ts") {
          return { contents: `export const contents = ${JSON.stringify(contents)};` };
        }
        if (!own.startsWith("modules/")) return undefined;
        const text = await Deno.readTextFile(path);
        // Where it was in the source tree: what lies beside it is found in the bundle by the same relative address.
        return { contents: text.replaceAll("import.meta.url", JSON.stringify(`embedded:/${own}`)), loader: "ts" };
      });
      // What else it says is for Deno.
      build.onLoad({ filter: /[\\/]deno\.json$/ }, () => {
        const { name } = deno;
        return { contents: JSON.stringify({ name, version }), loader: "json" };
      });
      // Its messages in fifty languages, none of which is asked for.
      build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, ({ path }) => {
        return { contents: 'export { default as en } from "./en.js";', resolveDir: dirname(path) };
      });
      build.onResolve({ filter: new RegExp(`^(?:${EMBEDDED_PACKAGES.join("|")})$`) }, ({ path }) => {
        return { path, namespace: "embedded package" };
      });
      build.onLoad({ filter: /.*/, namespace: "embedded package" }, ({ path }) => ({
        contents: `module.exports = require("./embedded.ts").embeddedModule(${JSON.stringify(packagePath(path))});`,
        resolveDir: join(root, "core/runtime/node"),
      }));
    },
  };
}

function ownPath(path: string): string {
  return relative(root, path).replaceAll("\\", "/");
}

function packagePath(name: string): string {
  return `packages/${name}.cjs`;
}

/** The files that are read out of the bundle: a comment for its end, and where in it they are. */
async function embed(
  esbuild: typeof import("esbuild"),
  nodePaths: string[],
): Promise<{ comment: string; contents: Record<string, EmbeddedFile> }> {
  const files = await filesOfModules();
  for (const name of EMBEDDED_PACKAGES) {
    const stdin = { contents: `export * from "${name}";`, resolveDir: root };
    const built = await esbuild.build({ ...SETTINGS, nodePaths, stdin, format: "cjs", write: false });
    files.set(packagePath(name), built.outputFiles[0]!.contents);
  }
  const contents: Record<string, EmbeddedFile> = {};
  const end = "*/\n";
  let fromEnd = end.length;
  let comment = end;
  for (const [path, bytes] of files) {
    const packed = brotliCompressSync(bytes).toString("base64");
    fromEnd += packed.length + 1;
    contents[path] = { fromEnd, packedBytes: packed.length, bytes: bytes.length };
    comment = `${packed}\n${comment}`;
  }
  return { comment: `/*\n${comment}`, contents };
}

/**
 * Has built-in modules loaded by `require`: an `import` reads every name of one, and one of `node:http` brings 10 MB of a
 * web client along on Node 22.
 */
function builtInsByName(): Plugin {
  return {
    name: "built-ins by name",
    setup(build) {
      build.onResolve({ filter: /^[a-z_]+(?:\/[a-z]+)?$|^node:/ }, ({ path, namespace }) => {
        if (namespace === "built-in" || !isBuiltin(path)) return undefined;
        return { path: path.replace(/^(?:node:)?/, "node:"), namespace: "built-in" };
      });
      build.onLoad({ filter: /.*/, namespace: "built-in" }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(path)});`,
      }));
    },
  };
}

/** What modules read of the source tree, `new URL("…", import.meta.url)`, by path. */
async function filesOfModules(): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const path of await filesBelow(join(root, "modules"))) {
    if (!path.endsWith(".ts") || /(?:_test|testing)\.ts$/.test(path)) continue;
    for (const [, target] of (await Deno.readTextFile(path)).matchAll(/new URL\("([^"]+)", import\.meta\.url\)/g)) {
      const whole = join(dirname(path), target!);
      for (const file of target!.endsWith("/") ? await filesBelow(whole) : [whole]) {
        found.set(ownPath(file), await Deno.readFile(file));
      }
    }
  }
  return found;
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await filesBelow(path));
    else found.push(path);
  }
  return found.sort();
}

if (import.meta.main) {
  await step(async () => {
    const { out } = parseArgs({ options: { out: { type: "string", default: dist } } }).values;
    const path = await bundleForNode(out);
    const { size } = await Deno.stat(path);
    console.log(`${shown(path)}: ${(size / 1e6).toFixed(2)} MB`);
    if (size > MAX_BUNDLE_BYTES) {
      throw new BuildError(`That is more than the ${MAX_BUNDLE_BYTES} bytes that are promised`);
    }
  });
}
