/** Starts the server as a process, as a user would. */

/** The command of the server under test; `LENSWIRE_COMMAND` names another build (a compiled file, a bundle). */
export function serverCommand(): string[] {
  const given = Deno.env.get("LENSWIRE_COMMAND");
  if (given) return given.split(" ");
  return [Deno.execPath(), "run", "-A", "--unstable-net", new URL("../../main.ts", import.meta.url).pathname];
}

/** A port of loopback that nobody listens at. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A running server. */
export interface Server extends AsyncDisposable {
  /** `127.0.0.1:port` of the API. */
  readonly api: string;
  readonly rtsp: string;
  readonly pid: number;
  /** The config file it was given. */
  readonly configPath: string;
  /** Everything it has printed so far. */
  output(): string;
  /** Resolves with the first line that matches, printed already or later; rejects after `timeoutMs`. */
  line(pattern: RegExp, timeoutMs?: number): Promise<string>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  json<T>(path: string): Promise<T>;
  /** Ends it and waits for that. */
  stop(signal?: Deno.Signal): Promise<Deno.CommandStatus>;
  /** Resolves when it has ended. */
  readonly status: Promise<Deno.CommandStatus>;
}

/** How the server is started; `config` is the YAML behind the listeners, which take free ports of loopback. */
export interface ServerOptions {
  /** Another build than the one under test. */
  readonly command?: readonly string[];
  readonly config?: string;
  readonly apiPort?: number;
  readonly rtspPort?: number;
  /** Without the usual `api` and `rtsp` sections: the config has its own. */
  readonly isBare?: boolean;
  /** Without any config, in an empty folder. */
  readonly hasNoConfig?: boolean;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Runs inside this network namespace. */
  readonly namespace?: string;
  readonly host?: string;
}

/** Starts a server and waits until it listens. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-test-" });
  const configPath = `${folder}/go2rtc.yaml`;
  const host = options.host ?? "127.0.0.1";
  const { config = "" } = options;
  const webrtc = /^webrtc:/m.test(config) ? "" : `webrtc:\n  listen: "${host}:0"\n  ice_servers: []\n`;
  const isBare = options.isBare || options.hasNoConfig;
  const listeners = isBare
    ? ""
    : `api:\n  listen: "${host}:${options.apiPort ?? 0}"\nrtsp:\n  listen: "${host}:${
      options.rtspPort ?? 0
    }"\n${webrtc}`;
  if (!options.hasNoConfig) await Deno.writeTextFile(configPath, listeners + config);
  const [program, ...args] = options.command ?? serverCommand();
  const configArgs = options.hasNoConfig ? [] : ["-config", configPath];
  const whole = [program!, ...args, ...configArgs, ...options.args ?? []];
  const [head, ...rest] = options.namespace ? ["ip", "netns", "exec", options.namespace, ...whole] : whole;
  const child = new Deno.Command(head!, {
    args: rest,
    cwd: folder,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  let text = "";
  let hasEnded = false;
  const waiters = new Set<() => void>();
  const collect = async (from: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of from) {
      text += decoder.decode(chunk, { stream: true });
      for (const wake of waiters) wake();
    }
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const status = child.status.then(async (status) => {
    await collected;
    hasEnded = true;
    for (const wake of waiters) wake();
    return status;
  });

  const line = (pattern: RegExp, timeoutMs = 20_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiters.delete(look);
        reject(new Error(`No line like ${pattern} within ${timeoutMs} ms; the server said:\n${text}`));
      }, timeoutMs);
      const look = () => {
        const found = text.split("\n").find((one) => pattern.test(one));
        if (found === undefined && !hasEnded) return;
        clearTimeout(timer);
        waiters.delete(look);
        if (found === undefined) reject(new Error(`The server ended before a line like ${pattern}:\n${text}`));
        else resolve(found);
      };
      waiters.add(look);
      look();
    });

  const stop = async (signal: Deno.Signal = "SIGTERM") => {
    try {
      child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    const ended = await status;
    clearTimeout(timer);
    return ended;
  };

  const portOf = async (module: string) => {
    const found = /addr=(?:.*):(\d+)/.exec(await line(new RegExp(`\\[${module}\\] listen addr=`)));
    return Number(found?.[1] ?? 0);
  };
  let api = "";
  let rtsp = "";
  try {
    if (!isBare) {
      rtsp = `${host}:${await portOf("rtsp")}`;
      api = `${host}:${await portOf("api")}`;
    } else {
      api = `${host}:${await portOf("api")}`;
    }
  } catch (error) {
    await stop("SIGKILL");
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
  return {
    api,
    rtsp,
    pid: child.pid,
    configPath,
    status,
    output: () => text,
    line,
    fetch: (path, init) => fetch(`http://${api}${path}`, init),
    json: async (path) => await (await fetch(`http://${api}${path}`)).json(),
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Polls until `read` answers something, at most `timeoutMs`; for states that have no event outside the process. */
export async function until<T>(
  read: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (performance.now() > end) throw new Error(`Nothing came of ${read} within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
