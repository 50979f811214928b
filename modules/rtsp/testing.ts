/** Runs the module without a kernel, for tests: streams, a listener on a free port, a log that is kept. */
import {
  isDisconnect,
  listenTcp,
  type Logger,
  type Peer,
  type PluginContext,
  type Principal,
  type SourceOpener,
  type StreamConn,
  type StreamListener,
  Streams,
  systemPrincipal,
} from "../../core/mod.ts";
import { parse } from "zod/mini";
import plugin from "./mod.ts";
import { type RtspConfig, rtspSchema } from "./options.ts";

/** What a test server is made of. */
export interface TestServerOptions {
  readonly streams?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly identify?: (peer: Peer, login?: { username: string; password: string }) => Principal | undefined;
  /** Sources by scheme, besides the module's own. */
  readonly sources?: Readonly<Record<string, SourceOpener>>;
}

/** The module, running. */
export class TestServer implements AsyncDisposable {
  readonly streams: Streams;
  readonly log: Logger;
  /** Log lines of level debug and above. */
  readonly lines: string[] = [];
  port = 0;
  readonly #sources: Map<string, SourceOpener>;
  readonly #controller = new AbortController();
  readonly #live = new Set<string>();
  readonly #awaiting: { readonly stream: string; readonly resolve: () => void }[] = [];
  readonly #undo: (() => void | Promise<void>)[] = [];

  private constructor(options: TestServerOptions) {
    this.#sources = new Map(Object.entries(options.sources ?? {}));
    const log = this.log = this.#logger();
    this.streams = new Streams({
      registry: {
        source: (scheme) => this.#sources.get(scheme),
        sink: () => undefined,
        redirect: () => undefined,
        isTrusted: () => false,
        schemes: () => [...this.#sources.keys()],
      },
      store: { set: () => Promise.resolve(), remove: () => Promise.resolve(), has: () => false },
      log,
      logOf: () => log,
      emit: (type, data) => this.#onEvent(type, data),
    });
    this.streams.configure({ streams: options.streams ?? {} });
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options);
    const config = parse(rtspSchema, { listen: "127.0.0.1:0", ...options.config });
    await plugin.setup(server.#context(config, options));
    return server;
  }

  /** The address of a stream, query included. */
  url(path: string): string {
    return `rtsp://127.0.0.1:${this.port}/${path}`;
  }

  /** Resolves when a source of the stream has gone live. */
  live(stream: string): Promise<void> {
    if (this.#live.has(stream)) return Promise.resolve();
    return new Promise((resolve) => this.#awaiting.push({ stream, resolve }));
  }

  #onEvent(type: string, { stream, state }: Readonly<Record<string, unknown>>): void {
    if (type !== "source" || typeof stream !== "string" || state !== "live") return;
    this.#live.add(stream);
    for (const one of this.#awaiting) if (one.stream === stream) one.resolve();
  }

  #logger(): Logger {
    const write = (level: string) => (message: string, fields: object = {}) => {
      this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
    return {
      trace() {},
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      limited: (_key, level, message, fields) => write(level)(message, fields),
    };
  }

  #context(config: RtspConfig, options: TestServerOptions): PluginContext<RtspConfig> {
    const unused = () => {
      throw new Error("The test server has no such thing");
    };
    return {
      name: "rtsp",
      config,
      log: this.log,
      signal: this.#controller.signal,
      streams: this.streams,
      get core() {
        return unused();
      },
      events: { emit() {}, on() {} },
      metrics: { counter: unused, gauge: unused },
      http: { get: unused, post: unused, put: unused, patch: unused, delete: unused, any: unused },
      source: (schemes, opener) => {
        for (const scheme of typeof schemes === "string" ? [schemes] : schemes) this.#sources.set(scheme, opener);
      },
      sink() {},
      redirect: unused,
      sniffer: unused,
      socket: unused,
      listen: (address, serve) => Promise.resolve(this.#listen(address, serve)),
      identify: options.identify ?? (() => systemPrincipal),
      provide() {},
      use: () => undefined,
      defer: (undo) => void this.#undo.push(undo),
    };
  }

  #listen(
    address: string,
    serve: (conn: StreamConn, peer: Peer, signal: AbortSignal) => Promise<void>,
  ): StreamListener {
    const [host = "", port = ""] = address.split(":");
    const listener = listenTcp({ host, port: Number(port) });
    this.port = listener.address.port;
    const { signal } = this.#controller;
    const open = new Set<Promise<void>>();
    const accept = async () => {
      for (;;) {
        let conn: StreamConn;
        try {
          conn = await listener.accept();
        } catch {
          // The listener was closed.
          return;
        }
        const peer: Peer = { ...conn.remoteAddress, transport: "tcp" };
        const served = serve(conn, peer, signal).catch((error) => {
          if (!isDisconnect(error)) this.lines.push(`error ${error}`);
        }).finally(() => {
          conn.close();
          open.delete(served);
        });
        open.add(served);
      }
    };
    const accepting = accept();
    this.#undo.push(async () => {
      listener.close();
      await accepting;
      await Promise.all(open);
    });
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.streams.close();
    for (const undo of this.#undo.reverse()) await undo();
  }
}
