import { messageOf } from "../util/errors.ts";
import type { ConfigSchema, PluginContext, PluginDefinition } from "./plugin.ts";
import { checkDefinition } from "./plugin_check.ts";
import { PluginScope, type ScopeParts } from "./plugin_scope.ts";

/** A plugin that can be had: built in, or a file. */
export interface PluginSource {
  /** What to call it before its definition is known: a module's name or a file's path. */
  readonly label: string;
  /** Imports it; the answer's default export is the definition. */
  load(): Promise<{ readonly default: unknown }>;
}

/** What the host works with. */
export interface PluginHostOptions extends ScopeParts {
  /** The namespace of `core/mod.ts`. */
  core(): Promise<PluginContext["core"]>;
  /** What a plugin reads of the config, checked; who does it reports mistakes. `undefined`: the plugin must stay off. */
  configOf(definition: PluginDefinition, schema: ConfigSchema): { readonly value: unknown } | undefined;
  readonly setupLimitMs?: number;
}

interface Checked {
  readonly value: unknown;
}

interface Imported {
  readonly source: PluginSource;
  readonly definition: PluginDefinition;
  /** What of the config was sound last. */
  readonly config?: Checked;
}

interface Loaded extends Imported {
  readonly scope: PluginScope;
}

const SETUP_LIMIT_MS = 10_000;

/** Loads plugins, each in a scope of its own; one that fails is named and left out, and touches nothing else. */
export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #loaded = new Map<string, Loaded>();
  // Those that could not be set up: they come when what they lack is there.
  readonly #off = new Map<string, Imported>();
  // One change at a time.
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: PluginHostOptions) {
    this.#options = options;
  }

  names(): string[] {
    return [...this.#loaded.keys()];
  }

  get #all(): Imported[] {
    return [...this.#loaded.values(), ...this.#off.values()];
  }

  /** The config sections that plugins read. */
  sections(): string[] {
    return this.#all.flatMap(({ definition: { config, name, sections } }) => config ? sections ?? [name] : []);
  }

  /** The names of the plugins that read a config section, also of those that are off. */
  readersOf(section: string): string[] {
    return this.#all
      .filter(({ definition }) => (definition.sections ?? [definition.name]).includes(section))
      .map(({ definition }) => definition.name);
  }

  /**
   * Imports and sets up plugins in their order, but each after those whose services it requires. Failures are logged;
   * never rejects.
   */
  load(sources: readonly PluginSource[]): Promise<void> {
    return this.#inTurn(() => this.#load(sources));
  }

  async #load(sources: readonly PluginSource[]): Promise<void> {
    const imported = await Promise.all(sources.map((source) => this.#import(source)));
    await this.#setUpAll(imported.filter((one) => one !== undefined));
  }

  async #setUpAll(imported: readonly Imported[]): Promise<void> {
    const others = [...this.#off.values()].filter(({ definition }) => this.#missing(definition).length > 0);
    let waiting = [...imported, ...others];
    for (;;) {
      const next = waiting.find(({ definition }) => this.#missing(definition).length === 0);
      if (!next) break;
      waiting = waiting.filter((one) => one !== next);
      await this.#setUp(next);
    }
    for (const one of waiting) {
      if (others.includes(one)) continue;
      const { definition } = one;
      this.#off.set(definition.name, one);
      const services = this.#missing(definition).map((service) => `"${service}"`).join(" and ");
      this.#report(definition.name, `needs the service ${services}, which no loaded plugin provides`);
    }
  }

  #missing(definition: PluginDefinition): string[] {
    return (definition.requires ?? []).filter((service) => !this.#options.registry.services.has(service));
  }

  async #import(source: PluginSource): Promise<Imported | undefined> {
    try {
      return { source, definition: checkDefinition((await source.load()).default) };
    } catch (error) {
      this.#options.logOf("").error(`Plugin ${source.label} was left out: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #setUp(imported: Imported): Promise<void> {
    const { source, definition, config: last } = imported;
    const { name } = definition;
    const other = this.#loaded.get(name);
    if (other) return this.#report(name, `is there twice, in ${other.source.label} and in ${source.label}: rename one`);
    this.#off.set(name, imported);
    let scope: PluginScope | undefined;
    try {
      const config = await this.#configOf(definition) ?? last;
      if (!config) return this.#report(name, `found mistakes in the config`);
      scope = new PluginScope(name, config.value, await this.#options.core(), this.#options);
      await this.#withinLimit(definition.setup(scope.context));
      this.#off.delete(name);
      this.#loaded.set(name, { source, definition, scope, config });
    } catch (error) {
      this.#report(name, `failed to start: ${messageOf(error)}`);
      await scope?.close();
    }
  }

  async #configOf(definition: PluginDefinition): Promise<Checked | undefined> {
    const { config } = definition;
    if (!config) return { value: {} };
    const schema = typeof config === "function" ? config((await import("zod")).z) : config;
    return this.#options.configOf(definition, schema);
  }

  async #withinLimit(setup: void | Promise<void>): Promise<void> {
    const limitMs = this.#options.setupLimitMs ?? SETUP_LIMIT_MS;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`setup took longer than ${limitMs / 1000} s`)), limitMs);
    });
    try {
      await Promise.race([setup, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #report(name: string, what: string): void {
    this.#options.logOf(name).error(`Plugin "${name}" ${what}; it stays off, the rest runs`);
  }

  /**
   * Loads a plugin anew, with those that require its services; a source of the same label takes the place of what is
   * loaded. One that cannot be imported, or whose config has mistakes, leaves what runs alone.
   */
  reload(source: PluginSource): Promise<void> {
    return this.#inTurn(async () => {
      const imported = await this.#import(source);
      if (!imported) return;
      const { name } = imported.definition;
      const old = [...this.#loaded.values()].find((one) => one.source.label === source.label);
      const config = old && await this.#configOf(imported.definition);
      if (old && !config) {
        return this.#options.logOf(name).error(`Plugin "${name}" found mistakes in the config; it goes on as it runs`);
      }
      this.#forget(source.label);
      const dependents = old ? await this.#unloadWithDependents(old) : [];
      await this.#setUpAll([config ? { ...imported, config } : imported, ...dependents]);
    });
  }

  /** Loads a plugin anew from where it came from, or once more tries one that is off. */
  async restart(name: string): Promise<void> {
    const known = this.#loaded.get(name) ?? this.#off.get(name);
    if (known) await this.reload(known.source);
  }

  async #unloadWithDependents(loaded: Loaded): Promise<Loaded[]> {
    await this.#unload(loaded.definition.name);
    const dependents: Loaded[] = [];
    for (;;) {
      const next = [...this.#loaded.values()].findLast(({ definition }) => this.#missing(definition).length > 0);
      if (!next) return dependents;
      dependents.unshift(next);
      await this.#unload(next.definition.name);
    }
  }

  /** Unloads what was loaded from a source of that label. */
  async remove(label: string): Promise<void> {
    this.#forget(label);
    const found = [...this.#loaded.values()].find(({ source }) => source.label === label);
    if (found) await this.unload(found.definition.name);
  }

  #forget(label: string): void {
    for (const [name, { source }] of this.#off) if (source.label === label) this.#off.delete(name);
  }

  unload(name: string): Promise<void> {
    return this.#inTurn(() => this.#unload(name));
  }

  async #unload(name: string): Promise<void> {
    const loaded = this.#loaded.get(name);
    this.#loaded.delete(name);
    await loaded?.scope.close();
  }

  /** Unloads all, the last first. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      for (const name of [...this.#loaded.keys()].reverse()) await this.#unload(name);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }
}
