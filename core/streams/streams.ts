import type { Principal } from "../access/types.ts";
import { parseSourceUrl } from "../net/source_url.ts";
import { redactUrls, StreamError } from "../util/errors.ts";
import type { Logger } from "../util/logger.ts";
import { Control, type StreamStore } from "./control.ts";
import { parseEntry, type StreamEntry } from "./entry.ts";
import { Keepers } from "./keepers.ts";
import { canSee, requireOperate } from "./rights.ts";
import type { StreamContext } from "./slot.ts";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./stream_table.ts";
import type { Clock, SourceRegistry, StreamsApi } from "./types.ts";
import { systemClock } from "./wait.ts";
import { Watcher } from "./watcher.ts";

/** What the kernel gives the streams to work with. */
export interface StreamsOptions {
  readonly registry: SourceRegistry;
  readonly store: StreamStore;
  readonly log: Logger;
  logOf(module: string): Logger;
  emit(type: string, data: Readonly<Record<string, unknown>>): void;
  readonly clock?: Clock;
  /** Whether an RTSP URL's host and port are this program's own server; default: port 8554 of a loopback name. */
  isOwnRtsp?(host: string, port: number): boolean;
}

/** The config sections that streams are made of; one that is absent stays as it is, null stands for an empty one. */
export interface StreamSections {
  readonly streams?: Readonly<Record<string, unknown>> | null;
  readonly preload?: Readonly<Record<string, unknown>> | null;
  readonly publish?: Readonly<Record<string, unknown>> | null;
}

/** Preloads and publishers wait this long after the start, for the listeners that their sources may need. */
const SETTLE_MS = 1000;

/** The table of all streams. */
export class Streams implements StreamsApi {
  readonly control: Control;
  readonly #table: StreamTable;
  readonly #keepers: Keepers;
  readonly #context: StreamContext;
  // Sections that wait for the start to settle; absent once it has.
  #early: { preload?: Readonly<Record<string, unknown>>; publish?: Readonly<Record<string, unknown>> } | undefined = {};
  #cancelSettle: (() => void) | undefined;
  #isClosed = false;

  constructor(options: StreamsOptions) {
    const { registry, store, log } = options;
    const clock = options.clock ?? systemClock;
    const watcher = new Watcher(clock);
    this.#context = {
      registry,
      clock,
      log,
      logOf: (module) => options.logOf(module),
      emit: (type, data) => options.emit(type, data),
      watch: (slot) => watcher.add(slot),
      unwatch: (slot) => watcher.remove(slot),
    };
    const table = this.#table = new StreamTable(this.#context);
    this.#keepers = new Keepers({ streams: this.#context, find: (name) => table.find(name) });
    const isOwnRtsp = (host: string, port: number) => (options.isOwnRtsp ?? isLoopbackRtsp)(host, port);
    this.control = new Control({ table, keepers: this.#keepers, registry, store, isOwnRtsp });
  }

  /** All streams, for metrics. */
  get all(): readonly Stream[] {
    return this.#table.streams;
  }

  get(name: string, principal: Principal): Stream | undefined {
    const stream = this.#table.find(name);
    return stream && canSee(principal, stream.name) ? stream : undefined;
  }

  names(principal: Principal): string[] {
    return [...this.#table.entries()].filter(([, stream]) => canSee(principal, stream.name)).map(([name]) => name);
  }

  getOrPatch(query: URLSearchParams, principal: Principal): Stream {
    const source = query.get("src") ?? "";
    if (source === "") throw new StreamError("BAD_SOURCE", "streams: source empty");
    const existing = this.#table.find(source);
    if (existing && canSee(principal, existing.name)) return existing;
    if (existing || parseSourceUrl(source).scheme === "") throw new StreamError("NOT_FOUND", "stream not found");
    const name = query.get("name");
    if (name) {
      requireOperate(principal, "add streams");
      return this.control.patchAs(name, source, principal, "temporary");
    }
    const own = this.control.resolve(source);
    if (own && canSee(principal, own.name)) return own;
    requireOperate(principal, "open a URL");
    return this.control.patchAs(source, source, principal, "temporary");
  }

  /** Takes over config sections as a diff: what did not change is not touched. */
  configure(sections: StreamSections): void {
    if (this.#isClosed) return;
    if (sections.streams !== undefined) this.#configureStreams(sections.streams ?? {});
    const preload = sections.preload === undefined ? undefined : sections.preload ?? {};
    const publish = sections.publish === undefined ? undefined : sections.publish ?? {};
    if (this.#early) {
      if (preload) this.#early.preload = preload;
      if (publish) this.#early.publish = publish;
      this.#cancelSettle ??= this.#context.clock.setTimer(() => this.#onSettled(), SETTLE_MS);
      return;
    }
    if (preload) this.#keepers.configurePreloads(preload);
    if (publish) this.#keepers.configurePublishers(publish);
  }

  #onSettled(): void {
    this.#cancelSettle = undefined;
    const early = this.#early ?? {};
    this.#early = undefined;
    this.configure(early);
  }

  #configureStreams(section: Readonly<Record<string, unknown>>): void {
    const table = this.#table;
    for (const stream of table.streams) {
      if (table.originOf(stream) === "config" && !Object.hasOwn(section, stream.name)) {
        table.remove(stream, "the stream was removed from the config");
      }
    }
    for (const [name, value] of Object.entries(section)) {
      const entry = parseEntry(value);
      const existing = table.isAlias(name) ? undefined : table.find(name);
      if (existing && isSameEntry(existing.entry, entry)) {
        table.setOrigin(existing, "config");
        continue;
      }
      for (const problem of entry.problems) {
        this.#context.log.warn("stream entry has a mistake", { stream: redactUrls(name), problem });
      }
      if (!existing) {
        table.add(name, entry, "config", true);
        continue;
      }
      table.setOrigin(existing, "config");
      table.change(existing, entry, true);
    }
  }

  /** Ends what viewers and publishers may not have or do any more. */
  recheck(): void {
    for (const stream of this.#table.streams) stream.recheck();
  }

  /** Closes all viewers, publishers and sources; resolves when every connection is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSettle?.();
    this.#cancelSettle = undefined;
    await Promise.all([this.#keepers.close(), this.#table.close("the server is stopping")]);
  }
}

function isSameEntry(a: StreamEntry, b: StreamEntry): boolean {
  return a.lingerMs === b.lingerMs && a.start === b.start && a.sources.length === b.sources.length &&
    a.sources.every((source, i) => source === b.sources[i]);
}

function isLoopbackRtsp(host: string, port: number): boolean {
  return port === 8554 && (host === "localhost" || host === "[::1]" || host.startsWith("127."));
}
