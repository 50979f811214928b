import { systemPrincipal } from "../access/types.ts";
import type { Codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import { Track } from "../media/track.ts";
import { messageOf, redactUrls, StreamError } from "../util/errors.ts";
import type { ConsumerEntry } from "./consumer_entry.ts";
import { mediasOfProbe } from "./filter.ts";
import type { StreamContext } from "./slot.ts";
import { retryDelayMs } from "./source_slot.ts";
import type { Stream } from "./stream.ts";
import type { ConnectionInfo, Consumer } from "./types.ts";
import { abortError, delay } from "./wait.ts";

/** What a keeper of a stream works with. */
export interface KeeperContext {
  readonly streams: StreamContext;
  find(name: string): Stream | undefined;
}

const KEYS = ["video", "audio", "microphone"];

/** The part of a query that a preload knows, as it is saved; `video&audio` when nothing is left. */
export function preloadQuery(query: URLSearchParams): string {
  const parts = [...query].filter(([key]) => KEYS.includes(key)).map(([key, value]) =>
    value === "" ? key : `${key}=${value}`
  );
  return parts.length > 0 ? parts.join("&") : "video&audio";
}

/** A consumer that takes nothing: it only keeps sources connected. */
class SilentConsumer implements Consumer {
  readonly info: ConnectionInfo = { formatName: "preload" };
  readonly medias: readonly Media[];
  readonly closed: Promise<string>;
  readonly close: (reason: string) => void;
  readonly #microphones: Track[] = [];

  constructor(query: string) {
    this.medias = mediasOfProbe(new URLSearchParams(query));
    const { promise, resolve } = Promise.withResolvers<string>();
    this.closed = promise;
    this.close = resolve;
  }
  microphone(_media: Media, codec: Codec): Track {
    const track = new Track(this.#microphones.length, codec);
    this.#microphones.push(track);
    return track;
  }
  dispose(): void {
    for (const track of this.#microphones) track.close();
  }
}

/** A stream whose sources are kept connected (contract §2.12), come what may. */
export class Preload {
  readonly name: string;
  readonly query: string;
  readonly #context: KeeperContext;
  readonly #controller = new AbortController();
  #consumer: SilentConsumer | undefined;
  #entry: ConsumerEntry | undefined;
  #running: Promise<void> | undefined;

  constructor(name: string, query: string, context: KeeperContext) {
    this.name = name;
    this.query = query;
    this.#context = context;
  }

  /** Its place in the stream, while it has one. */
  get entry(): ConsumerEntry | undefined {
    return this.#entry;
  }

  /** Attaches, and rejects when that fails; from then on it looks after itself. */
  async start(): Promise<void> {
    await this.#attach();
    this.#running = this.#keep();
  }
  /** Attaches as soon as it can be done. */
  startLater(): void {
    this.#running ??= this.#keep();
  }

  async #attach(): Promise<SilentConsumer> {
    const stream = this.#context.find(this.name);
    if (!stream) throw new StreamError("NOT_FOUND", "stream not found");
    const consumer = this.#consumer = new SilentConsumer(this.query);
    const { signal } = this.#controller;
    const entry = await stream.attach(consumer, systemPrincipal, signal);
    if (signal.aborted) {
      entry.detach();
      throw abortError(signal);
    }
    entry.onReplaced = () => {};
    this.#entry = entry;
    return consumer;
  }

  #detach(): void {
    this.#entry?.detach();
    this.#entry = undefined;
    this.#consumer?.dispose();
    this.#consumer = undefined;
  }

  async #keep(): Promise<void> {
    const { signal } = this.#controller;
    const { clock, log } = this.#context.streams;
    for (let failures = 0; !signal.aborted; failures++) {
      let cause: string;
      try {
        const consumer = this.#entry ? this.#consumer! : await this.#attach();
        failures = 0;
        cause = await consumer.closed;
      } catch (error) {
        cause = messageOf(error);
      }
      this.#detach();
      if (signal.aborted) return;
      const fields = { stream: redactUrls(this.name), error: redactUrls(cause) };
      log.limited(`preload ${this.name}`, "warn", "cannot preload, trying again", fields);
      await delay(retryDelayMs(failures), clock, signal);
    }
  }

  /** Leaves the stream; resolves when it has. */
  async stop(): Promise<void> {
    this.#controller.abort(new StreamError("CLOSED", "the preload was stopped"));
    this.#consumer?.close("the preload was stopped");
    this.#detach();
    await this.#running;
  }
}
