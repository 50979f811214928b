/** The system as Deno gives it; HTTP is beside it. */
import { DirectWriter } from "./accel_tcp.ts";
import type {
  ChildProcess,
  DirEntry,
  FileInfo,
  FileOwner,
  InterfaceAddress,
  MemoryUsage,
  SocketAddress,
  StreamConn,
  StreamListener,
  TlsClientOptions,
  TlsIdentity,
  UdpSocket,
} from "./types.ts";

function address(addr: Deno.Addr): SocketAddress {
  if (addr.transport === "tcp" || addr.transport === "udp") return { host: addr.hostname, port: addr.port };
  return { host: "", port: 0, ...("path" in addr && addr.path ? { path: addr.path } : {}) };
}

class DenoConn implements StreamConn {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  #conn: Deno.Conn;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    this.localAddress = address(conn.localAddr);
    this.remoteAddress = address(conn.remoteAddr);
  }
  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer);
  }
  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }
  close(): void {
    try {
      this.#conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

class DenoTcpConn extends DenoConn {
  /** By both addresses: when a peer is back from the same port before its lost connection is closed, the newer one. */
  static readonly #open = new Map<string, DenoTcpConn>();
  readonly #key: string;
  // `null`: there is none.
  #direct: DirectWriter | null | undefined;

  constructor(conn: Deno.Conn) {
    super(conn);
    const { localAddress: local, remoteAddress: remote } = this;
    this.#key = `${local.host} ${local.port} ${remote.host} ${remote.port}`;
    // What a lost one would find by its addresses is the other.
    const lost = DenoTcpConn.#open.get(this.#key);
    if (lost) lost.#direct ??= null;
    DenoTcpConn.#open.set(this.#key, this);
  }

  writeNow(bytes: Uint8Array): number {
    if (this.#direct === undefined) this.#direct = DirectWriter.of(this.localAddress, this.remoteAddress) ?? null;
    return this.#direct?.write(bytes) ?? 0;
  }
  override close(): void {
    if (DenoTcpConn.#open.get(this.#key) === this) DenoTcpConn.#open.delete(this.#key);
    this.#direct?.[Symbol.dispose]();
    this.#direct = null;
    super.close();
  }
}

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
  const conn = await Deno.connect({
    hostname: to.host,
    port: to.port,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  conn.setNoDelay(true);
  return new DenoTcpConn(conn);
}

/** Connects to a TLS port; the certificate is checked unless `insecure`. */
export async function connectTls(
  to: { host: string; port: number },
  options: TlsClientOptions = {},
): Promise<StreamConn> {
  if (options.insecure) return await connectTlsUnchecked(to, options);
  options.signal?.throwIfAborted();
  const tcp = await Deno.connect({
    hostname: to.host,
    port: to.port,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  let conn = new DenoConn(tcp);
  const stop = () => conn.close();
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    tcp.setNoDelay(true);
    const tls = await Deno.startTls(tcp, { hostname: options.serverName ?? to.host });
    conn = new DenoConn(tls);
    options.signal?.throwIfAborted();
    await tls.handshake();
    return conn;
  } catch (error) {
    stop();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

// Deno's own TLS client cannot skip the check of a self-signed end certificate, which most cameras have.
async function connectTlsUnchecked(to: { host: string; port: number }, options: TlsClientOptions): Promise<StreamConn> {
  options.signal?.throwIfAborted();
  const [{ connect }, { Duplex }] = await Promise.all([import("node:tls"), import("node:stream")]);
  const socket = connect({ host: to.host, port: to.port, rejectUnauthorized: false });
  const stop = () => socket.destroy(new Error("Connection attempt was aborted"));
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    });
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  const { readable, writable } = Duplex.toWeb(socket) as unknown as {
    readable: ReadableStream<Uint8Array>;
    writable: WritableStream<Uint8Array>;
  };
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let rest: Uint8Array | undefined;
  return {
    localAddress: { host: socket.localAddress ?? "", port: socket.localPort ?? 0 },
    remoteAddress: { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
    async read(buffer) {
      if (!rest || rest.length === 0) {
        const { value, done } = await reader.read();
        if (done) return null;
        rest = value;
      }
      const count = Math.min(rest!.length, buffer.length);
      buffer.set(rest!.subarray(0, count));
      rest = rest!.subarray(count);
      return count;
    },
    async write(bytes) {
      await writer.write(bytes);
      return bytes.length;
    },
    close: () => void socket.destroy(),
  };
}

/** Listens on a TCP port (0 picks a free one); with `tls`, for TLS. Throws when the port is taken. */
export function listenTcp(options: { host?: string; port: number; tls?: TlsIdentity }): StreamListener {
  const where = { hostname: options.host || "::", port: options.port };
  if (options.tls) return listening(Deno.listenTls({ ...where, ...options.tls }), asServed(DenoConn));
  return listening(listenDual(where), asServed(DenoTcpConn));
}

/** Listens on a unix socket. Throws when the path is taken. */
export function listenUnix(path: string): StreamListener {
  return listening(Deno.listen({ transport: "unix", path }), (conn) => new DenoConn(conn));
}

// A peer that is gone without a word is noticed in the end also where nothing is sent to it.
function asServed(Conn: new (conn: Deno.Conn) => StreamConn): (conn: Deno.Conn) => StreamConn {
  return (conn) => {
    if ("setKeepAlive" in conn) {
      (conn as Deno.TcpConn).setNoDelay(true);
      (conn as Deno.TcpConn).setKeepAlive(true);
    }
    return new Conn(conn);
  };
}

function listening(listener: Deno.Listener, connOf: (conn: Deno.Conn) => StreamConn): StreamListener {
  return {
    address: address(listener.addr),
    async accept() {
      for (;;) {
        try {
          return connOf(await listener.accept());
        } catch (error) {
          // A client that has gone again already: the next one is behind it.
          if (!(error instanceof Deno.errors.NotConnected)) throw error;
        }
      }
    },
    close() {
      try {
        listener.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
    },
  };
}

// "::" takes IPv4 too; a machine without IPv6 listens on IPv4 alone.
function listenDual(where: { hostname: string; port: number }): Deno.Listener {
  try {
    return Deno.listen(where);
  } catch (error) {
    if (where.hostname !== "::" || error instanceof Deno.errors.AddrInUse) throw error;
    return Deno.listen({ ...where, hostname: "0.0.0.0" });
  }
}

/** Opens a UDP socket (port 0 picks a free one). */
export function listenUdp(options: { host?: string; port: number }): UdpSocket {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: options.host ?? "0.0.0.0", port: options.port });
  return {
    address: address(socket.addr),
    async receive(buffer) {
      const [bytes, from] = await socket.receive(buffer);
      return { bytes, from: address(from) };
    },
    send: (bytes, to) => socket.send(bytes, { transport: "udp", hostname: to.host, port: to.port }),
    close() {
      try {
        socket.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
    },
  };
}

/** Starts a program in a process group of its own. Throws `NotFound` when there is no such program. */
export function spawn(
  command: string,
  args: readonly string[],
  options: { stdin?: boolean; env?: Record<string, string>; cwd?: string } = {},
): ChildProcess {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: options.stdin ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
    ...(options.env ? { env: options.env } : {}),
    ...(options.cwd ? { cwd: options.cwd } : {}),
  }).spawn();
  return {
    pid: child.pid,
    stdin: options.stdin ? child.stdin : undefined,
    stdout: child.stdout,
    stderr: child.stderr,
    status: child.status.then(({ code, signal }) => ({ code, signal })),
    kill(signal = "SIGTERM") {
      try {
        child.kill(signal);
      } catch (error) {
        if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
      }
    },
  };
}

/** Files; every function rejects with an error that `isNotFound` can tell apart. */
export const files = {
  read: (path: string | URL): Promise<Uint8Array> => Deno.readFile(path),
  readText: (path: string | URL): Promise<string> => Deno.readTextFile(path),
  readTextSync: (path: string | URL): string => Deno.readTextFileSync(path),
  write: (path: string, data: Uint8Array | string): Promise<void> =>
    typeof data === "string" ? Deno.writeTextFile(path, data) : Deno.writeFile(path, data),
  /** Writes a file that is not there yet, with no more than these permission bits; resolves when it is on the disk. */
  async create(path: string, text: string, mode: number): Promise<void> {
    using file = await Deno.open(path, { write: true, createNew: true, mode });
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
    await file.sync();
  },
  append: (path: string, text: string): Promise<void> => Deno.writeTextFile(path, text, { append: true }),
  rename: (from: string, to: string): Promise<void> => Deno.rename(from, to),
  remove: (path: string): Promise<void> => Deno.remove(path, { recursive: true }),
  makeDir: (path: string): Promise<void> => Deno.mkdir(path, { recursive: true }),
  /** Sets the permission bits, where the system has them. */
  setMode: (path: string, mode: number): Promise<void> => Deno.chmod(path, mode),
  setOwner: (path: string, { uid, gid }: FileOwner): Promise<void> => Deno.chown(path, uid, gid),
  realPath: (path: string): Promise<string> => Deno.realPath(path),
  async info(path: string | URL): Promise<FileInfo> {
    const stat = await Deno.stat(path);
    return {
      mode: stat.mode === null ? undefined : stat.mode & 0o7777,
      isFile: stat.isFile,
      isDirectory: stat.isDirectory,
      size: stat.size,
      modifiedMs: stat.mtime?.getTime() ?? 0,
      owner: stat.uid === null || stat.gid === null ? undefined : { uid: stat.uid, gid: stat.gid },
    };
  },
  async list(path: string): Promise<DirEntry[]> {
    const entries: DirEntry[] = [];
    for await (const { name, isFile, isDirectory } of Deno.readDir(path)) entries.push({ name, isFile, isDirectory });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  /** Calls `onChange` with the paths that changed until `signal` aborts. */
  watch(path: string, onChange: (paths: string[]) => void, signal: AbortSignal): void {
    const watcher = Deno.watchFs(path);
    const stop = () => watcher.close();
    signal.addEventListener("abort", stop, { once: true });
    (async () => {
      // What was noticed before the end may come after it.
      for await (const event of watcher) if (!signal.aborted) onChange(event.paths);
    })().catch(() => signal.removeEventListener("abort", stop));
  },
};

/** Whether a file, host or program was missing. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound;
}

/** Whether a port or path is in use by somebody else. */
export function isAddressInUse(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse;
}

/** Whether the peer or this side ended the connection: not worth an error line of its own. */
export function isDisconnect(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.UnexpectedEof;
}

/** The process itself. */
export const process = {
  pid: Deno.pid,
  args: Deno.args as readonly string[],
  platform: Deno.build.os as string,
  arch: Deno.build.arch as string,
  runtimeVersion: `deno ${Deno.version.deno}`,
  executable: (): string => Deno.execPath(),
  /** Whether the program is one file, and not run by a runtime that is a file of its own. */
  isStandalone: Deno.build.standalone,
  /** The names it was started by, links not followed where the system tells them. */
  startedAs,
  /** Whether it can import TypeScript that is not inside it; a compiled file can since Deno 2.8.2. */
  readsTypeScript: !Deno.build.standalone || isSince([2, 8, 2], Deno.version.deno),
  cwd: (): string => Deno.cwd(),
  env: (name: string): string | undefined => Deno.env.get(name),
  allEnv: (): Record<string, string> => Deno.env.toObject(),
  exit: (code: number): never => Deno.exit(code),
  isStdoutTerminal: (): boolean => Deno.stdout.isTerminal(),
  writeStdout(text: string): void {
    writeFully(Deno.stdout, text);
  },
  writeStderr(text: string): void {
    writeFully(Deno.stderr, text);
  },
  async readStdin(): Promise<string> {
    return await new Response(Deno.stdin.readable).text();
  },
  memory(): MemoryUsage {
    const { rss, heapUsed, external } = Deno.memoryUsage();
    return { rss, heapUsed, external, limit: memoryLimit() };
  },
  /** Calls `handler` on SIGINT or SIGTERM (SIGINT alone on Windows); answers a function that stops listening. */
  onTermination(handler: (signal: string) => void): () => void {
    const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
    const listeners = signals.map((name) => {
      const listener = () => handler(name);
      Deno.addSignalListener(name, listener);
      return () => Deno.removeSignalListener(name, listener);
    });
    return () => listeners.forEach((stop) => stop());
  },
  /** Calls `handler` for errors and rejections nobody caught; the process then lives on. */
  onUncaught(handler: (error: unknown) => void): void {
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      handler(event.reason);
    });
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      handler(event.error);
    });
  },
  interfaces: (): InterfaceAddress[] =>
    Deno.networkInterfaces().map(({ name, address, family, cidr }) => ({ name, address, family, cidr })),
  hostname: (): string => Deno.hostname(),
  /** Starts this program again, detached from the terminal, and answers its pid. */
  startDetached(args: readonly string[]): number {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    child.unref();
    return child.pid;
  },
};

// Deno tells it only through Node's `process`, which would make an idle program some MB larger.
function startedAs(): string[] {
  try {
    return Deno.readTextFileSync("/proc/self/cmdline").split("\0", 1);
  } catch {
    return [Deno.execPath()];
  }
}

function isSince(first: readonly number[], version: string): boolean {
  const parts = version.split(".").map((part) => Number.parseInt(part));
  const differs = first.findIndex((part, i) => part !== parts[i]);
  return differs < 0 || parts[differs]! > first[differs]!;
}

function writeFully(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(to.writeSync(bytes));
  } catch {
    // Nobody reads the log: the program goes on without it.
  }
}

let cachedLimit = 0;
function memoryLimit(): number {
  if (cachedLimit > 0) return cachedLimit;
  cachedLimit = Deno.systemMemoryInfo().total;
  for (const path of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const limit = Number(Deno.readTextFileSync(path).trim());
      if (limit > 0 && limit < cachedLimit) cachedLimit = limit;
    } catch {
      // No such cgroup file here: the machine's memory is the limit.
    }
  }
  return cachedLimit;
}

/** A buffer for incoming bytes. Views of it are handed out, so it is never overwritten. */
export function slab(sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes);
}
