import type { Codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import type { Start } from "../media/reader.ts";
import type { Track } from "../media/track.ts";
import type { CameraRight, Principal } from "../access/types.ts";
import type { Redirector, SinkOpener, SourceOpener } from "./opener.ts";

/** What `/api/streams` tells of a live connection; members that are empty are left out of the JSON. */
export interface ConnectionInfo {
  readonly formatName: string;
  /** `rtsp+tcp`, `ws`, `http` … */
  readonly protocol?: string;
  /** `host:port`, maybe ` forwarded <address>`. */
  readonly remoteAddr?: string;
  /** The dialled URL without `#` options. */
  readonly url?: string;
  /** The loop guard's text, or the command of a child process. */
  readonly source?: string;
  readonly sdp?: string;
  readonly userAgent?: string;
  readonly bytesReceived?: number;
  readonly bytesSent?: number;
  /** Where a viewer started, and how often it was moved to a newer keyframe because it was slow. */
  readonly start?: Start;
  readonly skips?: number;
}

/** A live connection that gives media: dialled by us, or pushed to us. */
export interface Producer {
  /** Read when the JSON is made, so counters are live. */
  readonly info: ConnectionInfo;
  /** `recvonly` for what it gives, `sendonly` for what it takes (a camera's speaker). Known before `run`. */
  readonly medias: readonly Media[];
  /**
   * Feeds tracks until its end; resolves at the normal end, rejects with what went wrong, and returns promptly when
   * `io.signal` aborts. Called once.
   */
  run(io: ProducerIo): Promise<void>;
  /** Frees what `run` did not get to use; called when a dialled producer is dropped, also after `run` has ended. */
  close(): void;
}

/** What a running producer works with. */
export interface ProducerIo {
  readonly signal: AbortSignal;
  /**
   * The track to feed for a `recvonly` media, in the codec that viewers negotiated (or the media's first). The track may
   * be one that an earlier connection of the same source fed. A media without a track here is not wanted.
   */
  track(media: Media): Track | undefined;
  /** The microphone to read for a `sendonly` media, and the codec that the producer is to send; absent: nobody talks. */
  speaker(media: Media): { track: Track; codec: Codec } | undefined;
  /** Says that media flows now: the slot's state becomes live and its retry counter starts anew. */
  live(): void;
}

/** A track given to a consumer, and the media of the consumer that it answers. */
export interface Assignment {
  readonly media: Media;
  readonly track: Track;
}

/** A live connection that takes media. */
export interface Consumer {
  readonly info: ConnectionInfo;
  /** `sendonly` for what it wants, `recvonly` for what it gives (a microphone). */
  readonly medias: readonly Media[];
  /** Sources whose text equals this are skipped in negotiation (our own ffmpeg pulls). */
  readonly loopGuard?: string;
  /** What the principal must hold instead of `watch` for pictures and `listen` for sound: a still needs `snapshot`. */
  readonly right?: CameraRight;
  /** The microphone's track, for a `recvonly` media that a producer took, in the codec that was agreed. */
  microphone?(media: Media, codec: Codec): Track;
  /** Counters for the JSON, by track. */
  sent?(track: Track): { bytes: number; packets: number; drops: number };
  /** Called when the stream is removed or the program ends; the reason is for people. */
  close(reason: string): void;
}

/** A consumer's place in a stream. */
export interface Attachment extends Disposable {
  readonly assignments: readonly Assignment[];
  /** Leaves the stream; harmless when repeated. */
  detach(): void;
  /** Called when a track that was assigned is replaced by another of the same codec (its source came back different). */
  onReplaced: ((was: Track, is: Track) => void) | undefined;
}

/** A named camera, as modules see it. */
export interface StreamHandle {
  readonly name: string;
  /** Where its viewers start unless they say otherwise (`#start=` of a source). */
  readonly start?: Start | undefined;
  /** Negotiates, dials what is needed, and registers the consumer. Rejects with a `StreamError` in the contract's words. */
  attach(consumer: Consumer, principal: Principal, signal?: AbortSignal): Promise<Attachment>;
  /** Takes a pushed producer and runs it until its end; needs the right to publish. */
  publish(producer: Producer, principal: Principal, signal: AbortSignal): Promise<void>;
}

/** The table of streams, as modules see it. */
export interface StreamsApi {
  /** The stream of that name (or alias), if the principal may see it. */
  get(name: string, principal: Principal): StreamHandle | undefined;
  /** The contract's on-the-fly rule: a stream's name, or a URL that becomes a stream (contract §2.7). */
  getOrPatch(query: URLSearchParams, principal: Principal): StreamHandle;
  names(principal: Principal): string[];
  /** What changes and describes the table, for the module that serves it over HTTP. */
  readonly control: StreamsControl;
}

/** Changes and describes the table of streams. Each call checks the principal and rejects in the contract's words. */
export interface StreamsControl {
  /** The streams that the principal may see, by name, in the JSON shape of contract §3.5.1. */
  list(principal: Principal): Record<string, StreamJson>;
  describe(name: string, principal: Principal): StreamJson | undefined;
  /** The graph of connections (contract §3.6); no names: all. */
  dot(names: readonly string[], principal: Principal): string;
  /** Creates a stream or gives it these sources, and saves it; the same sources again change nothing. */
  put(name: string, sources: readonly string[], principal: Principal): Promise<void>;
  /** Contract §2.7: an alias, a template filled, sources replaced, or a new stream that is not saved. */
  patch(name: string, source: string, principal: Principal): StreamHandle;
  /** Removes a stream with all that it owns, also from the config; an unknown name is no error. */
  remove(name: string, principal: Principal): Promise<void>;
  /** Plays a source to a camera's speaker; an empty source stops what plays. Resolves when it plays. */
  play(name: string, source: string, principal: Principal, signal: AbortSignal): Promise<void>;
  /** Pushes a stream to a sink, again and again until `unpublish`; rejects when the first try fails. */
  publish(name: string, sink: string, principal: Principal): Promise<void>;
  /** Stops pushing; false: nothing was pushed there. */
  unpublish(name: string, sink: string, principal: Principal): boolean;
  preloads(principal: Principal): Record<string, PreloadJson>;
  /** Keeps a stream's source connected, and saves that; the query is a codec filter (contract §2.13). */
  preload(name: string, query: URLSearchParams, principal: Principal): Promise<void>;
  unpreload(name: string, principal: Principal): Promise<void>;
}

/** A value of JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** A stream in `/api/streams`. */
export interface StreamJson {
  readonly producers: readonly ConnectionJson[];
  readonly consumers: readonly ConnectionJson[];
}

/** A producer or consumer in `/api/streams`; empty members are left out, except a producer's `url`. */
export type ConnectionJson = { readonly [key: string]: Json | undefined };

/** One entry of `/api/preload`. */
export interface PreloadJson {
  readonly consumer: ConnectionJson;
  readonly query: string;
}

/** What a source does now. */
export type SourceState = "idle" | "connecting" | "live" | "no video" | "frozen" | "refused" | "offline";

/** A change of a source's state: when (ISO 8601), to what, and why. */
export interface StateChange {
  readonly at: string;
  readonly state: SourceState;
  readonly cause?: string;
}

/** Where openers of sources and sinks are found by scheme; the plugin host implements it. */
export interface SourceRegistry {
  source(scheme: string): SourceOpener | undefined;
  sink(scheme: string): SinkOpener | undefined;
  redirect(scheme: string): Redirector | undefined;
  /** Whether only the config file may name the scheme. */
  isTrusted(scheme: string): boolean;
  /** The schemes of sources and redirects. */
  schemes(): string[];
}

/** Time as streams use it: milliseconds of the monotonic clock that frames arrive by. Tests bring their own. */
export interface Clock {
  now(): number;
  /** Calls back once after `ms`; what it answers cancels that. */
  setTimer(callback: () => void, ms: number): () => void;
}
