import { resolve } from "node:path";
import { isScalar } from "./yaml.ts";
import { files, isNotFound } from "../../runtime/mod.ts";
import { messageOf } from "../../util/errors.ts";
import type { Secrets } from "../secrets.ts";
import { parseLayer, splitSections } from "./layer.ts";
import { substitute, type Substituted, variableNames } from "./substitute.ts";
import { isConfigMap } from "./tree.ts";

/** The environment of the process. */
export type Environment = (name: string) => string | undefined;

/**
 * Fills in the variables of config files, in the order in which they are read: from the `env` sections so far, then from
 * systemd's credential files, then from the environment (contract §1.3). What it finds becomes a secret.
 */
export class Variables {
  readonly #env: Environment;
  readonly #secrets: Secrets;
  readonly #own = new Map<string, string>();

  readonly #onProblem: (message: string) => void;

  constructor(env: Environment, secrets: Secrets, onProblem: (message: string) => void) {
    this.#env = env;
    this.#secrets = secrets;
    this.#onProblem = onProblem;
  }

  /** The text with its variables filled in. */
  async fill(source: string): Promise<Substituted> {
    this.#readOwn(source);
    const values = new Map<string, string>();
    for (const name of variableNames(source)) {
      const value = this.#own.get(name) ?? await this.#credential(name) ?? this.#env(name);
      if (value === undefined) continue;
      values.set(name, value);
      this.#secrets.add(value);
    }
    return substitute(source, (name) => values.get(name));
  }

  #readOwn(source: string): void {
    for (const [name, value] of envOf(source)) {
      this.#own.set(name, value);
      this.#secrets.add(value);
    }
  }

  async #credential(name: string): Promise<string | undefined> {
    const folder = this.#env("CREDENTIALS_DIRECTORY");
    // A name is one file in that folder, nothing else.
    if (!folder || name === "." || name === ".." || /[/\\\0]/.test(name)) return undefined;
    try {
      return (await files.readText(resolve(folder, name))).trim();
    } catch (error) {
      if (!isNotFound(error)) this.#onProblem(`cannot read the credential "${name}": ${messageOf(error)}`);
      return undefined;
    }
  }
}

// The raw values of the section: it is read before anything is filled in, so only its own text has to be sound.
function envOf(source: string): [string, string][] {
  const text = source.replace(/^\uFEFF/, "");
  const section = splitSections(text).findLast(({ name }) => name === "env");
  return envIn(section ? text.slice(section.start, section.end) : text);
}

function envIn(text: string): [string, string][] {
  const layer = parseLayer("", text, { text, sourceOffset: (offset) => offset });
  const env = layer.sections.get("env");
  if (!isConfigMap(env)) return [];
  return Object.entries(env).flatMap(([name, value]): [string, string][] => {
    if (value === null || typeof value === "object") return [];
    const node = layer.find(["env", name])?.node;
    return [[name, isScalar(node) ? node.source ?? String(value) : String(value)]];
  });
}
