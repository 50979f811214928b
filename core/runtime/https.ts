import { SilentPeers } from "./silent_peers.ts";
import type { HttpListenOptions, HttpPeer, HttpServer, ServerSocket, SocketAddress, TlsIdentity } from "./types.ts";

type Handler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;
type Listening = Deno.HttpServer<Deno.NetAddr>;
type HttpsOptions = HttpListenOptions & { readonly tls: TlsIdentity };

/** A listener that failed is opened anew after this long. */
const REOPEN_MS = 500;

/** Serves HTTP/1.1 and h2 over TLS. `handler` must not reject. Goes on when the system was out of descriptors. */
export function serveHttps(options: HttpsOptions, handler: Handler): HttpServer {
  return new DenoHttpsServer(options, handler);
}

class DenoHttpsServer implements HttpServer {
  readonly address: SocketAddress;
  readonly #options: HttpsOptions;
  readonly #handler: Handler;
  readonly #silent: SilentPeers | undefined;
  #listening: Listening | undefined;
  #reopening: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: HttpsOptions, handler: Handler) {
    this.#options = options;
    this.#handler = handler;
    const { addr } = this.#open(options);
    this.address = { host: addr.hostname, port: addr.port };
    this.#silent = SilentPeers.watch(addr.port);
  }

  #open(options: HttpsOptions): Listening {
    const listening = this.#listening = this.#listen(options);
    // Out of descriptors, the runtime gives the listener up.
    listening.finished.catch((error) => this.#onFailed(error));
    return listening;
  }

  #listen({ host, port = 0, tls }: HttpsOptions): Listening {
    const onError = (error: unknown) => {
      console.error("Unhandled error in an HTTP handler:", error);
      return new Response("Internal Server Error\n", { status: 500 });
    };
    const listen = (hostname: string) =>
      Deno.serve({ onListen() {}, onError, hostname, port, ...tls }, (request, { remoteAddr }) => {
        this.#silent?.spoke(remoteAddr.port);
        return this.#handler(request, { host: remoteAddr.hostname, port: remoteAddr.port, transport: "tls" });
      });
    try {
      return listen(host || "::");
    } catch (error) {
      if (host || error instanceof Deno.errors.AddrInUse) throw error;
      return listen("0.0.0.0");
    }
  }

  #onFailed(error: unknown): void {
    this.#listening = undefined;
    if (this.#isClosed) return;
    this.#options.onFailure?.(error);
    this.#reopenLater();
  }

  #reopenLater(): void {
    this.#reopening = setTimeout(() => {
      try {
        this.#open({ ...this.address, tls: this.#options.tls });
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

/** How often a socket that has something left is asked again: the runtime tells nobody when it is gone. */
const POLL_MS = 4;

/** Answers a WebSocket upgrade: return `response` from the handler, then use `socket`. */
export function upgradeHttps(request: Request): { response: Response; socket: ServerSocket } {
  const { response, socket } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  return { response, socket: new DenoSocket(socket) };
}

class DenoSocket implements ServerSocket {
  readonly #socket: WebSocket;
  #hasEnded = false;
  #polling: ReturnType<typeof setTimeout> | undefined;
  onOpen: (() => void) | undefined;
  onMessage: ((message: string | Uint8Array) => void) | undefined;
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.onOpen?.();
    socket.onmessage = ({ data }) =>
      this.onMessage?.(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
    // An error is always followed by the end of the socket, but not always by a close event.
    socket.onclose = socket.onerror = () => this.#end();
  }

  // Something is left for a moment after each message: only who is told of it is waited for.
  get bufferedAmount(): number {
    const { bufferedAmount } = this.#socket;
    if (bufferedAmount > 0) this.#polling ??= setTimeout(this.#poll, POLL_MS);
    return bufferedAmount;
  }
  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: string | Uint8Array): void {
    this.#socket.send(message as string | Uint8Array<ArrayBuffer>);
  }

  readonly #poll = (): void => {
    const isDrained = this.#socket.bufferedAmount === 0;
    this.#polling = isDrained || this.#hasEnded ? undefined : setTimeout(this.#poll, POLL_MS);
    if (isDrained) this.onDrain?.();
  };

  close(code?: number, reason?: string): void {
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close(code, reason);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#polling);
    this.onClose?.();
  }
}
