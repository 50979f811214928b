/** Sources, viewers and a clock that tests own. */
import type { CameraRight, Principal } from "../access/types.ts";
import { type Codec, codec } from "../media/codec.ts";
import { Units } from "../media/frame.ts";
import type { Media } from "../media/media.ts";
import type { Track } from "../media/track.ts";
import type { Logger } from "../util/logger.ts";
import type { StreamStore } from "./control.ts";
import type { OpenIo, Redirector, SinkOpener, SourceOpener } from "./opener.ts";
import { Streams, type StreamsOptions } from "./streams.ts";
import type { Clock, ConnectionInfo, Consumer, Producer, ProducerIo, SourceRegistry } from "./types.ts";

export const h264: Codec = codec("H264");
export const h265: Codec = codec("H265");
export const aac: Codec = codec("MPEG4-GENERIC", { clockRate: 16000 });
export const opus: Codec = codec("OPUS", { clockRate: 48000, channels: 2 });
export const pcma: Codec = codec("PCMA", { clockRate: 8000 });
export const pcmu: Codec = codec("PCMU", { clockRate: 8000 });

/** What a producer gives, or a consumer's microphone. */
export function gives(...codecs: Codec[]): Media {
  return { kind: codecs[0]!.kind, direction: "recvonly", codecs };
}
/** What a consumer wants, or a producer's speaker. */
export function takes(...codecs: Codec[]): Media {
  return { kind: codecs[0]!.kind, direction: "sendonly", codecs };
}

/** Lets everything happen that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nowMs = 1000;
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#nowMs;
  }
  setTimer(callback: () => void, ms: number): () => void {
    const timer = () => callback();
    this.#timers.set(timer, this.#nowMs + ms);
    return () => this.#timers.delete(timer);
  }
  /** Timers that have yet to fire. */
  get pending(): number {
    return this.#timers.size;
  }
  /** Moves on, firing what is due in its order, and lets what follows from it happen. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await turn();
    for (;;) {
      const [first] = [...this.#timers].sort(([, a], [, b]) => a - b);
      if (!first || first[1] > end) break;
      this.#timers.delete(first[0]);
      this.#nowMs = Math.max(this.#nowMs, first[1]);
      first[0]();
      await turn();
    }
    this.#nowMs = end;
  }
}

/** A producer that does what its test says. */
export class FakeProducer implements Producer {
  readonly medias: readonly Media[];
  info: ConnectionInfo;
  io: ProducerIo | undefined;
  closes = 0;
  /** Whether it returns when its signal aborts. */
  obeys = true;
  /** Asked of the slot at the start, as a connection that sets up everything would. */
  readonly tracks = new Map<Media, Track | undefined>();
  readonly speakers = new Map<Media, { track: Track; codec: Codec } | undefined>();
  readonly #clock: Clock;
  readonly #end = Promise.withResolvers<void>();
  #pts = 0;

  constructor(clock: Clock, medias: readonly Media[], info: ConnectionInfo = { formatName: "fake" }) {
    this.#clock = clock;
    this.medias = medias;
    this.info = info;
    // It may be told to fail before it runs.
    this.#end.promise.catch(() => {});
  }
  get isRunning(): boolean {
    return this.io !== undefined && this.closes === 0;
  }
  async run(io: ProducerIo): Promise<void> {
    this.io = io;
    for (const media of this.medias) {
      if (media.direction === "recvonly") this.tracks.set(media, io.track(media));
      else this.speakers.set(media, io.speaker(media));
    }
    if (this.obeys) io.signal.addEventListener("abort", () => this.#end.resolve(), { once: true });
    await this.#end.promise;
  }
  close(): void {
    this.closes++;
  }
  /** Appends a frame to each of its tracks. */
  feed(bytes = 100): void {
    this.io?.live();
    this.#pts += 3600;
    for (const track of this.tracks.values()) {
      track?.append({
        payload: new Units([new Uint8Array(bytes)]),
        pts: this.#pts,
        isKeyframe: true,
        arrivalMs: this.#clock.now(),
      });
    }
  }
  end(error?: Error): void {
    if (error) this.#end.reject(error);
    else this.#end.resolve();
  }
}

/** What a source answers when it is dialled. */
type Answer = FakeProducer | Error | Promise<FakeProducer>;

/** Sources of the scheme `fake:` and others, by their text without options. */
export class FakeRegistry implements SourceRegistry {
  readonly #sources = new Map<string, SourceOpener>();
  readonly #sinks = new Map<string, SinkOpener>();
  readonly #redirects = new Map<string, Redirector>();
  readonly #answers = new Map<string, (io: OpenIo) => Answer>();
  /** The texts that were dialled, in order. */
  readonly dialled: string[] = [];

  constructor() {
    this.addSource("fake", {
      open: async (source, io) => {
        this.dialled.push(source.text);
        const answer = this.#answers.get(source.url)?.(io) ?? new Error(`no such fake: ${source.url}`);
        if (answer instanceof Error) throw answer;
        return await answer;
      },
    });
  }
  addSource(scheme: string, opener: SourceOpener): void {
    this.#sources.set(scheme, opener);
  }
  addSink(scheme: string, opener: SinkOpener): void {
    this.#sinks.set(scheme, opener);
  }
  addRedirect(scheme: string, redirector: Redirector): void {
    this.#redirects.set(scheme, redirector);
  }
  /** Sets what a `fake:` URL answers from now on. */
  answer(url: string, answer: (io: OpenIo) => Answer): void {
    this.#answers.set(url, answer);
  }
  source(scheme: string): SourceOpener | undefined {
    return this.#sources.get(scheme);
  }
  sink(scheme: string): SinkOpener | undefined {
    return this.#sinks.get(scheme);
  }
  redirect(scheme: string): Redirector | undefined {
    return this.#redirects.get(scheme);
  }
  isTrusted(scheme: string): boolean {
    return (this.#sources.get(scheme)?.trusted ?? false) || (this.#redirects.get(scheme)?.trusted ?? false);
  }
  schemes(): string[] {
    return [...this.#sources.keys(), ...this.#redirects.keys()];
  }
}

/** A viewer that remembers what happened to it. */
export class FakeConsumer implements Consumer {
  readonly medias: readonly Media[];
  info: ConnectionInfo = { formatName: "viewer" };
  loopGuard?: string;
  right?: CameraRight;
  readonly reasons: string[] = [];
  microphone?: (media: Media, codec: Codec) => Track;
  sent?: (track: Track) => { bytes: number; packets: number; drops: number };

  constructor(...medias: Media[]) {
    this.medias = medias;
  }
  close(reason: string): void {
    this.reasons.push(reason);
  }
}

/** A logger that keeps its lines. */
export class FakeLog implements Logger {
  readonly lines: string[] = [];
  #add(level: string, message: string, fields: unknown): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  }
  trace(message: string, fields?: unknown): void {
    this.#add("trace", message, fields);
  }
  debug(message: string, fields?: unknown): void {
    this.#add("debug", message, fields);
  }
  info(message: string, fields?: unknown): void {
    this.#add("info", message, fields);
  }
  warn(message: string, fields?: unknown): void {
    this.#add("warn", message, fields);
  }
  error(message: string, fields?: unknown): void {
    this.#add("error", message, fields);
  }
  limited(_key: string, level: "debug" | "warn", message: string, fields?: unknown): void {
    this.#add(level, message, fields);
  }
}

/** A config file in memory. */
export class FakeStore implements StreamStore {
  readonly saved = new Map<string, unknown>();
  /** What saving rejects with. */
  error: Error | undefined;
  writes = 0;

  set(path: readonly string[], value: unknown): Promise<void> {
    this.writes++;
    if (this.error) return Promise.reject(this.error);
    this.saved.set(path.join("/"), value);
    return Promise.resolve();
  }
  remove(path: readonly string[]): Promise<void> {
    if (this.error) return Promise.reject(this.error);
    this.saved.delete(path.join("/"));
    return Promise.resolve();
  }
  has(path: readonly string[]): boolean {
    return this.saved.has(path.join("/"));
  }
}

/** A principal with these rights on every stream. */
export function principal(
  rights: readonly CameraRight[],
  extra: Partial<Pick<Principal, "isAdmin" | "mayOperate" | "isTrusted">> = {},
): Principal {
  return {
    name: "somebody",
    isAdmin: false,
    mayOperate: false,
    isTrusted: false,
    ...extra,
    can: (right) => rights.includes(right),
  };
}

/** One who may do everything but set what runs commands. */
export const operator: Principal = principal(["watch", "listen", "talk", "snapshot", "playback", "publish"], {
  mayOperate: true,
});

/** A table of streams with all that it needs, made for tests. */
export class Bench {
  readonly clock = new FakeClock();
  readonly registry = new FakeRegistry();
  readonly store = new FakeStore();
  readonly log = new FakeLog();
  readonly events: { type: string; data: Readonly<Record<string, unknown>> }[] = [];
  readonly streams: Streams;

  constructor(options: Partial<StreamsOptions> = {}) {
    this.streams = new Streams({
      registry: this.registry,
      store: this.store,
      clock: this.clock,
      log: this.log,
      logOf: () => this.log,
      emit: (type, data) => this.events.push({ type, data }),
      ...options,
    });
  }
  /** A source that answers each dial with a new producer of these medias; the answer lists them. */
  camera(url: string, ...medias: Media[]): FakeProducer[] {
    const producers: FakeProducer[] = [];
    this.registry.answer(url, () => {
      const producer = new FakeProducer(this.clock, medias, { formatName: "fake", url });
      producers.push(producer);
      return producer;
    });
    return producers;
  }
  /** How often a source was dialled. */
  dials(text: string): number {
    return this.registry.dialled.filter((one) => one === text).length;
  }
}
