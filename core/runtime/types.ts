/** What the program needs of the system it runs on; `deno.ts` implements it, and a Node twin can stand beside it. */

/** A socket address: an IP literal and a port, or the path of a unix socket. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
}

/** A connected byte stream (TCP, TLS or unix socket). */
export interface StreamConn {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  /** Reads into `buffer`; answers the count of bytes, or `null` at the end. Rejects once closed. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes` and answers how many; see {@linkcode writeAll}. */
  write(bytes: Uint8Array): Promise<number>;
  /**
   * Writes what the system takes within the call and answers how many bytes that was: 0 when it took none, where it cannot
   * be done, and after an error, which `write` then tells. Never while a `write` is pending; what is left, the same array
   * when all of it is, goes to `write` next.
   */
  writeNow?(bytes: Uint8Array): number;
  /** Closes both directions; closing twice is harmless. */
  close(): void;
}

/** A listener of byte streams. */
export interface StreamListener {
  readonly address: SocketAddress;
  /** Waits for the next connection; rejects once the listener is closed. */
  accept(): Promise<StreamConn>;
  close(): void;
}

/** A UDP socket. */
export interface UdpSocket {
  readonly address: SocketAddress;
  /** Receives one datagram into `buffer`; the answer's `bytes` is a view of it. Rejects once closed. */
  receive(buffer: Uint8Array): Promise<{ bytes: Uint8Array; from: SocketAddress }>;
  send(bytes: Uint8Array, to: SocketAddress): Promise<number>;
  close(): void;
}

/** Certificate and key, as PEM text. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** How a TLS peer is checked. `insecure` skips the certificate check altogether. */
export interface TlsClientOptions {
  readonly serverName?: string;
  readonly insecure?: boolean;
  readonly signal?: AbortSignal;
}

/** Where an HTTP request came from. */
export interface HttpPeer {
  /** IP literal, or `""` on a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly transport: "tcp" | "tls" | "unix";
}

/** A running HTTP server. */
export interface HttpServer {
  readonly address: SocketAddress;
  /** Stops accepting and ends open requests. */
  close(): Promise<void>;
}

/** Where an HTTP server listens: a host and port (`tls` makes it HTTPS), or a unix socket path. */
export interface HttpListenOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly tls?: TlsIdentity;
  /** Called when it can accept no more for now; it tries again by itself. */
  readonly onFailure?: (error: unknown) => void;
}

/** A peer of HTTP that bytes are pushed to as they come. */
export interface ByteSink {
  /** Bytes handed to `send` that the system has not taken yet; also above 0 before it takes any. */
  readonly bufferedAmount: number;
  readonly isOpen: boolean;
  /** Queues bytes, which it has copied when it returns: send only while `bufferedAmount` is 0. Throws when not open. */
  send(bytes: Uint8Array): void;
  close(): void;
  /** Called when `bufferedAmount` has come down to 0. */
  onDrain: (() => void) | undefined;
  /** Called once, when the peer ended it. */
  onClose: (() => void) | undefined;
}

/** The server's side of a WebSocket. */
export interface ServerSocket extends ByteSink {
  /** Queues a message: send only while `bufferedAmount` is 0. Throws when not open. */
  send(message: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  onOpen: (() => void) | undefined;
  onMessage: ((message: string | Uint8Array) => void) | undefined;
  /** Called once, however the socket ended. */
  onClose: (() => void) | undefined;
}

/** A child process with piped streams. */
export interface ChildProcess {
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array> | undefined;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** Resolves with the exit code, whatever ended it. */
  readonly status: Promise<{ code: number; signal: string | null }>;
  kill(signal?: "SIGTERM" | "SIGKILL" | "SIGINT"): void;
}

/** One entry of a folder. */
export interface DirEntry {
  readonly name: string;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
}

/** What is known of a file without opening it. */
export interface FileInfo {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly size: number;
  readonly modifiedMs: number;
  /** Permission bits; `undefined` on Windows. */
  readonly mode: number | undefined;
  /** `undefined` on Windows. */
  readonly owner: FileOwner | undefined;
}

/** Whom a file belongs to. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** A network interface address of this machine. */
export interface InterfaceAddress {
  readonly name: string;
  readonly address: string;
  readonly family: "IPv4" | "IPv6";
  /** In CIDR form, for example `192.168.1.5/24`. */
  readonly cidr: string;
}

/** Memory figures in bytes. */
export interface MemoryUsage {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** What the machine or the cgroup has. */
  readonly limit: number;
}
