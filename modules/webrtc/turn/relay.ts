/** Ways to peers by way of a TURN server, for the sessions of a hub. */
import { type IpBytes, parseIp, type SocketAddress } from "../../../core/mod.ts";
import type { IceHub } from "../ice_hub.ts";
import { IcePath } from "../ice_path.ts";
import { isStun } from "../stun.ts";
import { isMedia } from "../udp_mux.ts";
import { TurnAllocation } from "./allocation.ts";
import type { TurnServer } from "./server.ts";

/** A peer as the relay reaches it. */
class RelayPath extends IcePath {
  override readonly isRelayed = true;
  readonly #allocation: TurnAllocation;
  readonly #forget: (path: RelayPath) => void;
  // 0: none yet.
  #channel = 0;
  #isBinding = false;
  #isClosed = false;

  constructor(allocation: TurnAllocation, remote: SocketAddress, forget: (path: RelayPath) => void) {
    super("udp", allocation.relayed, remote);
    this.#allocation = allocation;
    this.#forget = forget;
  }

  override get bytesInFlight(): number {
    return this.#allocation.bytesInFlight;
  }
  override get isClosed(): boolean {
    return this.#isClosed;
  }

  override send(packet: Uint8Array): boolean {
    const isTaken = !this.#isClosed &&
      (this.#channel > 0
        ? this.#allocation.sendOver(this.#channel, packet)
        : this.#allocation.sendTo({ ip: this.remoteIp, port: this.remote.port }, packet));
    if (isTaken) {
      this.packetsSent++;
      this.bytesSent += packet.length;
      // Checks alone are few: a channel is for the way that is taken.
      if (this.#channel === 0 && !isStun(packet)) this.#openChannel();
    } else this.packetsDropped++;
    return isTaken;
  }

  async #openChannel(): Promise<void> {
    if (this.#isBinding) return;
    this.#isBinding = true;
    try {
      this.#channel = await this.#allocation.openChannel(this.remote);
    } catch {
      // It goes on without one.
    }
  }

  override sendBatch(bytes: Uint8Array, offsets: readonly number[]): number {
    let taken = 0;
    while (taken < offsets.length && this.send(bytes.subarray(offsets[taken], offsets[taken + 1]))) taken++;
    this.packetsDropped += Math.max(0, offsets.length - taken - 1);
    return taken;
  }

  override close(): void {
    this.#isClosed = true;
    this.#forget(this);
  }
}

/** An address at a TURN server, with the ways that begin there. */
export class Relay {
  readonly #hub: IceHub;
  // By host and port: two steps, so that no key has to be made for a packet.
  readonly #paths = new Map<string, Map<number, RelayPath>>();
  #allocation: TurnAllocation | undefined;

  private constructor(hub: IceHub) {
    this.#hub = hub;
  }

  /**
   * Asks a server for an address. Rejects with a `StreamError`, or with the reason of the signal; what is granted after
   * that is given back.
   */
  static async open(hub: IceHub, server: TurnServer, signal: AbortSignal): Promise<Relay> {
    const relay = new Relay(hub);
    relay.#allocation = await TurnAllocation.open(server, {
      onData: (bytes, from) => relay.#onData(bytes, from),
      onDrained: () => relay.#each((path) => path.owner?.onDrained(path)),
      onEnd: () => relay.#end(),
    }, { signal });
    return relay;
  }

  get server(): TurnServer {
    return this.#allocation!.server;
  }
  /** Where peers reach us. */
  get address(): SocketAddress {
    return this.#allocation!.relayed;
  }

  /** The way to a peer, as soon as the server lets it through. Rejects when it does not, or cannot reach such addresses. */
  async pathTo(to: SocketAddress, ip: IpBytes): Promise<IcePath> {
    const allocation = this.#allocation!;
    if (parseIp(allocation.relayed.host)?.length !== ip.length) {
      throw new TypeError(`${allocation.server.shown} gives no address of the kind of ${to.host}`);
    }
    await allocation.permit(ip);
    const known = this.#find(to);
    if (known) return known;
    const path = this.#pathOf(to);
    this.#add(path);
    return path;
  }

  #pathOf(to: SocketAddress): RelayPath {
    return new RelayPath(this.#allocation!, to, (path) => this.#forget(path));
  }

  #find({ host, port }: SocketAddress): RelayPath | undefined {
    return this.#paths.get(host)?.get(port);
  }

  #add(path: RelayPath): void {
    const { host, port } = path.remote;
    const ports = this.#paths.get(host);
    if (ports) ports.set(port, path);
    else this.#paths.set(host, new Map([[port, path]]));
  }

  #forget(path: RelayPath): void {
    const { host, port } = path.remote;
    const ports = this.#paths.get(host);
    if (ports?.get(port) !== path) return;
    ports.delete(port);
    if (ports.size === 0) this.#paths.delete(host);
  }

  #each(visit: (path: RelayPath) => void): void {
    for (const ports of [...this.#paths.values()]) for (const path of [...ports.values()]) visit(path);
  }

  #onData(bytes: Uint8Array, from: SocketAddress): void {
    const path = this.#find(from);
    const { counters } = this.#hub;
    if (!isStun(bytes)) {
      if (path?.owner && isMedia(bytes)) path.owner.onData(bytes, path);
      else counters.stranger++;
      return;
    }
    // A peer whose NAT gives it another port for the relay than for others is not known yet.
    const sender = path ?? this.#pathOf(from);
    if (!sender.checks.take(performance.now())) counters.limited++;
    else if (this.#hub.receive(bytes, sender) && sender.owner && sender !== path) this.#add(sender);
  }

  #end(): void {
    this.#each((path) => {
      const { owner } = path;
      path.close();
      owner?.onPathEnd(path);
    });
  }

  /** Gives the address back; its ways end. */
  async release(): Promise<void> {
    this.#each((path) => {
      const { owner } = path;
      path.owner = undefined;
      path.close();
      owner?.onPathLost(path);
    });
    await this.#allocation!.release();
  }
}
