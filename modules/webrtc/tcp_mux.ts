/** ICE over TCP (RFC 6544): framed packets (RFC 4571) on connections that have proven themselves. */
import {
  connectTcp,
  Deadline,
  isDisconnect,
  parseIp,
  slab,
  type SocketAddress,
  type StreamConn,
  type StreamListener,
  timeLimit,
} from "../../core/mod.ts";
import { setImmediate } from "node:timers";
import { familyOf, type IpFamily, ipText } from "./addresses.ts";
import type { IceHub } from "./ice_hub.ts";
import { IcePath } from "./ice_path.ts";
import { isStun } from "./stun.ts";
import { isMedia } from "./udp_mux.ts";

/** What a mux is made of. */
export interface TcpMuxOptions {
  readonly hub: IceHub;
  /** Connections of another family are closed at once. */
  readonly allows?: (family: IpFamily) => boolean;
  readonly maxConnections?: number;
  /** How long a connection has for its first check. */
  readonly firstCheckMs?: number;
}

const MAX_CONNECTIONS = 1024;
const MAX_PENDING = 256;
const MAX_PENDING_OF_HOST = 64;
const FIRST_CHECK_MS = 5000;
const CONNECT_MS = 5000;
const MAX_FRAME_BYTES = 2048;
const LENGTH_BYTES = 2;
const SLAB_BYTES = 16 << 10;
/** What waits for a slow peer at most, in bytes and time; beyond it frames are dropped. */
const MAX_QUEUE_BYTES = 512 << 10;
const MAX_QUEUE_MS = 1500;
/** For single packets: checks must get through when media does not. */
const EXTRA_BYTES = 64 << 10;
/** A peer that takes nothing for so long is gone. */
const STALL_MS = 15_000;
const READS_PER_TURN = 32;

/** A peer at the other end of a connection. */
class TcpPath extends IcePath {
  readonly #conn: StreamConn;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writesSinceMs = 0;
  #isClosed = false;

  constructor(conn: StreamConn, local: SocketAddress, remote: SocketAddress) {
    super("tcp", local, remote);
    this.#conn = conn;
  }

  override get bytesInFlight(): number {
    return this.#queuedBytes;
  }
  override get isClosed(): boolean {
    return this.#isClosed;
  }

  override send(packet: Uint8Array): boolean {
    return this.#enqueue(packet, [0], MAX_QUEUE_BYTES + EXTRA_BYTES, STALL_MS);
  }

  override sendBatch(bytes: Uint8Array, offsets: readonly number[]): number {
    return this.#enqueue(bytes, offsets, MAX_QUEUE_BYTES, MAX_QUEUE_MS) ? offsets.length : 0;
  }

  #enqueue(bytes: Uint8Array, offsets: readonly number[], limit: number, limitMs: number): boolean {
    if (this.#isClosed || offsets.length === 0) return false;
    const size = bytes.length - offsets[0]! + offsets.length * LENGTH_BYTES;
    const waitMs = this.#queue.length > 0 ? performance.now() - this.#writesSinceMs : 0;
    if (this.#queuedBytes + size > limit || waitMs > limitMs) {
      this.packetsDropped += offsets.length;
      if (waitMs > STALL_MS) this.close();
      return false;
    }
    this.#queue.push(frame(bytes, offsets, size));
    this.#queuedBytes += size;
    this.packetsSent += offsets.length;
    this.bytesSent += size;
    if (this.#queue.length === 1) this.#write();
    return true;
  }

  #write(): void {
    this.#writesSinceMs = performance.now();
    this.#conn.write(this.#queue[0]!).then(this.#onWritten, this.#onFailed);
  }

  readonly #onWritten = (count: number): void => {
    this.#queuedBytes -= count;
    const head = this.#queue[0];
    if (this.#isClosed || !head) return;
    if (count < head.length) this.#queue[0] = head.subarray(count);
    else this.#queue.shift();
    if (this.#queue.length > 0) this.#write();
    else this.owner?.onDrained(this);
  };
  readonly #onFailed = (): void => this.close();

  override close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#conn.close();
  }
}

function frame(bytes: Uint8Array, offsets: readonly number[], size: number): Uint8Array {
  const framed = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < offsets.length; i++) {
    const packet = bytes.subarray(offsets[i], offsets[i + 1] ?? bytes.length);
    framed[at] = packet.length >> 8;
    framed[at + 1] = packet.length;
    framed.set(packet, at + LENGTH_BYTES);
    at += LENGTH_BYTES + packet.length;
  }
  return framed;
}

/** Serves the connections of a listener. */
export class TcpMux {
  readonly #options: TcpMuxOptions;
  readonly #pending = new Map<string, number>();
  #pendingCount = 0;
  #count = 0;

  constructor(options: TcpMuxOptions) {
    this.#options = options;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#count;
  }
  /** Connections that have not proven themselves yet. */
  get pending(): number {
    return this.#pendingCount;
  }

  /**
   * Connects to a peer that waits for connections, tells the path, and serves it until its end. Never rejects: a peer that
   * cannot be reached this way may be by another.
   */
  async connect(to: SocketAddress, signal: AbortSignal, onOpen: (path: IcePath) => void): Promise<void> {
    try {
      const conn = await call(to, signal);
      if (signal.aborted) conn.close();
      else await this.serve(conn, signal, onOpen);
    } catch {
      // Nothing listens there, or a firewall is between.
    }
  }

  /** Serves one connection until its end; its first frame must be an authentic check, and come soon. Never rejects for what a peer does. */
  async serve(conn: StreamConn, signal: AbortSignal, onOpen?: (path: IcePath) => void): Promise<void> {
    const ip = parseIp(conn.remoteAddress.host);
    if (!ip || this.#options.allows?.(familyOf(ip)) === false || !this.#admit(ipText(ip))) return conn.close();
    const local = parseIp(conn.localAddress.host);
    const path = new TcpPath(
      conn,
      { host: local ? ipText(local) : conn.localAddress.host, port: conn.localAddress.port },
      { host: ipText(ip), port: conn.remoteAddress.port },
    );
    const stop = () => path.close();
    signal.addEventListener("abort", stop, { once: true });
    const deadline = new Deadline(this.#options.firstCheckMs ?? FIRST_CHECK_MS, stop);
    let isPending = true;
    const onProven = () => {
      if (!isPending) return;
      isPending = false;
      deadline[Symbol.dispose]();
      this.#leavePending(path.remote.host);
    };
    onOpen?.(path);
    try {
      await this.#read(conn, path, onProven);
    } catch (error) {
      if (!isDisconnect(error) && !path.isClosed) throw error;
    } finally {
      onProven();
      this.#count--;
      signal.removeEventListener("abort", stop);
      path.close();
      path.owner?.onPathEnd(path);
    }
  }

  #admit(host: string): boolean {
    const ofHost = this.#pending.get(host) ?? 0;
    const max = this.#options.maxConnections ?? MAX_CONNECTIONS;
    if (this.#count >= max || this.#pendingCount >= MAX_PENDING || ofHost >= MAX_PENDING_OF_HOST) return false;
    this.#count++;
    this.#pendingCount++;
    this.#pending.set(host, ofHost + 1);
    return true;
  }

  #leavePending(host: string): void {
    this.#pendingCount--;
    const ofHost = this.#pending.get(host)! - 1;
    if (ofHost > 0) this.#pending.set(host, ofHost);
    else this.#pending.delete(host);
  }

  // Frames are views of a slab that is never written twice: sessions keep them.
  async #read(conn: StreamConn, path: TcpPath, onProven: () => void): Promise<void> {
    let buffer = slab(MAX_FRAME_BYTES + LENGTH_BYTES);
    let start = 0;
    let end = 0;
    for (let reads = 1; !path.isClosed; reads++) {
      const count = await conn.read(buffer.subarray(end));
      if (count === null) return;
      end += count;
      while (end - start >= LENGTH_BYTES) {
        const size = buffer[start]! << 8 | buffer[start + 1]!;
        if (size > MAX_FRAME_BYTES) return;
        const next = start + LENGTH_BYTES + size;
        if (next > end) break;
        if (size > 0 && !this.#take(buffer.subarray(start + LENGTH_BYTES, next), path)) return;
        start = next;
        if (path.owner) onProven();
        if (path.isClosed) return;
      }
      if (buffer.length - start < MAX_FRAME_BYTES + LENGTH_BYTES || end === buffer.length) {
        const rest = buffer.subarray(start, end);
        buffer = slab(path.owner ? SLAB_BYTES : MAX_FRAME_BYTES + LENGTH_BYTES);
        buffer.set(rest);
        start = 0;
        end = rest.length;
      }
      if (reads % READS_PER_TURN === 0) await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }

  /** Takes a frame; false ends the connection. */
  #take(bytes: Uint8Array, path: TcpPath): boolean {
    const { hub } = this.#options;
    if (isStun(bytes)) {
      if (path.checks.take(performance.now())) return hub.receive(bytes, path) || path.owner !== undefined;
      hub.counters.limited++;
      return true;
    }
    if (!path.owner || !isMedia(bytes)) {
      hub.counters.stranger++;
      return path.owner !== undefined;
    }
    path.owner.onData(bytes, path);
    return true;
  }
}

async function call(to: SocketAddress, signal: AbortSignal): Promise<StreamConn> {
  using limit = timeLimit(CONNECT_MS, () => new Error("The peer did not answer in time"), signal);
  return await connectTcp(to, { signal: limit.signal });
}

/** What opens listeners for a module: `PluginContext.listen`. */
export type OpenListener = (
  address: string,
  serve: (conn: StreamConn, peer: unknown, signal: AbortSignal) => Promise<void>,
) => Promise<StreamListener>;
