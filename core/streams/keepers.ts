import { type Principal, systemPrincipal } from "../access/types.ts";
import { StreamError } from "../util/errors.ts";
import { type KeeperContext, Preload, preloadQuery } from "./preload.ts";
import { Publisher } from "./publisher.ts";

/** Sinks that one stream may be pushed to. */
const MAX_SINKS = 32;

/** What keeps streams running with nobody watching: preloads and publishers. */
export class Keepers {
  readonly #context: KeeperContext;
  readonly #preloads = new Map<string, Preload>();
  readonly #publishers = new Map<string, Publisher>();
  // Those that the config file names.
  #configuredPreloads = new Set<string>();
  #configuredPublishers = new Set<string>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(context: KeeperContext) {
    this.#context = context;
  }

  get preloads(): Preload[] {
    return [...this.#preloads.values()];
  }

  /** Preloads a stream in place of its former preload; a failure leaves that one as it was. */
  async preload(name: string, query: string): Promise<void> {
    const preload = new Preload(name, query, this.#context);
    await preload.start();
    this.#stop(this.#preloads.get(name));
    this.#preloads.set(name, preload);
  }

  /** False: there was none. */
  unpreload(name: string): boolean {
    const preload = this.#preloads.get(name);
    this.#preloads.delete(name);
    this.#configuredPreloads.delete(name);
    this.#stop(preload);
    return preload !== undefined;
  }

  /** Begins to push a stream to a sink, if it is not pushed there already. */
  async publish(stream: string, sink: string, principal: Principal): Promise<void> {
    const key = keyOf(stream, sink);
    if (this.#publishers.has(key)) return;
    const count = [...this.#publishers.values()].filter((publisher) => publisher.stream === stream).length;
    if (count >= MAX_SINKS) {
      throw new StreamError("BUSY", `streams: already pushed to ${MAX_SINKS} sinks, stop one of them first`);
    }
    const publisher = new Publisher(stream, sink, principal, this.#context);
    // Known from the start, so that the same one again, or a stop meanwhile, finds it.
    this.#publishers.set(key, publisher);
    try {
      await publisher.start();
    } catch (error) {
      if (this.#publishers.get(key) === publisher) this.#publishers.delete(key);
      throw error;
    }
  }

  /** False: nothing was pushed there. */
  unpublish(stream: string, sink: string): boolean {
    const key = keyOf(stream, sink);
    const publisher = this.#publishers.get(key);
    this.#publishers.delete(key);
    this.#configuredPublishers.delete(key);
    this.#stop(publisher);
    return publisher !== undefined;
  }

  /** Ends all that keeps a stream running. */
  forget(stream: string): void {
    this.unpreload(stream);
    for (const publisher of [...this.#publishers.values()]) {
      if (publisher.stream === stream) this.unpublish(stream, publisher.sink);
    }
  }

  /** The config's `preload` section, as a diff. */
  configurePreloads(section: Readonly<Record<string, unknown>>): void {
    const wanted = new Map(Object.entries(section).map(([name, value]) => [name, queryOf(value)]));
    for (const name of this.#configuredPreloads) if (!wanted.has(name)) this.unpreload(name);
    for (const [name, query] of wanted) {
      const existing = this.#preloads.get(name);
      if (existing?.query === query) continue;
      this.#stop(existing);
      const preload = new Preload(name, query, this.#context);
      this.#preloads.set(name, preload);
      preload.startLater();
    }
    this.#configuredPreloads = new Set(wanted.keys());
  }

  /** The config's `publish` section, as a diff. */
  configurePublishers(section: Readonly<Record<string, unknown>>): void {
    const wanted = new Map(
      Object.entries(section).flatMap(([stream, value]) =>
        sinksOf(value).map((sink) => [keyOf(stream, sink), { stream, sink }])
      ),
    );
    for (const key of this.#configuredPublishers) {
      const publisher = this.#publishers.get(key);
      if (publisher && !wanted.has(key)) this.unpublish(publisher.stream, publisher.sink);
    }
    for (const [key, { stream, sink }] of wanted) {
      if (this.#publishers.has(key)) continue;
      const publisher = new Publisher(stream, sink, systemPrincipal, this.#context);
      this.#publishers.set(key, publisher);
      publisher.startLater();
    }
    this.#configuredPublishers = new Set(wanted.keys());
  }

  #stop(keeper: Preload | Publisher | undefined): void {
    if (!keeper) return;
    const stopped = keeper.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  /** Ends all; resolves when all have ended. */
  async close(): Promise<void> {
    for (const keeper of [...this.#preloads.values(), ...this.#publishers.values()]) this.#stop(keeper);
    this.#preloads.clear();
    this.#publishers.clear();
    await Promise.all(this.#stopping);
  }
}

function keyOf(stream: string, sink: string): string {
  return JSON.stringify([stream, sink]);
}

function queryOf(value: unknown): string {
  return preloadQuery(new URLSearchParams(typeof value === "string" ? value : ""));
}

function sinksOf(value: unknown): string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.filter((item) => typeof item === "string");
}
