import type { HttpListenOptions, HttpServer, SocketAddress, StreamConn, StreamListener } from "../types.ts";
import { HttpConnection, type HttpConnectionOptions, type HttpHandler } from "./connection.ts";

/** A listener that could accept no more is asked again after this long. */
const RETRY_MS = 500;
/** How long open requests have when the server closes. */
const GRACE_MS = 1500;

/** Serves HTTP/1.1 on a listener, which is the server's from now on. Goes on when the system was out of descriptors. */
export function serveOn(listener: StreamListener, options: HttpListenOptions, handler: HttpHandler): HttpServer {
  return new OwnHttpServer(listener, options, handler);
}

class OwnHttpServer implements HttpServer {
  readonly address: SocketAddress;
  readonly #listener: StreamListener;
  readonly #onFailure: (error: unknown) => void;
  readonly #connectionOptions: HttpConnectionOptions;
  readonly #open = new Map<HttpConnection, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(listener: StreamListener, options: HttpListenOptions, handler: HttpHandler) {
    this.#listener = listener;
    this.address = listener.address;
    this.#onFailure = options.onFailure ?? (() => {});
    const transport = options.path !== undefined ? "unix" : options.tls ? "tls" : "tcp";
    this.#connectionOptions = { handler, transport, defaultHost: `localhost:${this.address.port}` };
    void this.#accept();
  }

  // Never rejects.
  async #accept(): Promise<void> {
    for (let failures = 0; !this.#closing.signal.aborted;) {
      try {
        this.#serve(await this.#listener.accept());
        failures = 0;
      } catch (error) {
        // One alone is a client that has gone again already.
        if (this.#closing.signal.aborted || ++failures === 1) continue;
        this.#onFailure(error);
        await this.#pause(RETRY_MS);
      }
    }
  }

  #serve(conn: StreamConn): void {
    const connection = new HttpConnection(conn, this.#connectionOptions);
    this.#open.set(connection, connection.run().finally(() => this.#open.delete(connection)));
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#listener.close();
    for (const connection of this.#open.keys()) connection.closeWhenIdle();
    const cutOff = setTimeout(() => this.#open.forEach((_, connection) => connection.close()), GRACE_MS);
    await Promise.all(this.#open.values());
    clearTimeout(cutOff);
  }
}
