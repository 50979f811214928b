import { type core, safeParse } from "zod/mini";
import { messageOf } from "../../util/errors.ts";
import { type ConfigPath, conform } from "./conform.ts";
import { describeIssue } from "./issue.ts";
import { type ConfigPlace, type ConfigProblem, nearest } from "./problem.ts";

/** A section after validation: with its defaults, or off. Problems of an accepted section are what was left out of it. */
export type Validated<T> =
  | { readonly ok: true; readonly value: T; readonly problems: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Where things of a section are in the files. */
export interface SectionSource {
  placeOf(path: ConfigPath): ConfigPlace | undefined;
  sourceOf(path: ConfigPath): string | undefined;
}

/** Checks a section against its schema. An unknown key is a warning and left out; a wrong value turns the section off. */
export function validateSection<T>(
  section: string,
  value: unknown,
  schema: core.$ZodType<T>,
  source: SectionSource,
): Validated<T> {
  const problems: ConfigProblem[] = [];
  const report = (level: ConfigProblem["level"], path: ConfigPath, message: string) => {
    const full = [section, ...path];
    const place = source.placeOf(full);
    problems.push({ level, section, path: full.join("."), message, ...(place ? { place } : {}) });
  };
  const data = conform(schema, value ?? {}, [], {
    sourceOf: (path) => source.sourceOf([section, ...path]),
    onUnknownKey(path, known) {
      const meant = nearest(String(path.at(-1)), known);
      report("warn", path, meant ? `unknown key, did you mean "${meant}"?` : "unknown key");
    },
  });
  try {
    const result = safeParse(schema, data);
    if (result.success) return { ok: true, value: result.data, problems };
    for (const issue of result.error.issues) {
      report("error", pathOf(issue), describeIssue(issue, itemAt(data, issue.path)));
    }
  } catch (error) {
    report("error", [], `cannot be checked: ${messageOf(error)}`);
  }
  return { ok: false, problems };
}

function pathOf(issue: core.$ZodIssue): ConfigPath {
  return issue.path.map((step) => typeof step === "number" ? step : String(step));
}

function itemAt(value: unknown, path: readonly PropertyKey[]): unknown {
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[step];
  }
  return value;
}
