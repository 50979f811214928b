import { connect, createServer, type Server, type Socket } from "node:net";
import type { StreamConn, StreamListener, TlsIdentity } from "../types.ts";
import { listenAt } from "./bind.ts";
import { NodeConn } from "./conn.ts";
import { errorWithCode } from "./errors.ts";
import { nodeTls } from "./secure.ts";

/** Connections that nobody has accepted yet. */
const MAX_WAITING = 512;

/** Writes all of `bytes`; rejects when the connection ends first. */
export async function writeAll(conn: StreamConn, bytes: Uint8Array): Promise<void> {
  let sent = await conn.write(bytes);
  while (sent < bytes.length) sent += await conn.write(bytes.subarray(sent));
}

/** Connects to a TCP port. An abort of `signal` ends the attempt, not the connection. */
export async function connectTcp(
  to: { host: string; port: number },
  options: { signal?: AbortSignal } = {},
): Promise<StreamConn> {
  options.signal?.throwIfAborted();
  const socket = connect({ ...to, noDelay: true, allowHalfOpen: true });
  await established(socket, "connect", options.signal);
  return new NodeConn(socket);
}

/** Waits until a socket's `event`; an error, or an abort of `signal` until then, ends the socket. */
export async function established(socket: Socket, event: string, signal: AbortSignal | undefined): Promise<void> {
  let onAbort: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      onAbort = () => {
        socket.destroy();
        reject(signal!.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      socket.once(event, resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(errorWithCode("ECONNRESET", "Connection was closed before it was ready")));
    });
  } finally {
    if (onAbort) signal?.removeEventListener("abort", onAbort);
  }
}

/** Listens on a TCP port (0 picks a free one); with `tls`, for TLS. Throws when the port is taken. */
export function listenTcp(options: { host?: string; port: number; tls?: TlsIdentity }): StreamListener {
  // A peer that is gone without a word is noticed in the end also where nothing is sent to it.
  const settings = { noDelay: true, keepAlive: true, allowHalfOpen: true };
  const { tls } = options;
  const server: Server = tls ? nodeTls().createServer({ ...settings, ...tls }) : createServer(settings);
  return new NodeListener(server, tls ? "secureConnection" : "connection", options);
}

/** Listens on a unix socket. Throws when the path is taken. */
export function listenUnix(path: string): StreamListener {
  return new NodeListener(createServer({ allowHalfOpen: true }), "connection", { path });
}

class NodeListener implements StreamListener {
  readonly address;
  readonly #server: Server;
  readonly #waiting: StreamConn[] = [];
  readonly #accepting: { resolve: (conn: StreamConn) => void; reject: (error: Error) => void }[] = [];

  constructor(server: Server, event: string, where: { host?: string; port?: number; path?: string }) {
    this.#server = server;
    // A peer that fails its TLS handshake: nobody's concern here.
    server.on("tlsClientError", () => {});
    server.on(event, (socket: Socket) => this.#onConnection(socket));
    this.address = listenAt(server, where);
    server.on("error", (error: Error) => this.#accepting.shift()?.reject(error));
  }

  #onConnection(socket: Socket): void {
    const conn = new NodeConn(socket);
    const next = this.#accepting.shift();
    if (next) next.resolve(conn);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(conn);
    else conn.close();
  }

  accept(): Promise<StreamConn> {
    const conn = this.#waiting.shift();
    if (conn) return Promise.resolve(conn);
    if (!this.#server.listening) return Promise.reject(closed());
    return new Promise((resolve, reject) => this.#accepting.push({ resolve, reject }));
  }

  close(): void {
    this.#server.close();
    for (const conn of this.#waiting.splice(0)) conn.close();
    for (const { reject } of this.#accepting.splice(0)) reject(closed());
  }
}

function closed(): Error {
  return errorWithCode("ERR_SOCKET_CLOSED", "Listener is closed");
}
