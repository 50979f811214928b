import type { Principal } from "../access/types.ts";
import { parseSourceUrl } from "../net/source_url.ts";
import { messageOf, redactUrls, StreamError } from "../util/errors.ts";
import { dotOf } from "./dot.ts";
import { checkSource, checkSources } from "./entry.ts";
import { consumerJson, streamJson } from "./json.ts";
import type { Keepers } from "./keepers.ts";
import { type Preload, preloadQuery } from "./preload.ts";
import { canSee, requireOperate, requireRight } from "./rights.ts";
import type { Stream } from "./stream.ts";
import type { StreamTable } from "./stream_table.ts";
import type { PreloadJson, SourceRegistry, StreamJson, StreamsControl } from "./types.ts";

/** Saves what the API changes. */
export interface StreamStore {
  /** Writes a value of the config file; rejects with `REFUSED` and "config file disabled" when there is none. */
  set(path: readonly string[], value: unknown): Promise<void>;
  remove(path: readonly string[]): Promise<void>;
  /** Whether the config has a value there. */
  has(path: readonly string[]): boolean;
}

/** What control works on. */
export interface ControlContext {
  readonly table: StreamTable;
  readonly keepers: Keepers;
  readonly registry: SourceRegistry;
  readonly store: StreamStore;
  /** Whether an RTSP URL's host and port are this program's own server. */
  isOwnRtsp(host: string, port: number): boolean;
}

/** Changes and describes the table of streams. */
export class Control implements StreamsControl {
  readonly #context: ControlContext;

  constructor(context: ControlContext) {
    this.#context = context;
  }

  list(principal: Principal): Record<string, StreamJson> {
    const visible = [...this.#context.table.entries()].filter(([, stream]) => canSee(principal, stream.name));
    return Object.fromEntries(visible.map(([name, stream]) => [redactUrls(name), streamJson(stream)]));
  }

  describe(name: string, principal: Principal): StreamJson | undefined {
    const stream = this.#context.table.find(name);
    return stream && canSee(principal, stream.name) ? streamJson(stream) : undefined;
  }

  dot(names: readonly string[], principal: Principal): string {
    const { table } = this.#context;
    const asked = names.length > 0 ? names.map((name) => table.find(name)) : table.streams;
    const visible = asked.filter((stream) => stream !== undefined && canSee(principal, stream.name)) as Stream[];
    return dotOf([...new Set(visible)].map(streamJson));
  }

  async put(name: string, sources: readonly string[], principal: Principal): Promise<void> {
    requireOperate(principal, "add streams");
    const { table, registry, store } = this.#context;
    if (name === "" || sources.length === 0) throw new StreamError("BAD_SOURCE", "streams: source empty");
    const existing = table.isAlias(name) ? undefined : table.find(name);
    const isSame = existing !== undefined && isEqual(existing.sources, sources);
    if (isSame && table.originOf(existing) === "config") return;
    checkSources(sources, registry, principal.isTrusted);
    const entry = { sources: [...sources], problems: [] };
    const stream = existing ?? table.add(name, entry, "api", principal.isTrusted);
    if (existing && !isSame) table.change(existing, entry, principal.isTrusted);
    table.setOrigin(stream, "api");
    await saving(store.set(["streams", name], sources));
    table.setOrigin(stream, "config");
  }

  patch(name: string, source: string, principal: Principal): Stream {
    requireOperate(principal, "change streams");
    if (name === "") throw new StreamError("BAD_SOURCE", "streams: source empty");
    return this.patchAs(name, source, principal, "api");
  }

  /** Contract §2.7; rights are the caller's to check. */
  patchAs(name: string, source: string, principal: Principal, origin: "api" | "temporary"): Stream {
    const { table, registry } = this.#context;
    const meant = table.find(source) ?? this.#ownStream(source);
    if (meant) {
      table.alias(name, meant);
      return meant;
    }
    checkSource(source, registry, principal.isTrusted);
    const existing = table.find(name);
    if (!existing) return table.add(name, { sources: [source], problems: [] }, origin, principal.isTrusted);
    existing.fill(source, principal.isTrusted);
    return existing;
  }

  /** The stream that a URL of our own RTSP server stands for: dialling it would be a loop. */
  #ownStream(source: string): Stream | undefined {
    const { scheme, url } = parseSourceUrl(source);
    if (scheme !== "rtsp") return undefined;
    const parsed = URL.parse(url);
    if (!parsed || !this.#context.isOwnRtsp(parsed.hostname, Number(parsed.port || 554))) return undefined;
    return this.#context.table.find(decode(parsed.pathname.slice(1)));
  }

  /** The stream that a URL stands for as it is: by its text, or as one of our own RTSP server. */
  resolve(source: string): Stream | undefined {
    return this.#context.table.find(source) ?? this.#ownStream(source);
  }

  async remove(name: string, principal: Principal): Promise<void> {
    requireOperate(principal, "remove streams");
    const { table, keepers, store } = this.#context;
    let own = name;
    if (table.isAlias(name)) table.unalias(name);
    else {
      const stream = table.find(name);
      if (!stream) return;
      own = stream.name;
      keepers.forget(own);
      table.remove(stream, "the stream was removed");
    }
    for (const section of ["preload", "publish", "streams"]) {
      if (store.has([section, own])) await saving(store.remove([section, own]));
    }
  }

  async play(name: string, source: string, principal: Principal, signal: AbortSignal): Promise<void> {
    const stream = this.#find(name, principal);
    requireRight(principal, "talk", stream.name);
    if (source === "") return stream.playback.stop();
    checkSource(source, this.#context.registry, principal.isTrusted);
    await stream.playback.play(source, principal.isTrusted, signal);
  }

  async publish(name: string, sink: string, principal: Principal): Promise<void> {
    requireOperate(principal, "publish streams");
    const stream = this.#find(name, principal);
    const opener = this.#context.registry.sink(parseSourceUrl(sink).scheme);
    if (!opener) throw new StreamError("UNSUPPORTED_SCHEME", "streams: source not supported");
    if (opener.trusted && !principal.isTrusted) {
      throw new StreamError("UNTRUSTED_SOURCE", "streams: source from insecure producer");
    }
    if (/\s/.test(sink) && !principal.isTrusted) {
      throw new StreamError("UNTRUSTED_SOURCE", "streams: source with spaces may be insecure");
    }
    await this.#context.keepers.publish(stream.name, sink, principal);
  }

  unpublish(name: string, sink: string, principal: Principal): boolean {
    requireOperate(principal, "publish streams");
    return this.#context.keepers.unpublish(this.#context.table.find(name)?.name ?? name, sink);
  }

  preloads(principal: Principal): Record<string, PreloadJson> {
    const visible = this.#context.keepers.preloads.filter(({ name }) => canSee(principal, name));
    return Object.fromEntries(visible.map((preload) => [redactUrls(preload.name), preloadJson(preload)]));
  }

  async preload(name: string, query: URLSearchParams, principal: Principal): Promise<void> {
    requireOperate(principal, "preload streams");
    const stream = this.#find(name, principal);
    const text = preloadQuery(query);
    await this.#context.keepers.preload(stream.name, text);
    await this.#context.store.set(["preload", stream.name], text);
  }

  async unpreload(name: string, principal: Principal): Promise<void> {
    requireOperate(principal, "preload streams");
    const own = this.#context.table.find(name)?.name ?? name;
    if (!this.#context.keepers.unpreload(own)) {
      throw new StreamError("NOT_FOUND", `streams: preload not found: ${redactUrls(name)}`);
    }
    await this.#context.store.remove(["preload", own]);
  }

  #find(name: string, principal: Principal): Stream {
    const stream = this.#context.table.find(name);
    if (!stream || !canSee(principal, stream.name)) throw new StreamError("NOT_FOUND", "stream not found");
    return stream;
  }
}

function preloadJson({ entry, query }: Preload): PreloadJson {
  return { consumer: entry ? consumerJson(entry) : { format_name: "preload" }, query };
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A lone "%" is part of the name.
    return path;
  }
}

/** Rejects with `REFUSED` whatever keeps the config file from being written. */
async function saving(written: Promise<void>): Promise<void> {
  try {
    await written;
  } catch (error) {
    throw error instanceof StreamError ? error : new StreamError("REFUSED", messageOf(error), { cause: error });
  }
}
