/** One UDP socket per address of this machine, all on one port, for all sessions. */
import {
  isAddressInUse,
  listenFault,
  listenUdp,
  type Logger,
  messageOf,
  slab,
  type SocketAddress,
  type UdpSocket,
} from "../../core/mod.ts";
import { setImmediate } from "node:timers";
import { hostPort, isLoopback } from "./addresses.ts";
import type { IceHub } from "./ice_hub.ts";
import { StrangerLimits } from "./ice_limits.ts";
import { IcePath } from "./ice_path.ts";
import type { LocalAddress } from "./filters.ts";
import { isStun } from "./stun.ts";

/**
 * Sends a frame's packets in few system calls, at once; answers how many the system took, from the first on. It may hold
 * the port: it is disposed of with its socket.
 */
export interface BatchSender extends Disposable {
  send(bytes: Uint8Array, offsets: readonly number[], to: SocketAddress): number;
}

/** An address that nothing is received at, and why. */
export interface ListenFailure {
  readonly where: string;
  readonly cause: string;
}

/** What a mux is opened with. */
export interface UdpMuxOptions {
  readonly hub: IceHub;
  readonly log: Logger;
  /** 0: any free one. */
  readonly port: number;
  /** Where to look for a port when `port` is 0. */
  readonly portRange?: readonly [number, number] | undefined;
  /** Makes an accelerated sender for a socket, where there is one. */
  readonly batchOf?: ((socket: UdpSocket) => BatchSender | undefined) | undefined;
}

/** The largest datagram that is taken whole. */
const MAX_DATAGRAM_BYTES = 2048;
const SLAB_BYTES = 64 << 10;
/** Datagrams to one peer that the system may hold: a keyframe's, and some more. */
const MAX_PACKETS_IN_FLIGHT = 512;
const MAX_SOCKET_PACKETS_IN_FLIGHT = 16_384;
/** After so many datagrams others get their turn: a receive that finds one never waits. */
const DATAGRAMS_PER_TURN = 64;
const MAX_FAILURES = 50;
const MAX_PAUSE_MS = 1000;
const PORT_TRIES = 200;

/** DTLS (RFC 7983 §7, without the types that nothing of ours has) and RTP or RTCP. */
export function isMedia(bytes: Uint8Array): boolean {
  const first = bytes.length > 0 ? bytes[0]! : 0;
  return (first >= 20 && first <= 23) || (first >= 128 && first <= 191);
}

class MuxSocket {
  readonly udp: UdpSocket;
  readonly address: SocketAddress;
  readonly isLoopback: boolean;
  readonly family: number;
  readonly batch: BatchSender | undefined;
  // By host and port: two steps, so that no key has to be made for a datagram.
  readonly paths = new Map<string, Map<number, UdpPath>>();
  packetsInFlight = 0;
  isClosed = false;

  constructor(udp: UdpSocket, local: LocalAddress, batch: BatchSender | undefined) {
    this.udp = udp;
    this.address = { host: local.host, port: udp.address.port };
    this.isLoopback = isLoopback(local.ip);
    this.family = local.ip.length;
    this.batch = batch;
  }

  find(remote: SocketAddress): UdpPath | undefined {
    return this.paths.get(remote.host)?.get(remote.port);
  }

  add(path: UdpPath): void {
    const { host, port } = path.remote;
    const ports = this.paths.get(host);
    if (ports) ports.set(port, path);
    else this.paths.set(host, new Map([[port, path]]));
  }

  remove(path: UdpPath): void {
    const { host, port } = path.remote;
    const ports = this.paths.get(host);
    if (ports?.get(port) !== path) return;
    ports.delete(port);
    if (ports.size === 0) this.paths.delete(host);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const ports of [...this.paths.values()]) {
      for (const path of [...ports.values()]) {
        const { owner } = path;
        path.owner = undefined;
        path.close();
        owner?.onPathLost(path);
      }
    }
    this.batch?.[Symbol.dispose]();
    this.udp.close();
  }
}

/** A peer's address as one of our sockets reaches it. */
class UdpPath extends IcePath {
  readonly #socket: MuxSocket;
  #packetsInFlight = 0;
  #bytesInFlight = 0;
  #isClosed = false;

  constructor(socket: MuxSocket, remote: SocketAddress) {
    super("udp", socket.address, remote);
    this.#socket = socket;
  }

  override get bytesInFlight(): number {
    return this.#bytesInFlight;
  }
  override get isClosed(): boolean {
    return this.#isClosed;
  }

  override send(packet: Uint8Array): boolean {
    const socket = this.#socket;
    const isFull = this.#packetsInFlight >= MAX_PACKETS_IN_FLIGHT ||
      socket.packetsInFlight >= MAX_SOCKET_PACKETS_IN_FLIGHT;
    if (isFull || this.#isClosed || socket.isClosed) {
      this.packetsDropped++;
      return false;
    }
    this.#packetsInFlight++;
    this.#bytesInFlight += packet.length;
    socket.packetsInFlight++;
    this.packetsSent++;
    this.bytesSent += packet.length;
    socket.udp.send(packet, this.remote).then(this.#onSent, this.#onFailed);
    return true;
  }

  override sendBatch(bytes: Uint8Array, offsets: readonly number[]): number {
    const { batch, isClosed } = this.#socket;
    let taken = 0;
    // What is in flight must stay in front.
    if (batch && this.#packetsInFlight === 0 && !this.#isClosed && !isClosed && offsets.length > 0) {
      taken = batch.send(bytes, offsets, this.remote);
      this.packetsSent += taken;
      this.bytesSent += (offsets[taken] ?? bytes.length) - offsets[0]!;
    }
    for (; taken < offsets.length; taken++) {
      if (this.send(bytes.subarray(offsets[taken], offsets[taken + 1] ?? bytes.length))) continue;
      this.packetsDropped += offsets.length - taken - 1;
      break;
    }
    return taken;
  }

  readonly #onSent = (count: number): void => {
    this.#socket.packetsInFlight--;
    this.#bytesInFlight -= count;
    if (--this.#packetsInFlight > 0) return;
    this.#bytesInFlight = 0;
    this.owner?.onDrained(this);
  };
  readonly #onFailed = (): void => {
    this.packetsDropped++;
    this.#onSent(0);
  };

  override close(): void {
    this.#isClosed = true;
    this.#socket.remove(this);
  }
}

/** The sockets, and whom their datagrams are for. */
export class UdpMux implements Disposable {
  readonly #hub: IceHub;
  readonly #log: Logger;
  readonly #options: UdpMuxOptions;
  readonly #sockets = new Map<string, MuxSocket>();
  readonly #strangers = new StrangerLimits();
  // Addresses whose failure was reported.
  readonly #failed = new Set<string>();
  readonly #receiving = new Set<Promise<void>>();
  #port: number;

  constructor(options: UdpMuxOptions) {
    this.#options = options;
    this.#hub = options.hub;
    this.#log = options.log;
    this.#port = options.port;
  }

  /** Where it receives. */
  get addresses(): SocketAddress[] {
    return [...this.#sockets.values()].map(({ address }) => address);
  }

  /**
   * Opens sockets for addresses that have none, and closes those of addresses that are gone. Answers what could not be
   * opened, which is tried again the next time but told only once.
   */
  bind(locals: readonly LocalAddress[]): ListenFailure[] {
    const wanted = new Set(locals.map(({ host }) => host));
    for (const [host, socket] of this.#sockets) {
      if (wanted.has(host) && !socket.isClosed) continue;
      this.#sockets.delete(host);
      socket.close();
    }
    return locals.flatMap((local) => this.#sockets.has(local.host) ? [] : this.#open(local) ?? []);
  }

  #open(local: LocalAddress): ListenFailure | undefined {
    const { host } = local;
    try {
      const udp = this.#listen(host);
      const socket = new MuxSocket(udp, local, this.#options.batchOf?.(udp));
      this.#sockets.set(host, socket);
      this.#failed.delete(host);
      // The others follow the first one where they can.
      if (this.#port === 0) this.#port = socket.address.port;
      const receiving = this.#receive(socket).finally(() => this.#receiving.delete(receiving));
      this.#receiving.add(receiving);
    } catch (error) {
      if (this.#failed.has(host)) return undefined;
      this.#failed.add(host);
      const cause = listenFault(error, this.#port);
      return { where: `UDP ${this.#port === 0 ? host : hostPort(host, this.#port)}`, cause };
    }
    return undefined;
  }

  #listen(host: string): UdpSocket {
    const { port, portRange } = this.#options;
    if (port !== 0) return listenUdp({ host, port });
    if (!portRange) {
      try {
        return listenUdp({ host, port: this.#port });
      } catch (error) {
        if (this.#port === 0 || !isAddressInUse(error)) throw error;
        return listenUdp({ host, port: 0 });
      }
    }
    const [first, last] = portRange;
    const count = last - first + 1;
    const start = this.#port > 0 ? this.#port - first : Math.floor(Math.random() * count);
    let failure: unknown;
    for (let i = 0; i < Math.min(count, PORT_TRIES); i++) {
      try {
        return listenUdp({ host, port: first + (start + i) % count });
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** The paths to an address from all sockets that can reach it, as far as their kind tells; made when there is none. */
  pathsTo(to: SocketAddress, ip: Uint8Array): IcePath[] {
    const paths: IcePath[] = [];
    for (const socket of this.#sockets.values()) {
      if (socket.family !== ip.length || socket.isLoopback !== isLoopback(ip)) continue;
      let path = socket.find(to);
      if (!path) {
        path = new UdpPath(socket, to);
        socket.add(path);
      }
      paths.push(path);
    }
    return paths;
  }

  // Ends, and never rejects, when the socket is closed or broken for good.
  async #receive(socket: MuxSocket): Promise<void> {
    let room = slab(SLAB_BYTES);
    let failures = 0;
    let taken = 0;
    while (!socket.isClosed) {
      try {
        const { bytes, from } = await socket.udp.receive(room);
        failures = 0;
        if (this.#tryToTake(socket, bytes, from)) room = room.subarray(bytes.length);
        if (room.length < MAX_DATAGRAM_BYTES) room = slab(SLAB_BYTES);
        if (++taken % DATAGRAMS_PER_TURN === 0) await nextTurn();
      } catch (error) {
        if (socket.isClosed) return;
        if (++failures >= MAX_FAILURES) break;
        this.#log.limited("receive", "debug", `Receiving on ${socket.address.host} failed: ${messageOf(error)}`);
        await pause(Math.min(failures * 20, MAX_PAUSE_MS));
      }
    }
    // The next `bind` opens it again.
    socket.close();
  }

  // What a datagram brings about is no fault of the socket that all share.
  #tryToTake(socket: MuxSocket, bytes: Uint8Array, from: SocketAddress): boolean {
    try {
      return this.#take(socket, bytes, from);
    } catch (error) {
      const where = hostPort(from.host, from.port);
      this.#log.limited("datagram", "warn", `Cannot take a datagram of ${where}: ${messageOf(error)}; it is dropped`);
      return true;
    }
  }

  /** Takes a datagram. True: its bytes are the session's now. */
  #take(socket: MuxSocket, bytes: Uint8Array, from: SocketAddress): boolean {
    const path = socket.find(from);
    if (isStun(bytes)) {
      this.#takeStun(socket, bytes, path, from);
      return false;
    }
    if (!path?.owner || !isMedia(bytes)) {
      this.#hub.counters.stranger++;
      return false;
    }
    path.owner.onData(bytes, path);
    return true;
  }

  #takeStun(socket: MuxSocket, bytes: Uint8Array, path: UdpPath | undefined, from: SocketAddress): void {
    const nowMs = performance.now();
    const limit = path?.owner ? path.checks : this.#strangers.of(from.host, nowMs);
    if (!limit.take(nowMs)) {
      this.#hub.counters.limited++;
      return;
    }
    const sender = path ?? new UdpPath(socket, from);
    if (!this.#hub.receive(bytes, sender)) return;
    if (limit !== sender.checks) limit.giveBack();
    if (sender.owner && sender !== path) socket.add(sender);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** After the end: resolves when its ports are free again, which stay taken while they are waited at. */
  get released(): Promise<unknown> {
    return Promise.all(this.#receiving);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
