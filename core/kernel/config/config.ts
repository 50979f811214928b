import { dirname } from "node:path";
import { isScalar } from "./yaml.ts";
import type { core } from "zod/mini";
import { files, isNotFound, process } from "../../runtime/mod.ts";
import { messageOf, StreamError } from "../../util/errors.ts";
import { Secrets } from "../secrets.ts";
import { checkText, isInPatch, mergeIntoText, removeFromText, setInText } from "./edit.ts";
import { type Held, holdBack, type Holds, type Judge, judgeBoth, withHeld } from "./held.ts";
import { type Layer, parseLayer } from "./layer.ts";
import { type Origin, readOrigins } from "./origin.ts";
import { type ConfigPlace, type ConfigProblem, describeProblem, nearest } from "./problem.ts";
import { isLikeStream, oddSources } from "./source_schemes.ts";
import { readConfigFile, writeConfigFile } from "./store.ts";
import { isSameTree, mergeTrees, valueAt } from "./tree.ts";
import { type SectionSource, type Validated, validateSection } from "./validate.ts";
import { type Environment, Variables } from "./variables.ts";
import { lookAt, watchFiles } from "./watch.ts";

/** What a config is loaded with; all of it has defaults. */
export interface ConfigOptions {
  /** Where secrets are put that the config finds: share it with the log. */
  readonly secrets?: Secrets;
  /** Relative paths start here. */
  readonly folder?: string;
}

interface OriginLayer {
  readonly origin: Origin;
  readonly source: string;
  readonly layer: Layer;
}

/** Called with the names of the sections that changed; with none when only something else is wrong now. */
export type ConfigListener = (changed: readonly string[]) => void;

/**
 * The whole config: every `-c` value in order, merged (contract §1.2). Reading never fails on what a file says, only on a
 * file that cannot be read; what is wrong is in {@linkcode Config.problems}. The first file among the values is *the*
 * config file: it is shown, edited and written.
 */
export class Config {
  readonly secrets: Secrets;
  readonly #origins: readonly Origin[];
  readonly #env: Environment;
  readonly #listeners = new Set<ConfigListener>();
  // How the files looked before they were read.
  #seen = "";
  readonly #checked = new Map<string, readonly ConfigProblem[]>();
  #layers: readonly OriginLayer[] = [];
  #sections: ReadonlyMap<string, unknown> = new Map();
  #broken: ReadonlySet<string> = new Set();
  #readProblems: readonly ConfigProblem[] = [];
  #held: readonly Held[] = [];
  // Of a save with an error: what it is to hold back is known when somebody mends the error.
  #waiting: Judge | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(origins: readonly Origin[], env: Environment, secrets: Secrets) {
    this.#origins = origins;
    this.#env = env;
    this.secrets = secrets;
  }

  /** Reads the config. Rejects with one line when a file is there but cannot be read. */
  static async load(
    values: readonly string[],
    env: Environment = process.env,
    options: ConfigOptions = {},
  ): Promise<Config> {
    const programFolder = process.isStandalone ? dirname(process.executable()) : undefined;
    const origins = await readOrigins(values, options.folder ?? process.cwd(), exists, programFolder);
    const config = new Config(origins, env, options.secrets ?? new Secrets());
    config.#seen = await lookAt(config.#paths);
    await config.#read();
    return config;
  }

  /** The config file, absolute; it need not exist yet. `undefined` with inline configs alone: nothing can be saved. */
  get path(): string | undefined {
    return this.#file?.path;
  }

  /** What is wrong now: from reading, and from the newest {@linkcode Config.validate} of each section. */
  get problems(): readonly ConfigProblem[] {
    return [...this.#readProblems, ...[...this.#checked.values()].flat()];
  }

  /** Whether everything in the files could be told to a section; if not, nobody knows what is missing. */
  get isComplete(): boolean {
    return this.#layers.every(({ layer }) => layer.isComplete);
  }

  /** The names of the sections there are. */
  sections(): string[] {
    return [...this.#sections.keys()];
  }

  /** A section as it was written, variables filled in; `undefined` when it is absent or cannot be read. */
  section(name: string): unknown {
    return this.#sections.get(name);
  }

  /** Whether there is a value at a path of two keys or more. */
  has([name, ...rest]: readonly string[]): boolean {
    return valueAt(this.#sections.get(name!), rest) !== undefined;
  }

  /**
   * Checks a section against a schema and fills in its defaults; an absent section is an empty map. See
   * {@linkcode validateSection} for what is a warning and what turns the section off.
   */
  validate<T>(name: string, schema: core.$ZodType<T>): Validated<T> {
    if (this.#broken.has(name)) {
      const problems = this.#readProblems.filter(({ section, level }) => section === name && level === "error");
      return { ok: false, problems };
    }
    const source: SectionSource = {
      placeOf: (path) => this.#find(path)?.place,
      sourceOf: (path) => this.sourceOf(path),
    };
    const result = validateSection(name, this.section(name), schema, source);
    this.#checked.set(name, result.problems);
    return result;
  }

  /** Names the sections that nothing uses; `known` are the names that something does. */
  checkNames(known: Iterable<string>): readonly ConfigProblem[] {
    const names = new Set(known);
    const problems = this.sections().filter((name) => !names.has(name)).map((name): ConfigProblem => {
      const meant = nearest(name, names);
      const place = this.#find([name])?.place;
      let hint = meant ? `, did you mean "${meant}"?` : "";
      if (isLikeStream(this.section(name))) hint = ', is it a stream? Then indent it below "streams"';
      return {
        level: hint ? "warn" : "info",
        section: name,
        path: "",
        message: `section "${name}" is not used by any loaded module${hint}`,
        ...(place ? { place } : {}),
      };
    });
    this.#checked.set("", problems);
    return problems;
  }

  /** Names the sources of `streams` that nothing opens; `schemes` are those that something does. */
  checkSources(schemes: readonly string[]): readonly ConfigProblem[] {
    const problems = oddSources(this.section("streams"), schemes).map(({ path, message }): ConfigProblem => {
      const place = this.#find(path)?.place;
      return { level: "warn", section: "streams", path: path.join("."), message, ...(place ? { place } : {}) };
    });
    this.#checked.set("streams sources", problems);
    return problems;
  }

  /** Where a key is, or the nearest key above it that is there. */
  locate(path: readonly (string | number)[]): ConfigPlace | undefined {
    return this.#find(path)?.place;
  }

  /** A text or number as it is written, variables filled in; `undefined` when there is none at this path. */
  sourceOf(path: readonly (string | number)[]): string | undefined {
    const found = this.#find(path);
    return found?.depth === path.length && isScalar(found.node) ? found.node.source : undefined;
  }

  /** The text of the config file. Rejects with `REFUSED` when there is none in use, `NOT_FOUND` when it does not exist. */
  async text(): Promise<string> {
    const { path } = this.#requireFile();
    const text = await readConfigFile(path);
    if (text === undefined) throw new StreamError("NOT_FOUND", `Config file "${path}" does not exist yet`);
    return text;
  }

  /** Sets a value in the config file; comments, order and all other lines stay. */
  set(path: readonly string[], value: unknown): Promise<void> {
    return this.#change((text) => setInText(text, path, value));
  }

  /** Removes a key from the config file. Rejects when the section it is in does not exist (contract §1.5). */
  remove(path: readonly string[]): Promise<void> {
    return this.#change((text) => removeFromText(text, path));
  }

  /**
   * Merges YAML or JSON into the config file, with its comments kept. Rejects with a `SyntaxError` when the text is no
   * YAML, with `NOT_FOUND` when there is no file yet. `holds`: see {@linkcode Config.replace}.
   */
  async merge(text: string, holds?: Holds): Promise<readonly string[]> {
    const isSubmitted = isInPatch(text);
    return await this.#write(async () => mergeIntoText(await this.text(), text), holds && { holds, isSubmitted });
  }

  /**
   * Writes the whole config file as it is given. Rejects with a `SyntaxError` when it is no YAML. Each changed key for
   * which `holds` answers true is written, but not applied until the next start; the answer names these. What was held
   * before is applied when it is in this text and `holds` answers false.
   */
  replace(text: string, holds?: Holds): Promise<readonly string[]> {
    return this.#write(() => {
      checkText(text);
      return Promise.resolve(text);
    }, holds && { holds, isSubmitted: () => true });
  }

  /** Reads everything again, tells the listeners, and answers the names of the sections that changed. */
  reload(): Promise<readonly string[]> {
    return this.#enqueue(() => this.#readAndTell());
  }

  /** Calls `listener` after each change, and when something else is wrong now; answers a function that ends this. */
  onChange(listener: ConfigListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reloads when a config file changes, until `signal` aborts. `onError` hears what a listener threw. */
  watch(signal: AbortSignal, onError: (error: unknown) => void): void {
    watchFiles(this.#paths, this.#seen, () => void this.reload().catch(onError), signal);
  }

  get #paths(): string[] {
    return this.#origins.filter((origin) => origin.kind === "file").map(({ path }) => path);
  }

  get #file(): { readonly path: string } | undefined {
    return this.#origins.find((origin) => origin.kind === "file");
  }

  #requireFile(): { readonly path: string } {
    if (!this.#file) throw new StreamError("REFUSED", "config file disabled");
    return this.#file;
  }

  async #change(edit: (text: string) => string): Promise<void> {
    await this.#write(async ({ path }) => edit(await readConfigFile(path) ?? ""));
  }

  // The file is read again for every change: what somebody else wrote meanwhile is kept.
  async #write(
    edit: (file: { readonly path: string }) => Promise<string>,
    judge?: Judge,
  ): Promise<readonly string[]> {
    const file = this.#requireFile();
    return await this.#enqueue(async () => {
      const text = await edit(file);
      if (text !== await readConfigFile(file.path)) await writeConfigFile(file.path, text);
      await this.#readAndTell(judge);
      const own = this.#held.filter(({ path }) => judge?.isSubmitted(path));
      return own.map(({ path }) => path.join("."));
    });
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(task);
    this.#queue = done.catch(() => {/* Whoever asked for it is told. */});
    return done;
  }

  get #wrong(): string {
    return this.#readProblems.map(describeProblem).join("\n");
  }

  async #readAndTell(by?: Judge): Promise<readonly string[]> {
    const wrongBefore = this.#wrong;
    const changed = await this.#read(by);
    if (changed.length === 0 && this.#wrong === wrongBefore) return changed;
    for (const listener of [...this.#listeners]) listener(changed);
    return changed;
  }

  async #read(by?: Judge): Promise<readonly string[]> {
    const problems: ConfigProblem[] = [];
    const variables = new Variables(
      this.#env,
      this.secrets,
      (message) => problems.push(warning(message)),
    );
    const layers: OriginLayer[] = [];
    const judge = judgeBoth(by, this.#waiting);
    this.#waiting = undefined;
    for (const origin of this.#origins) {
      const before = this.#layers.find((layer) => layer.origin === origin);
      const source = await this.#sourceOf(origin, before, problems);
      if (source === undefined) continue;
      const text = source.replace(/^\uFEFF/, "");
      const filled = origin.kind === "file"
        ? await variables.fill(text)
        : { text, sourceOffset: (offset: number) => offset };
      const layer = parseLayer(origin.shownAs, text, filled);
      problems.push(...layer.problems);
      // Somebody is in the middle of an edit: no camera shall stop for that.
      const isKept = before !== undefined && isSound(before.layer) && !isSound(layer);
      if (isKept) {
        problems.push(warning(`${origin.shownAs} has an error: what it said before stays in force`));
        this.#waiting = judge;
      }
      layers.push(isKept ? before : { origin, source, layer });
    }
    return this.#apply(layers, problems, judge);
  }

  // A file that goes away or cannot be read while the server runs keeps its last content.
  async #sourceOf(
    origin: Origin,
    before: OriginLayer | undefined,
    problems: ConfigProblem[],
  ): Promise<string | undefined> {
    if (origin.kind === "inline") return origin.text;
    try {
      return await readConfigFile(origin.path) ?? before?.source;
    } catch (error) {
      if (before === undefined) throw error;
      problems.push(warning(messageOf(error)));
      return before.source;
    }
  }

  #apply(
    layers: readonly OriginLayer[],
    problems: readonly ConfigProblem[],
    judge?: Judge,
  ): readonly string[] {
    const before = this.#sections;
    const sections = new Map<string, unknown>();
    for (const { layer } of layers) {
      for (const [name, value] of layer.sections) {
        sections.set(name, mergeTrees(sections.get(name), value));
      }
    }
    const broken = new Set<string>();
    for (const name of layers.flatMap(({ layer }) => [...layer.broken])) {
      sections.delete(name);
      // A section that was sound before an edit broke it stays as it was.
      if (before.has(name)) sections.set(name, before.get(name));
      else broken.add(name);
    }
    if (judge) this.#held = holdBack(before, sections, this.#held, judge);
    const applied = withHeld(sections, this.#held);
    this.#held = applied.held;
    this.#layers = layers;
    this.#sections = applied.sections;
    this.#broken = broken;
    this.#readProblems = problems;
    const names = new Set([...before.keys(), ...this.#sections.keys()]);
    return [...names].filter((name) => !isSameTree(contentOf(before.get(name)), contentOf(this.#sections.get(name))));
  }

  #find(path: readonly (string | number)[]) {
    let best: ReturnType<Layer["find"]>;
    for (const { layer } of this.#layers) {
      const found = layer.find(path);
      if (found && found.depth >= (best?.depth ?? 0)) best = found;
    }
    return best;
  }
}

// A section that is absent, null or empty says the same: all defaults.
function contentOf(section: unknown): unknown {
  return section === undefined || section === null ? {} : section;
}

function isSound(layer: Layer): boolean {
  return layer.isComplete && layer.broken.size === 0;
}

function warning(message: string): ConfigProblem {
  return { level: "warn", section: "", path: "", message };
}

async function exists(path: string): Promise<boolean> {
  try {
    await files.info(path);
    return true;
  } catch (error) {
    return !isNotFound(error);
  }
}
