/** Plugins in TypeScript where the runtime imports only JavaScript: compiled files before Deno 2.8.2, Node before 22.18. */
import { basename } from "node:path";
import { files, process } from "../runtime/mod.ts";

/**
 * Imports a TypeScript file without its types. Types alone may be imported in it: it has no address of its own from which
 * others could be found. Rejects with what to do where the runtime cannot take the types out.
 */
export async function importWithoutTypes(path: string): Promise<{ readonly default: unknown }> {
  const { stripTypeScriptTypes } = await import("node:module") as {
    readonly stripTypeScriptTypes?: (source: string) => string;
  };
  const source = await files.readText(path);
  if (!stripTypeScriptTypes) throw new TypeError(obstacle(path));
  return await import(`data:text/javascript,${encodeURIComponent(stripTypeScriptTypes(source))}`);
}

function obstacle(path: string): string {
  const name = basename(path, ".ts");
  return `this program's runtime (${process.runtimeVersion}) imports no TypeScript: make JavaScript of it with ` +
    `"npx -y deno transpile ${name}.ts -o ${name}.js" and take the .ts out of the folder`;
}
