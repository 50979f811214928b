/** The ways of one source to its peer: UDP sockets of its own, TCP connections that it makes, and relays. */
import { type IpBytes, parseIp, type SocketAddress, StreamError } from "../../../core/mod.ts";
import { lookup } from "node:dns/promises";
import { hostPort, ipText, isPeerAddress } from "../addresses.ts";
import { activeCandidate, type Candidate, candidateText, relayCandidate } from "../candidates.ts";
import type { IceHandlers, IceSession, SlowWays } from "../ice.ts";
import type { IcePath } from "../ice_path.ts";
import type { IceTransport } from "../ice_transport.ts";
import type { IceServer } from "../options.ts";
import { pause, within } from "../pause.ts";
import { Relays } from "../turn/relays.ts";

/** What a source's transport is made of. */
export interface SourceTransportOptions {
  /** The source's own: it is closed with it. */
  readonly ice: IceTransport;
  /** Nothing but relays is used. */
  readonly isRelayOnly: boolean;
  readonly warn: (message: string) => void;
  /** Ends the waits of connecting. */
  readonly signal: AbortSignal;
}

/** Datagrams go ahead of connections and relays for so long: a LAN answers within it. */
const HEAD_START_MS = 400;
/** How long a complete offer waits for relays, and where nothing else may be used. */
const RELAY_WAIT_MS = 500;
const MAX_RELAY_WAIT_MS = 12_000;
const MAX_CONNECTIONS = 8;
const MAX_NAMES = 4;
/** Of one name. */
const MAX_ADDRESSES = 4;
/** Ports of other services are nobody's candidates, except those that firewalls let through. */
const MIN_PORT = 1024;
const WEB_PORTS = [80, 443];

interface Reaching {
  readonly found: (path: IcePath) => void;
  readonly isNeeded: () => boolean;
}

/** See the file's head. */
export class SourceTransport implements SlowWays, Disposable {
  readonly #options: SourceTransportOptions;
  readonly #relays: Relays;
  readonly #controller = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  readonly #told = new Set<string>();
  readonly #connections = new Set<string>();
  #names = 0;

  constructor(options: SourceTransportOptions) {
    this.#options = options;
    this.#relays = new Relays(options.ice.hub, options.warn);
  }

  /** Has these servers asked for our public address and for relays. */
  useServers(servers: readonly IceServer[]): void {
    if (!this.#options.isRelayOnly) this.#options.ice.askAlso(servers.flatMap(({ urls }) => urls));
    this.#relays.use(servers);
  }

  /** Begins the session. */
  session(handlers: IceHandlers): IceSession {
    return this.#options.ice.session(handlers, this, this.#options.isRelayOnly ? () => [] : undefined);
  }

  /** The candidate lines that are known now, best first. */
  candidates(): string[] {
    const { ice, isRelayOnly } = this.#options;
    const relayed = this.#relays.addresses.map((at, i) => candidateText(relayCandidate(at, i)));
    if (isRelayOnly) return relayed;
    return [
      ...ice.candidates(),
      ...ice.callingHosts.map((host, i) => candidateText(activeCandidate(host, i))),
      ...relayed,
    ];
  }

  /** Waits for relays where nothing else may be used. Rejects when there is none. */
  async ready(): Promise<void> {
    if (!this.#options.isRelayOnly || !this.#relays.isWanted) return;
    const { signal } = this.#options;
    await within(this.#relays.answered(), MAX_RELAY_WAIT_MS, signal);
    signal.throwIfAborted();
    if (this.#relays.addresses.length > 0) return;
    throw new StreamError("OFFLINE", `webrtc: no relay for the source: ${this.#relays.failure}`);
  }

  /** All lines, for a description that cannot be added to; waits a little for servers. */
  async gather(): Promise<string[]> {
    const { ice, isRelayOnly, signal } = this.#options;
    await Promise.all([
      isRelayOnly ? undefined : ice.gather(),
      this.#relays.isWanted ? within(this.#relays.answered(), RELAY_WAIT_MS, signal) : undefined,
    ]);
    const lines = this.candidates();
    for (const line of lines) this.#told.add(line);
    return lines;
  }

  /** Tells the lines that were not told yet, those that are known at once and others as servers answer. */
  trickle(tell: (candidate: string) => void): void {
    const { ice, isRelayOnly } = this.#options;
    const more = () => {
      if (this.#controller.signal.aborted) return;
      for (const line of this.candidates()) {
        if (this.#told.has(line)) continue;
        this.#told.add(line);
        tell(line);
      }
    };
    more();
    if (!isRelayOnly) ice.lateCandidates().then(more);
    this.#relays.answered().then(more);
  }

  reach(candidate: Candidate, found: (path: IcePath) => void, isNeeded: () => boolean): boolean {
    const { protocol, tcpType, host, port } = candidate;
    if (port < MIN_PORT && !WEB_PORTS.includes(port)) return false;
    if (protocol === "tcp" && tcpType !== "passive") return false;
    const ip = parseIp(host);
    if (ip) return this.#reachAddress(candidate, ip, { found, isNeeded });
    if (host.endsWith(".local") || this.#names++ >= MAX_NAMES) return false;
    this.#reachName(candidate, { found, isNeeded });
    return true;
  }

  #reachAddress({ protocol, host, port }: Candidate, ip: IpBytes, { found, isNeeded }: Reaching): boolean {
    if (!isPeerAddress(ip)) return false;
    const { ice, isRelayOnly } = this.#options;
    const to = { host: ipText(ip), port };
    if (protocol === "udp") {
      // Others are tried without our help.
      const isOdd = !parseIp(host) || port < MIN_PORT;
      if (isOdd && !isRelayOnly) ice.pathsTo(to).forEach(found);
      this.#relays.reach(to, found);
      return true;
    }
    const key = hostPort(to.host, to.port);
    if (isRelayOnly || this.#connections.has(key) || this.#connections.size >= MAX_CONNECTIONS) return false;
    this.#connections.add(key);
    this.#connectLater(to, found, isNeeded);
    return true;
  }

  async #connectLater(to: SocketAddress, found: (path: IcePath) => void, isNeeded: () => boolean): Promise<void> {
    const { signal } = this.#controller;
    await pause(HEAD_START_MS, signal);
    if (!signal.aborted && isNeeded()) await this.#options.ice.connectTcp(to, signal, found);
  }

  // Who configures a name where a candidate belongs means that its peers look it up.
  async #reachName(candidate: Candidate, ways: Reaching): Promise<void> {
    const found = await lookup(candidate.host, { all: true }).catch(() => []);
    if (!ways.isNeeded()) return;
    for (const { address } of found.slice(0, MAX_ADDRESSES)) this.#reachAddress(candidate, parseIp(address)!, ways);
  }

  headStartMs({ isRelayed }: IcePath): number {
    return isRelayed && !this.#options.isRelayOnly ? HEAD_START_MS : 0;
  }

  /** The source is connected over this path: relays that are not needed are given back. */
  settle(path: IcePath | undefined): void {
    if (path && !path.isRelayed) this.#relays.close();
  }

  /** Resolves after the end, when servers know of it or do not answer. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  [Symbol.dispose](): void {
    this.#controller.abort(new StreamError("CLOSED", "webrtc: the source has ended"));
    this.#relays.close().then(this.#closed.resolve);
    this.#options.ice[Symbol.dispose]();
  }
}
