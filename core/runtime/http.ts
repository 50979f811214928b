import { SilentPeers } from "./silent_peers.ts";
import type { HttpListenOptions, HttpPeer, HttpServer, ServerSocket, SocketAddress } from "./types.ts";

type Handler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;
type Listening = Deno.HttpServer<Deno.NetAddr | Deno.UnixAddr>;

/** A listener that failed is opened anew after this long. */
const REOPEN_MS = 500;

/** Serves HTTP/1.1 (and h2 over TLS). `handler` must not reject. Goes on when the system was out of descriptors. */
export function serveHttp(options: HttpListenOptions, handler: Handler): HttpServer {
  return new DenoHttpServer(options, handler);
}

class DenoHttpServer implements HttpServer {
  readonly address: SocketAddress;
  readonly #options: HttpListenOptions;
  readonly #handler: Handler;
  readonly #silent: SilentPeers | undefined;
  #listening: Listening | undefined;
  #reopening: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: HttpListenOptions, handler: Handler) {
    this.#options = options;
    this.#handler = handler;
    const { addr } = this.#open(options);
    this.address = "path" in addr ? { host: "", port: 0, path: addr.path } : { host: addr.hostname, port: addr.port };
    this.#silent = this.address.path === undefined ? SilentPeers.watch(this.address.port) : undefined;
  }

  #open(options: HttpListenOptions): Listening {
    const listening = this.#listening = this.#listen(options);
    // Out of descriptors, the runtime gives the listener up.
    listening.finished.catch((error) => this.#onFailed(error));
    return listening;
  }

  #listen({ host, port, path, tls }: HttpListenOptions): Listening {
    const onError = (error: unknown) => {
      console.error("Unhandled error in an HTTP handler:", error);
      return new Response("Internal Server Error\n", { status: 500 });
    };
    const base = { onListen() {}, onError };
    const serve = (request: Request, { remoteAddr }: Deno.ServeHandlerInfo<Deno.Addr>) =>
      this.#serve(request, remoteAddr);
    if (path !== undefined) {
      return Deno.serve({ ...base, path }, serve as Deno.ServeHandler<Deno.UnixAddr>) as Listening;
    }
    const listen = (hostname: string) =>
      Deno.serve(
        { ...base, hostname, port: port ?? 0, ...(tls ?? {}) },
        serve as Deno.ServeHandler<Deno.NetAddr>,
      ) as Listening;
    try {
      return listen(host || "::");
    } catch (error) {
      if (host || error instanceof Deno.errors.AddrInUse) throw error;
      return listen("0.0.0.0");
    }
  }

  #serve(request: Request, remote: Deno.Addr): Response | Promise<Response> {
    if (!("hostname" in remote)) return this.#handler(request, { host: "", port: 0, transport: "unix" });
    const { hostname, port } = remote;
    this.#silent?.spoke(port);
    return this.#handler(request, { host: hostname, port, transport: this.#options.tls ? "tls" : "tcp" });
  }

  #onFailed(error: unknown): void {
    this.#listening = undefined;
    if (this.#isClosed) return;
    this.#options.onFailure?.(error);
    this.#reopenLater();
  }

  #reopenLater(): void {
    this.#reopening = setTimeout(() => {
      const { tls } = this.#options;
      try {
        this.#open({ ...this.address, ...(tls ? { tls } : {}) });
      } catch {
        // Still out of descriptors.
        this.#reopenLater();
      }
    }, REOPEN_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#reopening);
    await this.#listening?.shutdown();
    this.#silent?.[Symbol.dispose]();
  }
}

/** Answers a WebSocket upgrade: return `response` from the handler, then use `socket`. */
export function upgradeWebSocket(request: Request): { response: Response; socket: ServerSocket } {
  const { response, socket } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.binaryType = "arraybuffer";
  let hasEnded = false;
  const own: ServerSocket = {
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    send: (message) => socket.send(message as string | Uint8Array<ArrayBuffer>),
    close(code, reason) {
      if (socket.readyState <= WebSocket.OPEN) socket.close(code, reason);
    },
    onOpen: undefined,
    onMessage: undefined,
    onClose: undefined,
  };
  const end = () => {
    if (hasEnded) return;
    hasEnded = true;
    own.onClose?.();
  };
  socket.onopen = () => own.onOpen?.();
  socket.onmessage = (event) =>
    own.onMessage?.(typeof event.data === "string" ? event.data : new Uint8Array(event.data as ArrayBuffer));
  socket.onclose = end;
  // An error is always followed by the end of the socket, but not always by a close event.
  socket.onerror = end;
  return { response, socket: own };
}
