import type { Target } from "./dialog.ts";
import { type Metrics, parseMetrics } from "./metrics.ts";

/** The server that stands beside this program, as `deno task start` runs it; `{config}` is the path of a config file. */
export const OWN_COMMAND: string = [
  Deno.execPath(),
  "run",
  "-A",
  "--unstable-net",
  "--v8-flags=--expose-gc",
  new URL("../../main.ts", import.meta.url).pathname,
  "-config",
  "{config}",
].join(" ");

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;

/** A server under test: any program with the same config file and the same URLs. */
export class ServerUnderTest implements AsyncDisposable {
  readonly pid: number;
  /** From the start of the process until it took a connection. */
  listeningMs = 0;
  #isStopping = false;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #apiPort: number;
  readonly #rtspPort: number;

  private constructor(child: Deno.ChildProcess, folder: string, ports: readonly [number, number]) {
    this.#child = child;
    this.pid = child.pid;
    this.#folder = folder;
    [this.#apiPort, this.#rtspPort] = ports;
  }

  /** Starts it with these streams: names and sources, `""` for one that is pushed. */
  static async start(command: string, streams: Readonly<Record<string, string>>): Promise<ServerUnderTest> {
    const folder = await Deno.makeTempDir({ prefix: "lenswire-bench-" });
    const ports = freePorts();
    const config = `${folder}/lenswire.yaml`;
    await Deno.writeTextFile(config, configOf(ports, streams));
    const [program, ...args] = command.trim().split(/\s+/).map((part) => part.replaceAll("{config}", config));
    const startMs = performance.now();
    const child = new Deno.Command(program!, {
      args,
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    const server = new ServerUnderTest(child, folder, ports);
    server.#passOnErrors();
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    for (const port of ports) {
      while (!await takesConnections(port)) {
        if (!hasEnded && performance.now() < startMs + START_LIMIT_MS) continue;
        await server[Symbol.asyncDispose]();
        throw new Error(`"${command}" does not listen to port ${port}`);
      }
      server.listeningMs ||= performance.now() - startMs;
    }
    // Ports may be open a moment before there are streams behind them.
    await (await server.fetch("/api/streams")).bytes();
    return server;
  }

  // What it complains of while it runs; its last words are of no interest.
  async #passOnErrors(): Promise<void> {
    for await (const chunk of this.#child.stderr) if (!this.#isStopping) await Deno.stderr.write(chunk);
  }

  rtsp(path: string): Target {
    return { hostname: "127.0.0.1", port: this.#rtspPort, path };
  }
  http(path: string): Target {
    return { hostname: "127.0.0.1", port: this.#apiPort, path };
  }

  async fetch(path: string): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.#apiPort}${path}`);
  }

  /** What it says of itself; empty for a server that says nothing. */
  async metrics(): Promise<Metrics> {
    const response = await this.fetch("/metrics");
    const text = await response.text();
    return parseMetrics(response.ok ? text : "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_LIMIT_MS);
    await this.#child.status;
    clearTimeout(timer);
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function configOf([api, rtsp]: readonly [number, number], streams: Readonly<Record<string, string>>): string {
  return [
    `api: {listen: "127.0.0.1:${api}"}`,
    `rtsp: {listen: "127.0.0.1:${rtsp}"}`,
    `webrtc: {listen: ""}`,
    "log: {level: error}",
    "streams:",
    ...Object.entries(streams).map(([name, source]) => `  ${name}: ${JSON.stringify(source)}`),
    "",
  ].join("\n");
}

// Free a moment ago: nothing better can be had for a program that does not tell its ports.
function freePorts(): [number, number] {
  using first = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using second = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return [first.addr.port, second.addr.port];
}

/** How often a port is tried. */
const TRY_MS = 2;

async function takesConnections(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    return false;
  }
}
