import { relative, resolve } from "node:path";

/** Where a part of the config comes from: a file, or the text of a `-c` value. */
export type Origin =
  | { readonly kind: "file"; readonly path: string; readonly shownAs: string }
  | { readonly kind: "inline"; readonly text: string; readonly shownAs: string };

/** The files that are looked for when there is no `-c`; the first is made when something is to be saved. */
const DEFAULT_FILES = ["lenswire.yaml", "go2rtc.yaml"] as const;

/**
 * Reads the `-c` values (contract §1.2). `exists` is asked for the default files only: those in the folder, then those
 * in the program's own.
 */
export async function readOrigins(
  values: readonly string[],
  folder: string,
  exists: (path: string) => Promise<boolean>,
  programFolder?: string,
): Promise<Origin[]> {
  if (values.length === 0) {
    return [fileOrigin(await defaultFile([folder, ...programFolder ? [programFolder] : []], exists), folder)];
  }
  return values.flatMap((value) => {
    if (value === "") return [];
    if (value.startsWith("{")) return [{ kind: "inline", text: value, shownAs: "-c" }];
    const assigned = assignment(value);
    return [assigned === undefined ? fileOrigin(value, folder) : { kind: "inline", text: assigned, shownAs: "-c" }];
  });
}

async function defaultFile(folders: readonly string[], exists: (path: string) => Promise<boolean>): Promise<string> {
  for (const folder of folders) {
    for (const name of DEFAULT_FILES) {
      const path = resolve(folder, name);
      if (await exists(path)) return path;
    }
  }
  return DEFAULT_FILES[0];
}

function fileOrigin(path: string, folder: string): Origin {
  const absolute = resolve(folder, path);
  const near = relative(folder, absolute);
  return { kind: "file", path: absolute, shownAs: near !== "" && !near.startsWith("..") ? near : absolute };
}

// `a.b=value` as the YAML of `{a: {b: value}}`, written in lines so that the value may be anything.
function assignment(value: string): string | undefined {
  const cut = value.indexOf("=");
  const keys = value.slice(0, cut).split(".");
  if (cut < 0 || keys.length < 2) return undefined;
  const heads = keys.map((key, i) => `${" ".repeat(i)}${JSON.stringify(key)}:`);
  const margin = " ".repeat(keys.length);
  return [...heads, ...value.slice(cut + 1).split("\n").map((line) => margin + line)].join("\n");
}
