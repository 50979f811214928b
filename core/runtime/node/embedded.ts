/** Files that were put into the bundle. They have URLs of their own, which nothing but this folder knows. */
import { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import { brotliDecompressSync } from "node:zlib";
import { contents, type EmbeddedFile } from "./embedded_contents.ts";
import { errorWithCode } from "./errors.ts";

/** Whether a path is that of a file in the bundle. */
export function isEmbedded(path: string | URL): path is URL {
  return typeof path !== "string" && path.protocol === "embedded:";
}

/** What is known of a file in the bundle; throws an error that `isNotFound` knows when there is none. */
export function embeddedFile({ pathname }: URL): EmbeddedFile {
  const name = decodeURIComponent(pathname).slice(1);
  const file = Object.hasOwn(contents, name) ? contents[name] : undefined;
  if (!file) throw errorWithCode("ENOENT", `"${name}" is not in the bundle`);
  return file;
}

/** Reads a file out of the bundle: it is a comment at the bundle's end, so that it takes no memory until then. */
export function readEmbedded({ fromEnd, packedBytes }: EmbeddedFile): Uint8Array {
  const descriptor = openSync(fileURLToPath(import.meta.url), "r");
  try {
    const base64 = Buffer.alloc(packedBytes);
    let count = 0;
    while (count < packedBytes) {
      const at = fstatSync(descriptor).size - fromEnd + count;
      const taken = readSync(descriptor, base64, count, packedBytes - count, at);
      if (taken === 0) throw new Error("The bundle is cut off: get it anew");
      count += taken;
    }
    return new Uint8Array(brotliDecompressSync(Buffer.from(base64.toString("latin1"), "base64")));
  } finally {
    closeSync(descriptor);
  }
}

/** Runs a CommonJS module out of the bundle and answers its exports; for large packages that few need. */
export function embeddedModule(name: string): unknown {
  const code = new TextDecoder().decode(readEmbedded(embeddedFile(new URL(`embedded:/${name}`))));
  const module = { exports: {} };
  compileFunction(code, ["require", "module", "exports"], { filename: name })(
    createRequire(import.meta.url),
    module,
    module.exports,
  );
  return module.exports;
}
