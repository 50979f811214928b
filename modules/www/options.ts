import { type ConfigSchema, process } from "../../core/mod.ts";
import * as z from "zod/mini";

/** What it reads of the config: two keys of the section `api`. */
export interface WwwOptions {
  readonly api: { readonly static_dir: string; readonly base_path: string };
}

/** The schema of {@linkcode WwwOptions}. */
export const wwwSchema: ConfigSchema<WwwOptions> = z.prefault(
  z.object({
    api: z.prefault(
      z.looseObject({ static_dir: z._default(z.string(), ""), base_path: z._default(z.string(), "") }),
      {},
    ),
  }),
  {},
);

/** A folder's path as a URL that ends in a slash; a relative one starts at the working folder. */
export function folderUrl(path: string): URL {
  const slashed = path.replaceAll("\\", "/");
  const isAbsolute = /^(\/|[A-Za-z]:\/)/.test(slashed);
  const whole = isAbsolute ? slashed : `${process.cwd().replaceAll("\\", "/")}/${slashed}`;
  const encoded = whole.split("/").map((part) => part.replace(/[^\w:.-]/gu, encodeURIComponent)).join("/");
  return new URL(`file://${encoded.startsWith("/") ? "" : "/"}${encoded.replace(/\/*$/, "/")}`);
}
