/** The server's sockets for WebRTC, what peers are told of them, and the sessions that share them. */
import {
  type InterfaceAddress,
  type IpBytes,
  listenFault,
  type Logger,
  messageOf,
  parseIp,
  process,
  type SocketAddress,
  type StreamListener,
  type UdpSocket,
} from "../../core/mod.ts";
import { canonicalIp, familyOf, hostPort, isLoopback } from "./addresses.ts";
import {
  type Candidate,
  candidateText,
  hostCandidate,
  type IceListen,
  type IceProtocol,
  type ManualCandidate,
  manualCandidate,
  parseIceListen,
  parseManualCandidate,
  reflexiveCandidate,
} from "./candidates.ts";
import { allowsNetwork, type CandidateFilters, chooseAddresses, type LocalAddress, udpPortRange } from "./filters.ts";
import { type IceHandlers, IceSession, type SlowWays } from "./ice.ts";
import { type IceCounters, IceHub } from "./ice_hub.ts";
import type { IcePath } from "./ice_path.ts";
import { PublicAddress } from "./public_address.ts";
import { type OpenListener, TcpMux } from "./tcp_mux.ts";
import { type BatchSender, type ListenFailure, UdpMux } from "./udp_mux.ts";

/** What the config says, and what the module has. */
export interface IceTransportOptions {
  /** The config's `webrtc.listen`. */
  readonly listen: string;
  /** The config's `webrtc.candidates`. */
  readonly candidates: readonly string[];
  readonly filters: CandidateFilters;
  /** The `urls` of all `webrtc.ice_servers`. */
  readonly serverUrls: readonly string[];
  readonly log: Logger;
  /** `PluginContext.listen`. */
  readonly openListener: OpenListener;
  /** Sends no checks by itself and says so in descriptions; then no viewer behind a NAT is reached without a forwarded port. */
  readonly isLite?: boolean;
  readonly batchOf?: (socket: UdpSocket) => BatchSender | undefined;
  readonly interfaces?: () => readonly InterfaceAddress[];
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** What is shown of the transport. */
export interface IceTransportStats {
  readonly sessions: number;
  readonly tcpConnections: number;
  readonly dropped: Readonly<IceCounters>;
}

/** How often the addresses of this machine are looked at, at most; only when somebody comes. */
const LOOK_MS = 5000;

/** See the file's head. */
export class IceTransport implements Disposable {
  readonly #options: IceTransportOptions;
  readonly #listen: IceListen;
  readonly #hub = new IceHub();
  readonly #udp: UdpMux;
  readonly #tcp: TcpMux;
  readonly #manual: (ManualCandidate & { readonly protocol?: IceProtocol })[] = [];
  readonly #public: PublicAddress;
  #listener: StreamListener | undefined;
  #locals: readonly LocalAddress[] = [];
  #lookedMs = -Infinity;
  #firstAskedMs: number | undefined;

  private constructor(options: IceTransportOptions) {
    const { filters, log } = options;
    this.#options = options;
    this.#listen = parseIceListen(options.listen);
    this.#udp = new UdpMux({
      hub: this.#hub,
      log,
      port: this.#listen.hasUdpPort ? this.#listen.port : 0,
      portRange: this.#listen.hasUdpPort ? undefined : udpPortRange(filters),
      batchOf: options.batchOf,
    });
    this.#tcp = new TcpMux({ hub: this.#hub, allows: (family) => allowsNetwork(filters, "tcp", family) });
    this.#public = new PublicAddress({
      hub: this.#hub,
      urls: options.serverUrls,
      pathsTo: (server) => this.pathsTo(server),
      ...(options.resolve ? { resolve: options.resolve } : {}),
    });
    for (const text of options.candidates) {
      try {
        this.#manual.push(parseManualCandidate(text));
      } catch (error) {
        log.warn(`${messageOf(error)}; it is left out`);
      }
    }
  }

  /**
   * Opens the sockets. What cannot be opened is logged, and the rest runs. Rejects with a `TypeError` when the config
   * makes no sense.
   */
  static async open(options: IceTransportOptions): Promise<IceTransport> {
    const transport = new IceTransport(options);
    const failed = await transport.#openListener();
    transport.#lookAtAddresses(failed);
    return transport;
  }

  async #openListener(): Promise<ListenFailure[]> {
    const { host, port, hasTcp } = this.#listen;
    const { filters, openListener } = this.#options;
    const [has4, has6] = [allowsNetwork(filters, "tcp", "IPv4"), allowsNetwork(filters, "tcp", "IPv6")];
    if (!hasTcp || (!has4 && !has6)) return [];
    const where = host === "" && !has6 ? "0.0.0.0" : host;
    try {
      this.#listener = await openListener(
        hostPort(where, port),
        (conn, _peer, signal) => this.#tcp.serve(conn, signal),
      );
      return [];
    } catch (error) {
      const cause = error instanceof Error && error.cause ? error.cause : error;
      return [{ where: `TCP ${hostPort(where, port)}`, cause: listenFault(cause, port) }];
    }
  }

  /** Where UDP is received. */
  get udpAddresses(): readonly SocketAddress[] {
    return this.#udp.addresses;
  }
  /** The port of the TCP listener; 0 without one. */
  get tcpPort(): number {
    return this.#listener?.address.port ?? 0;
  }
  get stats(): IceTransportStats {
    return { sessions: this.#hub.size, tcpConnections: this.#tcp.size, dropped: { ...this.#hub.counters } };
  }

  /** Where messages of ways that others open are to be brought. */
  get hub(): IceHub {
    return this.#hub;
  }
  /** The addresses that connections to peers begin at, as far as peers are told of them. */
  get callingHosts(): readonly string[] {
    this.#lookAtAddresses();
    return this.#locals.filter(({ ip, isAdvertised }) => isAdvertised && this.#allows("tcp", ip))
      .map(({ host }) => host);
  }

  #allows(protocol: IceProtocol, ip: IpBytes): boolean {
    return allowsNetwork(this.#options.filters, protocol, familyOf(ip));
  }

  /** Begins a session; it is answerable at once. Other ways than ours may be given to it. */
  session(
    handlers: IceHandlers,
    slowWays?: SlowWays,
    pathsTo: (to: SocketAddress) => readonly IcePath[] = (to) => this.pathsTo(to),
  ): IceSession {
    this.#lookAtAddresses();
    return new IceSession({
      hub: this.#hub,
      handlers,
      isLite: this.#options.isLite ?? false,
      pathsTo,
      slowWays,
    });
  }

  /** Connects to a peer that waits for connections; ends with the connection, and never rejects. */
  async connectTcp(to: SocketAddress, signal: AbortSignal, onOpen: (path: IcePath) => void): Promise<void> {
    const ip = parseIp(to.host);
    if (ip && this.#allows("tcp", ip)) await this.#tcp.connect(to, signal, onOpen);
  }

  /** Has more STUN servers asked for our public address. */
  askAlso(urls: readonly string[]): void {
    this.#public.askAlso(urls);
  }

  /** Adds a candidate while running, as a tunnel does; answers what takes it back. Throws a `TypeError` for a bad one. */
  addCandidate(address: string, protocol?: IceProtocol): () => void {
    const added = { ...parseManualCandidate(address), ...(protocol ? { protocol } : {}) };
    this.#manual.push(added);
    return () => {
      const at = this.#manual.indexOf(added);
      if (at >= 0) this.#manual.splice(at, 1);
    };
  }

  /** The candidate lines that are known now, best first: nothing is waited for. */
  candidates(): string[] {
    this.#lookAtAddresses();
    const all = [...this.#hostCandidates(), ...this.#reflexiveCandidates(), ...this.#manualCandidates()];
    all.sort((a, b) => b.priority - a.priority);
    const seen = new Set<string>();
    return all.filter(({ protocol, host, port }) => {
      const key = `${protocol} ${host} ${port}`;
      return !seen.has(key) && seen.add(key);
    }).map(candidateText);
  }

  /** Those that `candidates()` did not know yet, as soon as a STUN server has answered; often none. Never rejects. */
  async lateCandidates(): Promise<string[]> {
    const early = new Set(this.candidates());
    if (this.#asksServers()) await this.#public.refresh();
    return this.candidates().filter((line) => !early.has(line));
  }

  /**
   * All lines, for an answer that cannot be added to. Waits for a STUN server at most `limitMs`, counted from the first
   * question: without internet that goes on for longer, and who comes meanwhile does not wait for it.
   */
  async gather(limitMs = 200): Promise<string[]> {
    if (this.#asksServers()) {
      const { isFirstRound } = this.#public;
      const asked = this.#public.refresh();
      const nowMs = performance.now();
      const leftMs = (this.#firstAskedMs ??= nowMs) + limitMs - nowMs;
      if (isFirstRound && leftMs > 0) await settled(asked, leftMs);
    }
    return this.candidates();
  }

  #asksServers(): boolean {
    // A lite agent opens no way through a NAT, so an address on its far side is of no use.
    const isWanted = this.#tellsReflexive && !(this.#options.isLite ?? false);
    return (isWanted &&
      this.#locals.some(({ ip, isAdvertised }) => isAdvertised && ip.length === 4 && !isLoopback(ip))) ||
      this.#manual.some(({ host }) => host === "");
  }

  // Addresses come and go while the server runs: cables, Wi-Fi, VPNs.
  #lookAtAddresses(failed: readonly ListenFailure[] = []): void {
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    const { filters, interfaces = process.interfaces } = this.#options;
    this.#locals = chooseAddresses(interfaces(), {
      host: this.#listen.host,
      filters,
      manualHosts: this.#manual.map(({ host }) => host),
    });
    const locals = this.#locals.filter(({ ip }) => this.#allows("udp", ip));
    this.#report([...this.#udp.bind(locals), ...failed]);
  }

  // One line for a port that another program has, however many addresses there are.
  #report(failed: readonly ListenFailure[]): void {
    for (const [cause, all] of Map.groupBy(failed, ({ cause }) => cause)) {
      const where = all.map(({ where }) => where).join(", ");
      this.#options.log.error(
        `Cannot listen on ${where}: ${cause}, set webrtc.listen to another one; the rest goes on`,
      );
    }
  }

  /** The paths from our UDP sockets to an address. */
  pathsTo(to: SocketAddress): IcePath[] {
    const ip = parseIp(to.host);
    return ip && this.#allows("udp", ip) ? this.#udp.pathsTo(to, ip) : [];
  }

  #hostCandidates(): Candidate[] {
    const open = this.#locals.filter(({ isAdvertised }) => isAdvertised);
    const hosts = new Set(open.map(({ host }) => host));
    const udp = this.#udp.addresses.filter(({ host }) => hosts.has(host));
    const tcp = this.tcpPort > 0 ? open.filter(({ ip }) => this.#allows("tcp", ip)) : [];
    return [
      ...udp.map((at, i) => hostCandidate("udp", at, i)),
      ...tcp.map(({ host }, i) => hostCandidate("tcp", { host, port: this.tcpPort }, i)),
    ];
  }

  // Contract §6.3: a list chooses among the addresses of this machine, an empty one leaves what the config names itself.
  get #tellsReflexive(): boolean {
    return this.#options.filters.candidates?.length !== 0;
  }

  #reflexiveCandidates(): Candidate[] {
    if (!this.#tellsReflexive) return [];
    return this.#public.known.map(({ seen, base }) => reflexiveCandidate(seen, base));
  }

  #manualCandidates(): Candidate[] {
    const isOpen = (protocol: IceProtocol, host: string) => {
      if (protocol === "udp" ? this.#udp.addresses.length === 0 : this.tcpPort === 0) return false;
      const ip = parseIp(host);
      return !ip || this.#allows(protocol, ip);
    };
    return this.#manual.flatMap((manual, i) => {
      const host = manual.host || this.#public.known[0]?.seen.host;
      if (host === undefined) return [];
      const at = { host: canonicalIp(host) ?? host, port: manual.port };
      return (["udp", "tcp"] as const)
        .filter((protocol) => (manual.protocol ?? protocol) === protocol && isOpen(protocol, host))
        // A port that only TCP has was meant for it alone (contract §6.2).
        .filter((protocol) => manual.protocol || protocol === "tcp" || this.#listen.hasUdpPort || !this.#listen.hasTcp)
        .map((protocol) => manualCandidate(protocol, at, i));
    });
  }

  /** Closes the sockets; sessions are their owners' to close. */
  [Symbol.dispose](): void {
    this.#public[Symbol.dispose]();
    this.#listener?.close();
    this.#udp[Symbol.dispose]();
    this.#hub[Symbol.dispose]();
  }

  /** After the end: resolves when the UDP ports are free again. */
  get released(): Promise<unknown> {
    return this.#udp.released;
  }
}

function settled(task: Promise<void>, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs);
    task.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
