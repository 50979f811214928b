import type { Redirector, SinkOpener, SourceOpener } from "../streams/opener.ts";
import type { SourceRegistry } from "../streams/types.ts";
import type { Sniffer } from "./plugin.ts";

/** Things by name, each with the plugin that registered it. */
class Table<T> {
  readonly #kind: string;
  readonly #entries = new Map<string, { readonly value: T; readonly owner: string }>();

  constructor(kind: string) {
    this.#kind = kind;
  }

  /** Adds an entry; the answer removes it. Throws when there is one of that name. */
  add(name: string, value: T, owner: string): () => void {
    const taken = this.#entries.get(name);
    if (taken) {
      const whom = taken.owner === owner ? `plugin "${owner}" twice` : `plugins "${taken.owner}" and "${owner}"`;
      throw new Error(`${this.#kind} "${name}" is claimed by ${whom}, only one of them can have it`);
    }
    const entry = { value, owner };
    this.#entries.set(name, entry);
    return () => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
    };
  }
  get(name: string): T | undefined {
    return this.#entries.get(name)?.value;
  }
  has(name: string): boolean {
    return this.#entries.has(name);
  }
  names(): string[] {
    return [...this.#entries.keys()];
  }
  values(): T[] {
    return [...this.#entries.values()].map((entry) => entry.value);
  }
}

/** What plugins have registered: openers by scheme, sniffers, services. */
export class Registry implements SourceRegistry {
  readonly sources: Table<SourceOpener> = new Table("Source scheme");
  readonly sinks: Table<SinkOpener> = new Table("Sink scheme");
  readonly redirects: Table<Redirector> = new Table("Redirect scheme");
  readonly sniffers: Table<Sniffer> = new Table("Sniffer");
  readonly services: Table<unknown> = new Table("Service");

  source(scheme: string): SourceOpener | undefined {
    return this.sources.get(scheme);
  }
  sink(scheme: string): SinkOpener | undefined {
    return this.sinks.get(scheme);
  }
  redirect(scheme: string): Redirector | undefined {
    return this.redirects.get(scheme);
  }
  isTrusted(scheme: string): boolean {
    const found = [this.sources.get(scheme), this.sinks.get(scheme), this.redirects.get(scheme)];
    return found.some((one) => one?.trusted === true);
  }
  schemes(): string[] {
    return [...new Set([...this.sources.names(), ...this.redirects.names()])].sort();
  }
}
