import type { z } from "zod";
import type { Need, Peer, Principal } from "../access/types.ts";
import type { OpenIo, Redirector, SinkOpener, SourceOpener } from "../streams/opener.ts";
import type { ConnectionInfo, Producer, StreamsApi } from "../streams/types.ts";
import type { Logger } from "../util/logger.ts";
import type { Metrics } from "../util/metrics.ts";
import type { ServerSocket, StreamConn, StreamListener, UdpSocket } from "../runtime/types.ts";

export type { OpenIo, Redirector, SinkOpener, SourceOpener } from "../streams/opener.ts";
export type { LogFields, Logger } from "../util/logger.ts";
export type { Metrics } from "../util/metrics.ts";

/** The version of this interface; a plugin names the one it was written for. */
export const PLUGIN_API = 1;

/** A schema made with `zod` or `zod/mini`; its defaults are filled in. */
export type ConfigSchema<Config = unknown> = z.core.$ZodType<Config>;

/** A plugin: one object, nothing else allowed in it. */
export interface PluginDefinition<Config = unknown> {
  readonly name: string;
  /** {@linkcode PLUGIN_API} of the kernel it was written for. */
  readonly api: number;
  /** Services that must be there before `setup` (`ctx.provide` of other plugins). */
  readonly requires?: readonly string[];
  /**
   * The schema of the config section that has the plugin's name; with `sections`, of an object that holds those of them
   * that are there. A function is handed zod, which is loaded for it: built-in modules import `zod/mini`, a tenth of that.
   */
  readonly config?: ConfigSchema<Config> | ((zod: typeof z) => ConfigSchema<Config>);
  /** The names of the config sections it reads, when they are not just its own name. */
  readonly sections?: readonly string[];
  setup(ctx: PluginContext<Config>): void | Promise<void>;
}

/** Recognises a byte stream by its first bytes or its content type and makes a producer of it. */
export interface Sniffer {
  /** Whether it knows this content: type without parameters (may be `""`), and at least 4 first bytes where there are any. */
  recognizes(contentType: string, head: Uint8Array): boolean;
  open(body: ReadableStream<Uint8Array>, info: ConnectionInfo, io: OpenIo): Promise<Producer>;
}

/** An HTTP request as a route sees it. */
export interface RouteRequest {
  readonly request: Request;
  readonly url: URL;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  readonly peer: Peer;
  /** `host:port`, with ` forwarded <address>` behind a proxy: what `ConnectionInfo.remoteAddr` shows. */
  readonly remoteAddr: string;
}

/** What the kernel knows of a route; the API page is made of it, and access decides by it. */
export interface RouteOptions {
  readonly summary: string;
  /**
   * What the caller must hold. A camera right is checked against the stream that `camera` finds in the query (default:
   * `src`, else `dst`); with a right and no camera in the query the route itself must ask `principal.can`.
   */
  readonly needs: Need;
  readonly camera?: (query: URLSearchParams) => string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly responses?: Readonly<Record<string, string>>;
  /** What a body may hold; default 4 MiB, and no limit where media is pushed (`publish`). */
  readonly maxBodyBytes?: number;
}

/** Answers a request. What it throws becomes an error answer: a `StreamError` by its code, anything else 500. */
export type RouteHandler = (request: RouteRequest) => Response | Promise<Response>;

/** A viewer's `/api/ws` socket, as message handlers see it. */
export interface ApiSocket {
  readonly principal: Principal;
  /** The query of the socket's URL. */
  readonly query: URLSearchParams;
  readonly remoteAddr: string;
  readonly userAgent: string;
  /** Aborts when the socket ends. */
  readonly signal: AbortSignal;
  /** The socket itself, for media in binary messages. */
  readonly socket: ServerSocket;
  send(type: string, value?: unknown): void;
  /** Runs `undo` when the socket ends. */
  defer(undo: () => void): void;
}

/** Handles one message; what it throws is sent as `{"type":"error","value":"<type>: <text>"}`. */
export type SocketHandler = (value: unknown, socket: ApiSocket) => void | Promise<void>;

/** What a plugin may touch. It dies with the plugin: everything registered is undone in reverse order on unload. */
export interface PluginContext<Config = unknown> {
  readonly name: string;
  /** The plugin's own section, validated, defaults filled in. */
  readonly config: Config;
  readonly log: Logger;
  /** Aborts on unload. */
  readonly signal: AbortSignal;
  readonly streams: StreamsApi;
  /** The namespace of `core/mod.ts`: what built-in modules import, handed over for files that cannot. */
  readonly core: typeof import("../mod.ts");
  readonly events: {
    /** Tells everyone who listens at `/api/events`. */
    emit(type: string, data: Readonly<Record<string, unknown>>): void;
    on(type: string, listener: (data: Readonly<Record<string, unknown>>) => void): void;
  };
  readonly metrics: Metrics;
  readonly http: Readonly<
    Record<
      "get" | "post" | "put" | "patch" | "delete" | "any",
      (path: string, options: RouteOptions, handler: RouteHandler) => void
    >
  >;
  source(schemes: string | readonly string[], opener: SourceOpener): void;
  sink(schemes: string | readonly string[], opener: SinkOpener): void;
  redirect(schemes: string | readonly string[], redirector: Redirector): void;
  sniffer(name: string, sniffer: Sniffer): void;
  /** Handles `/api/ws` messages of a type. */
  socket(type: string, options: { needs: Need; summary: string }, handler: SocketHandler): void;
  /**
   * Listens for byte streams and owns each connection's task: errors are logged, never lost. `address` is the contract's
   * form, `":8554"` or `"127.0.0.1:8554"`; `logged` is the log's line about it, `listen` by default.
   */
  listen(
    address: string,
    serve: (conn: StreamConn, peer: Peer, signal: AbortSignal) => Promise<void>,
    logged?: string,
  ): Promise<StreamListener>;
  /** Who a peer outside HTTP is: by its address, and by the login it showed if any. `undefined`: wrong login. */
  identify(peer: Peer, login?: { username: string; password: string }): Principal | undefined;
  provide(service: string, value: unknown): void;
  use<T>(service: string): T | undefined;
  /** Runs `undo` on unload, in reverse order. */
  defer(undo: () => void | Promise<void>): void;
}

/** Types a definition; what it answers is what it was given. */
export function definePlugin<Config>(definition: PluginDefinition<Config>): PluginDefinition<Config> {
  return definition;
}

export type { UdpSocket };
