import type { Peer } from "../access/types.ts";
import { isDisconnect, listenTcp, type StreamConn, type StreamListener } from "../runtime/mod.ts";
import { listenFault } from "../net/listen_fault.ts";
import { messageOf, StreamError } from "../util/errors.ts";
import type { Logger } from "../util/logger.ts";
import { parseListenAddress } from "./address.ts";

/** Serves one connection until its end; it is closed when that returns, however it does. */
export type ServeConnection = (conn: StreamConn, peer: Peer, signal: AbortSignal) => Promise<void>;

/** What a listener is opened with. */
export interface ListenOptions {
  /** The module, for messages: its address is `<name>.listen` in the config. */
  readonly name: string;
  readonly log: Logger;
  /** The log's line about it. */
  readonly logged?: string;
  readonly maxConnections?: number;
}

const MAX_CONNECTIONS = 2000;
/** How long connections have to end by themselves when the listener closes. */
const GRACE_MS = 1500;
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 1000;

/** A listener with its connections: one that fails touches no other, and accepting goes on whatever happens. */
export class ConnectionListener implements StreamListener {
  readonly #listener: StreamListener;
  readonly #serve: ServeConnection;
  readonly #log: Logger;
  readonly #maxConnections: number;
  readonly #controller = new AbortController();
  readonly #open = new Map<StreamConn, Promise<void>>();
  readonly #accepting: Promise<void>;

  /** Opens the listener and begins to accept; throws a `StreamError` that says what to do when it cannot. */
  constructor(address: string, serve: ServeConnection, options: ListenOptions) {
    this.#listener = open(address, options.name);
    this.#serve = serve;
    this.#log = options.log;
    this.#maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
    const addr = address.endsWith(":0") ? `${address.slice(0, -1)}${this.address.port}` : address;
    this.#log.info(options.logged ?? "listen", { addr });
    this.#accepting = this.#accept();
  }

  get address(): StreamListener["address"] {
    return this.#listener.address;
  }
  get connectionCount(): number {
    return this.#open.size;
  }
  accept(): Promise<StreamConn> {
    return Promise.reject(new TypeError("The connections of this listener are served already"));
  }

  // Never rejects: an error of one connection, or too few file handles, must not end the server.
  async #accept(): Promise<void> {
    const { signal } = this.#controller;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        const conn = await this.#listener.accept();
        pauseMs = FIRST_PAUSE_MS;
        this.#admit(conn);
      } catch (error) {
        if (signal.aborted) return;
        this.#log.limited("accept", "warn", `Accepting a connection failed: ${messageOf(error)}`);
        await pause(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      }
    }
  }

  #admit(conn: StreamConn): void {
    if (this.#open.size >= this.#maxConnections) {
      conn.close();
      const limit = this.#maxConnections;
      return this.#log.limited("full", "warn", `Refused a connection: ${limit} are open already`);
    }
    this.#open.set(conn, this.#run(conn));
  }

  async #run(conn: StreamConn): Promise<void> {
    const { host, port } = conn.remoteAddress;
    const peer: Peer = { host, port, transport: "tcp" };
    try {
      await this.#serve(conn, peer, this.#controller.signal);
    } catch (error) {
      if (!isDisconnect(error) && !this.#controller.signal.aborted) {
        this.#log.limited(messageOf(error), "warn", messageOf(error), { remote: `${host}:${port}` });
      }
    } finally {
      conn.close();
      this.#open.delete(conn);
    }
  }

  /** Stops accepting and has the connections end. */
  close(): void {
    if (this.#controller.signal.aborted) return;
    this.#controller.abort(new StreamError("CLOSED", "the listener was closed"));
    this.#listener.close();
  }

  /**
   * Closes, and resolves when the address is free again and the last connection has ended; those that take too long are
   * cut off.
   */
  async stop(): Promise<void> {
    this.close();
    // A port that is waited at stays taken.
    await this.#accepting;
    if (this.#open.size === 0) return;
    const cutOff = setTimeout(() => {
      for (const conn of this.#open.keys()) conn.close();
    }, GRACE_MS);
    await Promise.race([Promise.all(this.#open.values()), pause(GRACE_MS * 2, undefined)]);
    clearTimeout(cutOff);
  }
}

function open(address: string, name: string): StreamListener {
  const { host, port } = parseListenAddress(address);
  try {
    return listenTcp({ host, port });
  } catch (error) {
    const fault = listenFault(error, port);
    throw new StreamError("BUSY", `Cannot listen on ${address}: ${fault}, set ${name}.listen to another one`, {
      cause: error,
    });
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
