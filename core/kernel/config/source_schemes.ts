import { parseSourceUrl } from "../../net/source_url.ts";
import { nearest } from "./problem.ts";

/** A source in the config that nobody can open. */
export interface OddSource {
  /** The keys that lead to it. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Finds the sources of the section `streams` that are of none of the schemes `known`. Anything else is passed over. */
export function oddSources(streams: unknown, known: readonly string[]): OddSource[] {
  if (!isMap(streams)) return [];
  return Object.entries(streams).flatMap(([name, entry]) => oddIn(entry, ["streams", name], known));
}

function oddIn(entry: unknown, path: readonly (string | number)[], known: readonly string[]): OddSource[] {
  if (Array.isArray(entry)) return entry.flatMap((item, i) => isMap(item) ? [] : oddIn(item, [...path, i], known));
  if (isMap(entry)) return oddIn(entry.url, [...path, "url"], known);
  if (typeof entry !== "string" || entry.trim() === "") return [];
  const { scheme } = parseSourceUrl(entry);
  if (known.includes(scheme)) return [];
  // Only what looks like a scheme is shown: anything else may be a part of a password.
  if (!/^[a-z][a-z\d+-]{0,31}$/i.test(scheme)) {
    return [{ path, message: 'this is no address of a source, it begins with a scheme like "rtsp:"' }];
  }
  const meant = nearest(scheme, known);
  const hint = meant ? `did you mean "${meant}:"?` : "so this source is passed over";
  return [{ path, message: `no loaded module opens "${scheme}:", ${hint}` }];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a section is what belongs below `streams`: a source, or a list of such. */
export function isLikeStream(section: unknown): boolean {
  const first: unknown = Array.isArray(section) ? section[0] : section;
  return typeof first === "string" && /^[a-z][a-z\d+-]*:/i.test(first);
}
