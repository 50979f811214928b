import { redactUrls, StreamError } from "../util/errors.ts";
import { DEFAULT_LINGER_MS, type StreamEntry } from "./entry.ts";
import type { StreamContext } from "./slot.ts";
import { Stream } from "./stream.ts";

/** Where a stream came from: the config keeps it in step with its section, a temporary one goes when it is unused. */
export type Origin = "config" | "api" | "temporary";

interface Row {
  readonly stream: Stream;
  origin: Origin;
  cancelExpiry: (() => void) | undefined;
}

/** Names that people and programs may add besides those of the config. */
const MAX_NAMES = 4096;
const MAX_TEMPORARY = 256;
/** A temporary stream outlives its last viewer by its linger time and this. */
const EXPIRY_MS = 5000;

/** The streams by name, and the other names that some go by. */
export class StreamTable {
  readonly #context: StreamContext;
  readonly #rows = new Map<string, Row>();
  // Alias to the stream's own name.
  readonly #aliases = new Map<string, string>();
  #closing: Promise<void> = Promise.resolve();

  constructor(context: StreamContext) {
    this.#context = context;
  }

  /** The stream of a name or an alias; of a name with a login also as it is shown, where only one is shown so. */
  find(name: string): Stream | undefined {
    const found = this.#rows.get(this.#aliases.get(name) ?? name)?.stream;
    if (found || !name.includes("***")) return found;
    const shown = this.streams.filter((stream) => redactUrls(stream.name) === name);
    return shown.length === 1 ? shown[0] : undefined;
  }
  originOf(stream: Stream): Origin | undefined {
    return this.#rows.get(stream.name)?.origin;
  }
  isAlias(name: string): boolean {
    return this.#aliases.has(name);
  }
  /** All names with their streams, aliases last. */
  *entries(): Generator<[string, Stream]> {
    for (const [name, { stream }] of this.#rows) yield [name, stream];
    for (const [name, of] of this.#aliases) yield [name, this.#rows.get(of)!.stream];
  }
  get streams(): Stream[] {
    return [...this.#rows.values()].map(({ stream }) => stream);
  }

  /** Adds a stream; the name must not be one of a stream, an alias of that name gives way. */
  add(name: string, entry: StreamEntry, origin: Origin, isTrusted: boolean): Stream {
    if (origin !== "config") this.#checkRoom(origin);
    this.#aliases.delete(name);
    const stream = new Stream(name, entry, isTrusted, this.#context);
    const row: Row = { stream, origin, cancelExpiry: undefined };
    this.#rows.set(name, row);
    stream.onLeft = () => this.#awaitExpiry(row);
    this.#awaitExpiry(row);
    this.#tell(name, "added");
    return stream;
  }

  #checkRoom(origin: Origin): void {
    const rows = [...this.#rows.values()];
    const isFull = origin === "temporary" && rows.filter((row) => row.origin === "temporary").length >= MAX_TEMPORARY;
    if (isFull || rows.length + this.#aliases.size >= MAX_NAMES) {
      throw new StreamError("BUSY", "streams: too many streams were added, remove some of them first");
    }
  }

  #awaitExpiry(row: Row): void {
    row.cancelExpiry?.();
    row.cancelExpiry = undefined;
    if (row.origin !== "temporary" || !row.stream.isUnused) return;
    const delayMs = (row.stream.entry.lingerMs ?? DEFAULT_LINGER_MS) + EXPIRY_MS;
    row.cancelExpiry = this.#context.clock.setTimer(() => {
      row.cancelExpiry = undefined;
      if (row.stream.isUnused) this.remove(row.stream, "nobody watches the stream any more");
    }, delayMs);
  }

  /** Says where a stream belongs from now on. */
  setOrigin(stream: Stream, origin: Origin): void {
    const row = this.#rows.get(stream.name);
    if (!row) return;
    row.origin = origin;
    this.#awaitExpiry(row);
  }

  /** Gives a stream another list of sources. */
  change(stream: Stream, entry: StreamEntry, isTrusted: boolean): void {
    stream.setEntry(entry, isTrusted);
    this.#tell(stream.name, "changed");
  }

  /** Makes `name` another name of a stream. */
  alias(name: string, stream: Stream): void {
    if (name === stream.name) return;
    const own = this.#rows.get(name)?.stream;
    if (!own && !this.#aliases.has(name)) this.#checkRoom("api");
    if (own) this.remove(own, "the name now stands for another stream");
    this.#aliases.set(name, stream.name);
  }

  unalias(name: string): void {
    this.#aliases.delete(name);
  }

  /** Removes a stream with its aliases; its viewers are told the reason. */
  remove(stream: Stream, reason: string): void {
    const row = this.#rows.get(stream.name);
    if (row?.stream !== stream) return;
    row.cancelExpiry?.();
    this.#rows.delete(stream.name);
    for (const [alias, of] of this.#aliases) if (of === stream.name) this.#aliases.delete(alias);
    this.#closing = Promise.all([this.#closing, stream.close(reason)]).then(() => {});
    this.#tell(stream.name, "removed");
  }

  #tell(name: string, change: string): void {
    this.#context.emit("stream", { stream: redactUrls(name), change });
  }

  /** Removes all; resolves when every connection is closed. */
  async close(reason: string): Promise<void> {
    for (const stream of this.streams) this.remove(stream, reason);
    await this.#closing;
  }
}
