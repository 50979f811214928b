import type { PluginDefinition } from "../../core/mod.ts";
import { process } from "../../core/mod.ts";

/** What it reads of the config: two keys of the section `api`. */
export interface WwwOptions {
  readonly api: { readonly static_dir: string; readonly base_path: string };
}

/** The schema of {@linkcode WwwOptions}. */
export const readOptions: NonNullable<PluginDefinition<WwwOptions>["config"]> = (z) =>
  z.object({
    api: z.object({ static_dir: z.string().default(""), base_path: z.string().default("") }).loose().prefault({}),
  }).prefault({});

/** A folder's path as a URL that ends in a slash; a relative one starts at the working folder. */
export function folderUrl(path: string): URL {
  const slashed = path.replaceAll("\\", "/");
  const isAbsolute = /^(\/|[A-Za-z]:\/)/.test(slashed);
  const whole = isAbsolute ? slashed : `${process.cwd().replaceAll("\\", "/")}/${slashed}`;
  const encoded = whole.split("/").map((part) => part.replace(/[^\w:.-]/gu, encodeURIComponent)).join("/");
  return new URL(`file://${encoded.startsWith("/") ? "" : "/"}${encoded.replace(/\/*$/, "/")}`);
}
