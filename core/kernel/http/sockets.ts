import type { Access } from "../../access/access.ts";
import { isSameHost } from "../../access/origin.ts";
import type { Need } from "../../access/types.ts";
import { type ServerSocket, upgradeWebSocket } from "../../runtime/mod.ts";
import { messageOf } from "../../util/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { ApiSocket, RouteRequest, SocketHandler } from "../plugin.ts";
import { textResponse } from "./responses.ts";

/** A message type that somebody handles. */
export interface SocketMessageType {
  readonly type: string;
  readonly needs: Need;
  readonly summary: string;
  readonly owner: string;
}

interface Registered extends SocketMessageType {
  readonly handler: SocketHandler;
}

const MAX_SOCKETS = 4000;
const MAX_MESSAGE_CHARS = 256 << 10;
const MAX_IN_FLIGHT = 32;
/** Messages that a client does not take; media waits for its turn and does not count. */
const MAX_BUFFERED_BYTES = 16 << 20;

/** What sockets work with. */
export interface ApiSocketsOptions {
  readonly access: Access;
  readonly log: Logger;
  mask(text: string): string;
  /** Makes the upgrade; tests bring their own. */
  readonly upgrade?: (request: Request) => { response: Response; socket: ServerSocket };
}

/** The WebSockets of `/api/ws` and who handles their messages (contract §4). */
export class ApiSockets {
  readonly #options: ApiSocketsOptions;
  readonly #handlers = new Map<string, Registered>();
  readonly #open = new Set<Session>();

  constructor(options: ApiSocketsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Registers a handler; the answer removes it. Throws when the type has one. */
  add(type: string, options: { needs: Need; summary: string }, handler: SocketHandler, owner: string): () => void {
    const taken = this.#handlers.get(type);
    if (taken) {
      const whom = `plugins "${taken.owner}" and "${owner}"`;
      throw new Error(`Message "${type}" of /api/ws is claimed by ${whom}, only one of them can have it`);
    }
    const registered: Registered = { type, ...options, owner, handler };
    this.#handlers.set(type, registered);
    return () => {
      if (this.#handlers.get(type) === registered) this.#handlers.delete(type);
    };
  }

  types(): SocketMessageType[] {
    return [...this.#handlers.values()].sort((a, b) => a.type < b.type ? -1 : 1);
  }

  /** The route's handler. */
  readonly serve = (request: RouteRequest): Response => {
    const { access } = this.#options;
    const { headers } = request.request;
    const isUpgrade = headers.get("upgrade")?.toLowerCase() === "websocket" &&
      /\bupgrade\b/i.test(headers.get("connection") ?? "");
    if (request.request.method !== "GET" || !isUpgrade || !headers.get("sec-websocket-key")) {
      return textResponse(400, "Expected a WebSocket upgrade", { upgrade: "websocket" });
    }
    if (headers.get("sec-websocket-version") !== "13") {
      return textResponse(426, "Expected version 13 of WebSocket", {
        upgrade: "websocket",
        "sec-websocket-version": "13",
      });
    }
    const origin = headers.get("origin");
    const host = headers.get("host") ?? request.url.host;
    if (origin !== null && access.settings.api.origin !== "*" && !isSameHost(origin, host)) {
      return textResponse(403, `Pages of other sites may not connect, set api.origin to "*" to let them`);
    }
    if (this.#open.size >= MAX_SOCKETS) return textResponse(503, "Too many open sockets");
    // The upgrade closes the request: what it says is read before.
    const userAgent = headers.get("user-agent") ?? "";
    const { response, socket } = (this.#options.upgrade ?? upgradeWebSocket)(request.request);
    const session = new Session(socket, request, userAgent, {
      find: (type) => this.#handlers.get(type),
      isLetIn: () => access.isLetIn(request.principal),
      refusal: (needs, camera) => access.check(request.principal, needs, camera)?.message,
      mask: this.#options.mask,
      log: this.#options.log,
      onEnd: () => this.#open.delete(session),
    });
    this.#open.add(session);
    return response;
  };

  /** Ends the sockets of those who may not have what they have any more. */
  recheck(): void {
    for (const session of [...this.#open]) session.recheck();
  }

  /** Ends all sockets. */
  close(): void {
    for (const session of [...this.#open]) session.close(1001, "the server stops");
  }
}

interface SessionOptions {
  find(type: string): Registered | undefined;
  isLetIn(): boolean;
  /** Why the caller may not. */
  refusal(needs: Need, camera: string | null): string | undefined;
  mask(text: string): string;
  readonly log: Logger;
  onEnd(): void;
}

/** One socket. */
class Session implements ApiSocket {
  readonly principal;
  readonly query: URLSearchParams;
  readonly remoteAddr: string;
  readonly userAgent: string;
  readonly socket: ServerSocket;
  readonly #options: SessionOptions;
  readonly #controller = new AbortController();
  readonly #undo: (() => void)[] = [];
  readonly #needs = new Set<Need>();
  #inFlight = 0;

  constructor(socket: ServerSocket, request: RouteRequest, userAgent: string, options: SessionOptions) {
    this.socket = socket;
    this.principal = request.principal;
    this.query = request.query;
    this.remoteAddr = request.remoteAddr;
    this.userAgent = userAgent;
    this.#options = options;
    socket.onMessage = (message) => this.#receive(message);
    socket.onClose = () => this.#end();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  #receive(message: string | Uint8Array): void {
    // Media flows to the client only.
    if (typeof message !== "string" || this.signal.aborted) return;
    if (message.length > MAX_MESSAGE_CHARS) return this.close(1009, "message too long");
    let parsed: unknown;
    try {
      parsed = JSON.parse(message);
    } catch {
      // Not of this protocol (contract §4.1).
      return this.close(1003, "expected JSON");
    }
    const { type, value } = (parsed ?? {}) as { type?: unknown; value?: unknown };
    const found = typeof type === "string" ? this.#options.find(type) : undefined;
    if (!found) return;
    if (this.#inFlight >= MAX_IN_FLIGHT) return this.close(1008, "too many messages at once");
    this.#inFlight++;
    this.#handle(found, value).finally(() => this.#inFlight--);
  }

  // Never rejects.
  async #handle(found: Registered, value: unknown): Promise<void> {
    try {
      const refusal = this.#refusal(found.needs);
      if (refusal) throw new Error(refusal);
      this.#needs.add(found.needs);
      await found.handler(value, this);
    } catch (error) {
      if (this.signal.aborted) return;
      const text = this.#options.mask(messageOf(error));
      this.#options.log.debug(`${found.type}: ${text}`, { remote: this.remoteAddr });
      this.send("error", `${found.type}: ${text}`);
    }
  }

  #refusal(needs: Need): string | undefined {
    return this.#options.refusal(needs, this.query.get("src") ?? this.query.get("dst"));
  }

  recheck(): void {
    const isRefused = !this.#options.isLetIn() || [...this.#needs].some((needs) => this.#refusal(needs));
    if (isRefused) this.close(1008, "the right to this was taken away");
  }

  send(type: string, value?: unknown): void {
    if (!this.socket.isOpen) return;
    if (this.socket.bufferedAmount > MAX_BUFFERED_BYTES) return this.close(1008, "takes none of its messages");
    const isEmpty = value === undefined || value === null || value === "";
    try {
      this.socket.send(JSON.stringify(isEmpty ? { type } : { type, value }));
    } catch {
      // It closed in the meantime, which has its own event.
    }
  }

  defer(undo: () => void): void {
    if (this.signal.aborted) this.#run(undo);
    else this.#undo.push(undo);
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason);
    this.#end();
  }

  #end(): void {
    if (this.signal.aborted) return;
    this.#controller.abort();
    for (const undo of this.#undo.splice(0).reverse()) this.#run(undo);
    this.#options.onEnd();
  }

  #run(undo: () => void): void {
    try {
      undo();
    } catch (error) {
      this.#options.log.warn(`Cleaning up a socket failed: ${messageOf(error)}`);
    }
  }
}
