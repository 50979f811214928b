import type { Plugin } from "esbuild";
import { relative } from "node:path";
import { root } from "./dist.ts";

/**
 * Has the program's own files load these built-in modules when one of their functions is first called, by what `load` names
 * in the bundle. They may import nothing else of them.
 */
export function lateBuiltIns(modules: readonly string[], load: string): Plugin {
  return {
    name: "late built-in modules",
    setup(build) {
      build.onResolve({ filter: /^node:/ }, ({ path, importer, namespace, kind }) => {
        const isOurs = modules.includes(path) && kind === "import-statement" && namespace === "file" &&
          !relative(root, importer).startsWith("..");
        return isOurs ? { path, namespace: "late" } : undefined;
      });
      build.onLoad({ filter: /./, namespace: "late" }, async ({ path }) => {
        const functions = Object.entries(await import(path)).filter(([, value]) => typeof value === "function");
        const exports = functions.filter(([name]) => name !== "default").map(([name]) =>
          `export function ${name}(...args) {
            return new.target ? new (load().${name})(...args) : load().${name}(...args);
          }`
        );
        const first = `let loaded; const load = () => loaded ??= ${load}(${JSON.stringify(path)});`;
        return { contents: [first, ...exports].join("\n") };
      });
    },
  };
}
