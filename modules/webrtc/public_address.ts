/** What the world sees of us: asked of STUN servers, remembered, and never waited for. */
import { parseIp, type SocketAddress } from "../../core/mod.ts";
import { lookup } from "node:dns/promises";
import { ipText } from "./addresses.ts";
import type { IceHub } from "./ice_hub.ts";
import type { IcePath } from "./ice_path.ts";

/** One of our UDP sockets as a STUN server saw it. */
export interface SeenAddress {
  readonly seen: SocketAddress;
  /** The socket's own address. */
  readonly base: SocketAddress;
}

/** What is asked, and how. */
export interface PublicAddressOptions {
  readonly hub: IceHub;
  /** The `urls` of the config's `ice_servers`; only `stun:` ones are asked, in this order. */
  readonly urls: readonly string[];
  /** Paths from our sockets to a server. */
  readonly pathsTo: (server: SocketAddress) => readonly IcePath[];
  /** The IPv4 addresses of a host name. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** How long an answer holds (contract §6.2). */
const FRESH_MS = 5 * 60_000;
/** After a round without an answer nobody is asked for so long. */
const RETRY_MS = 30_000;
/** When a server is asked, and when it is given up (contract §6.2). */
const ASK_AT_MS = [0, 500, 1500];
const SERVER_LIMIT_MS = 3000;
const MAX_SERVERS = 8;
const DEFAULT_PORT = 3478;

/** Reads `stun:host[:port]`; `undefined` for other kinds of servers. */
export function parseStunUrl(url: string): SocketAddress | undefined {
  const found = /^stun:(?:\/\/)?(?:\[([0-9a-f:.]+)\]|([^:?\s[\]/]+))(?::(\d{1,5}))?(?:\?.*)?$/i.exec(url.trim());
  const port = Number(found?.[3] ?? DEFAULT_PORT);
  return found && port > 0 && port <= 65535 ? { host: found[1] ?? found[2]!, port } : undefined;
}

/** Our public address. Without internet it is `undefined`, and nobody waits for it. */
export class PublicAddress implements Disposable {
  readonly #options: PublicAddressOptions;
  #servers: readonly SocketAddress[] = [];
  readonly #controller = new AbortController();
  #known: readonly SeenAddress[] = [];
  #askAgainMs = -Infinity;
  #round: Promise<void> | undefined;
  #hasTried = false;

  constructor(options: PublicAddressOptions) {
    this.#options = options;
    this.askAlso(options.urls);
  }

  /** Has these asked too, after the others. */
  askAlso(urls: readonly string[]): void {
    const more = urls.map(parseStunUrl).filter((server) => server !== undefined)
      .filter(({ host, port }) => !this.#servers.some((known) => known.host === host && known.port === port));
    if (more.length === 0) return;
    this.#servers = [...this.#servers, ...more].slice(0, MAX_SERVERS);
    if (this.#known.length === 0) this.#askAgainMs = -Infinity;
  }

  /** The last answers; old ones too, as long as there are no newer. */
  get known(): readonly SeenAddress[] {
    return this.#known;
  }

  /** Whether a first answer may still come; without internet it is false after the first round. */
  get isFirstRound(): boolean {
    return this.#known.length === 0 && !this.#hasTried;
  }

  /** Asks if the last answer is old. Resolves when it is known or cannot be; never rejects. */
  refresh(): Promise<void> {
    const isDue = performance.now() >= this.#askAgainMs && this.#servers.length > 0 && !this.#controller.signal.aborted;
    if (this.#round || !isDue) return this.#round ?? Promise.resolve();
    this.#round = this.#ask().finally(() => {
      this.#hasTried = true;
      this.#round = undefined;
    });
    return this.#round;
  }

  async #ask(): Promise<void> {
    const { signal } = this.#controller;
    this.#askAgainMs = performance.now() + RETRY_MS;
    // More may be named meanwhile.
    for (let i = 0; i < this.#servers.length; i++) {
      const server = this.#servers[i]!;
      const host = await this.#resolve(server.host);
      if (signal.aborted) return;
      const answers = host === undefined ? [] : await this.#askServer({ host, port: server.port }, signal);
      if (answers.length === 0) continue;
      this.#known = answers;
      this.#askAgainMs = performance.now() + FRESH_MS;
      return;
    }
  }

  async #resolve(host: string): Promise<string | undefined> {
    const ip = parseIp(host);
    if (ip) return ipText(ip);
    const { signal } = this.#controller;
    try {
      const found = this.#options.resolve?.(host) ?? resolveIpv4(host);
      // A resolver without a network may take its time; its late answer is not wanted.
      const [first] = await Promise.race([found, endOf(signal, SERVER_LIMIT_MS)]);
      return first;
    } catch {
      // Offline, or no such name: the next server may be found.
      return undefined;
    }
  }

  // Several of our addresses may lead to the world; the first that does answers for all, since others rarely follow.
  async #askServer(server: SocketAddress, signal: AbortSignal): Promise<SeenAddress[]> {
    const { hub, pathsTo } = this.#options;
    const paths = pathsTo(server);
    const answers: SeenAddress[] = [];
    await new Promise<void>((resolve) => {
      const timers: ReturnType<typeof setTimeout>[] = [];
      const finish = () => {
        timers.forEach(clearTimeout);
        signal.removeEventListener("abort", finish);
        resolve();
      };
      signal.addEventListener("abort", finish, { once: true });
      const ask = (path: IcePath) =>
        hub.askServer(path, ({ ip, port }) => {
          answers.push({ seen: { host: ipText(ip), port }, base: path.local });
          finish();
        });
      for (const ms of ASK_AT_MS) timers.push(setTimeout(() => paths.forEach(ask), ms));
      timers.push(setTimeout(finish, paths.length > 0 ? SERVER_LIMIT_MS : 0));
    });
    for (const path of paths) if (!path.owner) path.close();
    return answers.slice(0, 1);
  }

  [Symbol.dispose](): void {
    this.#controller.abort();
  }
}

async function resolveIpv4(host: string): Promise<string[]> {
  return (await lookup(host, { all: true, family: 4 })).map(({ address }) => address);
}

function endOf(signal: AbortSignal, limitMs: number): Promise<string[]> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve([]);
    };
    const timer = setTimeout(finish, limitMs);
    signal.addEventListener("abort", finish, { once: true });
  });
}
