import { safeParse } from "zod/mini";
import type { Logger } from "../util/logger.ts";
import { type Config, type ConfigProblem, describeProblem } from "./config/mod.ts";
import { describeIssue } from "./config/issue.ts";
import type { ConfigSchema, PluginDefinition } from "./plugin.ts";

/** Reads the sections of plugins, and says once what is wrong with the config. */
export class ConfigReader {
  readonly #config: Config;
  readonly #log: Logger;
  #reported: ReadonlySet<string> = new Set();

  constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** Logs problems that were not there at the last look. */
  report(problems: readonly ConfigProblem[]): void {
    const seen = new Set<string>();
    for (const problem of problems) {
      const line = describeProblem(problem);
      seen.add(line);
      if (!this.#reported.has(line)) this.#log[problem.level](line);
    }
    this.#reported = seen;
  }

  /** A section that is a map of names; anything else counts as an empty one and is reported. */
  map(name: string): Record<string, unknown> | null {
    const section = this.#config.section(name) ?? null;
    if (section === null) return null;
    if (typeof section === "object" && !Array.isArray(section)) return section as Record<string, unknown>;
    const place = this.#config.locate([name]);
    const message = "expected a map of stream names";
    this.#log.error(
      describeProblem({ level: "error", section: name, path: name, message, ...(place ? { place } : {}) }),
    );
    return null;
  }

  /** What a plugin reads, checked against its schema; `undefined` and log lines when it has mistakes. */
  read(definition: PluginDefinition, schema: ConfigSchema): { readonly value: unknown } | undefined {
    if (definition.sections) return this.#readSections(definition.sections, schema);
    const checked = this.#config.validate(definition.name, schema);
    this.report(this.#config.problems);
    return checked.ok ? { value: checked.value } : undefined;
  }

  #readSections(names: readonly string[], schema: ConfigSchema): { readonly value: unknown } | undefined {
    const present = names.filter((name) => this.#config.section(name) !== undefined);
    const data = Object.fromEntries(present.map((name) => [name, this.#config.section(name) ?? undefined]));
    const result = safeParse(schema, data);
    if (result.success) return { value: result.data };
    for (const issue of result.error.issues) {
      const path = issue.path.map((step) => typeof step === "number" ? step : String(step));
      const place = this.#config.locate(path);
      const problem = { level: "error", section: String(path[0] ?? ""), path: path.join(".") } as const;
      const message = describeIssue(issue, valueAt(data, path));
      this.#log.error(describeProblem({ ...problem, message, ...(place ? { place } : {}) }));
    }
    return undefined;
  }
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}
