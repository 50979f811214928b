import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { HttpListenOptions, HttpPeer, HttpServer, SocketAddress } from "../types.ts";
import { listenAt } from "./bind.ts";
import { nodeHttps } from "./secure.ts";
import { completeUpgrade } from "./upgrade.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Handler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;

/** A connection that asks nothing for so long is ended. */
const HEADERS_MS = 20_000;
/** Longer than what proxies keep a connection for. */
const KEEP_ALIVE_MS = 75_000;
/** How long open requests have when the server closes. */
const GRACE_MS = 1500;
const HAS_NO_BODY: ReadonlySet<number> = new Set([204, 304]);

/** Serves HTTP/1.1. `handler` must not reject. Goes on when the system was out of descriptors. */
export function serveHttp(options: HttpListenOptions, handler: Handler): HttpServer {
  return new NodeHttpServer(options, handler);
}

class NodeHttpServer implements HttpServer {
  readonly address: SocketAddress;
  readonly #handler: Handler;
  readonly #server: Server;
  readonly #transport: HttpPeer["transport"];

  constructor(options: HttpListenOptions, handler: Handler) {
    this.#handler = handler;
    this.#transport = options.path !== undefined ? "unix" : options.tls ? "tls" : "tcp";
    // An upload may take for ever: its length is the handler's concern.
    const settings = { headersTimeout: HEADERS_MS, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true };
    const server: Server = options.tls
      ? nodeHttps().createServer({ ...settings, ...options.tls })
      : createServer(settings);
    this.#server = server;
    server.on("request", (message, response) => void this.#serve(message, response));
    server.on("upgrade", (message, socket, head) => void this.#upgrade(message, socket as Socket, head));
    this.address = listenAt(server, options);
    server.on("error", (error) => options.onFailure?.(error));
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const leaving = new AbortController();
    response.on("close", () => {
      if (!response.writableFinished) leaving.abort(new DOMException("The client has gone", "AbortError"));
    });
    try {
      await sendResponse(await this.#answer(message, leaving.signal), message, response);
    } catch (error) {
      console.error("Unhandled error in an HTTP handler:", error);
      response.destroy();
    }
  }

  // Never rejects.
  async #answer(message: IncomingMessage, signal: AbortSignal): Promise<Response> {
    const { remoteAddress: host = "", remotePort: port = 0 } = message.socket;
    let request: Request;
    try {
      request = this.#requestOf(message, signal);
    } catch {
      return new Response("Cannot read the request\n", { status: 400, headers: { connection: "close" } });
    }
    try {
      return await this.#handler(request, { host, port, transport: this.#transport });
    } catch (error) {
      console.error("Unhandled error in an HTTP handler:", error);
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }

  #requestOf(message: IncomingMessage, signal: AbortSignal): Request {
    const { method = "GET", url = "/", headers: given } = message;
    const headers = new Headers();
    const { rawHeaders } = message;
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
    const scheme = this.#transport === "tls" ? "https" : "http";
    const whole = url.startsWith("/") ? `${scheme}://${given.host ?? `localhost:${this.address.port}`}${url}` : url;
    const hasBody = (given["content-length"] ?? "0") !== "0" || given["transfer-encoding"] !== undefined;
    if (!hasBody || method === "GET" || method === "HEAD") return new Request(whole, { method, headers, signal });
    const body = Readable.toWeb(message) as ReadableStream<Uint8Array<ArrayBuffer>>;
    return new Request(whole, { method, headers, signal, body, duplex: "half" } as RequestInit);
  }

  async #upgrade(message: IncomingMessage, socket: Socket, head: Uint8Array): Promise<void> {
    const leaving = new AbortController();
    socket.on("error", () => socket.destroy());
    const onClose = () => leaving.abort(new DOMException("The client has gone", "AbortError"));
    socket.on("close", onClose);
    const answer = await this.#answer(message, leaving.signal);
    socket.off("close", onClose);
    if (completeUpgrade(answer, socket, head)) return;
    const response = new ServerResponse(message);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on("finish", () => socket.end());
    await sendResponse(answer, message, response);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      const cutOff = setTimeout(() => {
        this.#server.closeAllConnections();
        resolve();
      }, GRACE_MS);
      this.#server.close(() => {
        clearTimeout(cutOff);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }
}

/** Sends an answer, its body as fast as the client takes it. */
async function sendResponse(from: Response, message: IncomingMessage, to: ServerResponse): Promise<void> {
  const headers: string[] = [];
  for (const [name, value] of from.headers) headers.push(name, value);
  const { body, status } = from;
  if (!body) {
    if (!HAS_NO_BODY.has(status) && message.method !== "HEAD" && !from.headers.has("content-length")) {
      headers.push("content-length", "0");
    }
    to.writeHead(status, headers);
    to.end();
    return;
  }
  const reader = body.getReader();
  // Whoever makes the body learns that nobody takes it.
  to.on("close", () => void reader.cancel().catch(() => {}));
  try {
    const begun = reader.read();
    const first = await soon(begun);
    if (first && !first.done) {
      const next = reader.read();
      if ((await soon(next))?.done && !from.headers.has("content-length")) {
        headers.push("content-length", String(first.value.length));
      }
      if (to.destroyed) return;
      to.writeHead(status, headers);
      await send(first.value, to);
      await pass(next, reader, to);
    } else {
      to.writeHead(status, headers);
      to.flushHeaders();
      await pass(begun, reader, to);
    }
  } catch {
    // The body failed: the client sees it cut off, not complete.
    to.destroy();
  }
}

async function pass(
  next: ReturnType<Reader["read"]>,
  reader: Reader,
  to: ServerResponse,
): Promise<void> {
  for (let piece = await next; !piece.done && !to.destroyed; piece = await reader.read()) await send(piece.value, to);
  to.end();
}

/** What a promise has within this turn of the event loop: then the length of a body is known. */
function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  return Promise.race([promise, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
}

function send(bytes: Uint8Array, to: ServerResponse): Promise<void> | undefined {
  if (to.write(bytes) || to.destroyed) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      to.off("drain", done);
      to.off("close", done);
      resolve();
    };
    to.on("drain", done);
    to.on("close", done);
  });
}
