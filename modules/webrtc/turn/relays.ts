/** The relays of one session: asked for when servers are named, told of when they answer, given back with it. */
import { type IpBytes, messageOf, parseIp, type SocketAddress, timeLimit } from "../../../core/mod.ts";
import type { IceHub } from "../ice_hub.ts";
import type { IcePath } from "../ice_path.ts";
import type { IceServer } from "../options.ts";
import { pause } from "../pause.ts";
import { Relay } from "./relay.ts";
import { type TurnServer, turnServersOf } from "./server.ts";

/** A peer that relays are to reach, now or as soon as there are some. */
interface Target {
  readonly to: SocketAddress;
  readonly ip: IpBytes;
  readonly found: (path: IcePath) => void;
}

/** Entries of `ice_servers` that are asked: each gives one address. */
const MAX_ENTRIES = 3;
const MAX_WAYS = 8;
const MAX_TARGETS = 20;
const ASK_MS = 10_000;
/** A server that has not answered for so long is not waited for alone: its TCP port, or the next one, is asked too. */
const NEXT_AFTER_MS = 700;

/** See the file's head. */
export class Relays {
  readonly #hub: IceHub;
  readonly #warn: (message: string) => void;
  readonly #controller = new AbortController();
  readonly #open = new Set<Relay>();
  readonly #targets: Target[] = [];
  readonly #asked = new Set<string>();
  readonly #answers: Promise<void>[] = [];
  readonly #endings: Promise<void>[] = [];
  #failure: string | undefined;

  constructor(hub: IceHub, warn: (message: string) => void) {
    this.#hub = hub;
    this.#warn = warn;
  }

  /** Our addresses at servers, the first that was given first. */
  get addresses(): SocketAddress[] {
    return [...this.#open].map(({ address }) => address);
  }
  /** Some were asked for. */
  get isWanted(): boolean {
    return this.#asked.size > 0;
  }
  /** Why the last one was not given. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Asks those of the servers that relay and were not asked yet. */
  use(servers: readonly IceServer[]): void {
    for (const ways of turnServersOf(servers)) {
      const key = ways.map(({ shown, username }) => `${username}@${shown}`).join();
      if (this.#asked.has(key) || this.#asked.size >= MAX_ENTRIES || this.#controller.signal.aborted) continue;
      this.#asked.add(key);
      const answered = Promise.withResolvers<void>();
      this.#answers.push(answered.promise);
      this.#endings.push(this.#ask(ways.slice(0, MAX_WAYS), answered.resolve));
    }
  }

  /** Resolves when every server has given an address or will not. */
  async answered(): Promise<void> {
    await Promise.all(this.#answers);
  }

  // The next way is tried when one fails or takes its time; the first that gives an address is taken.
  async #ask(ways: readonly TurnServer[], onAnswered: () => void): Promise<void> {
    const won = new AbortController();
    using limit = timeLimit(ASK_MS, () => new Error("No server gave an address in time"), this.#controller.signal);
    const signal = AbortSignal.any([limit.signal, won.signal]);
    const failures: string[] = [];
    const attempt = async (server: TurnServer) => {
      try {
        const relay = await Relay.open(this.#hub, server, signal);
        if (signal.aborted) return await relay.release();
        won.abort(new Error("Another one was faster"));
        this.#take(relay);
        onAnswered();
      } catch (error) {
        failures.push(messageOf(error));
      }
    };
    const attempts: Promise<void>[] = [];
    for (const server of ways) {
      if (signal.aborted) break;
      const one = attempt(server);
      attempts.push(one);
      if (server !== ways.at(-1)) await Promise.race([one, pause(NEXT_AFTER_MS, signal)]);
    }
    await Promise.all(attempts);
    onAnswered();
    if (won.signal.aborted || this.#controller.signal.aborted) return;
    this.#failure = failures[0]!.replace(/^webrtc: /, "");
    this.#warn(`No relay: ${this.#failure}`);
  }

  #take(relay: Relay): void {
    this.#open.add(relay);
    for (const target of this.#targets) this.#lead(relay, target);
  }

  /** Has the ways to a peer told as they are found. */
  reach(to: SocketAddress, found: (path: IcePath) => void): void {
    const ip = parseIp(to.host);
    if (!ip || this.#targets.length >= MAX_TARGETS) return;
    const target = { to, ip, found };
    this.#targets.push(target);
    for (const relay of this.#open) this.#lead(relay, target);
  }

  async #lead(relay: Relay, { to, ip, found }: Target): Promise<void> {
    try {
      found(await relay.pathTo(to, ip));
    } catch {
      // The server lets nobody through to such an address, or has none of its kind: the peer may have others.
    }
  }

  /** Gives the addresses back; resolves when the servers know, or do not answer. */
  async close(): Promise<void> {
    this.#controller.abort(new Error("The session has ended"));
    this.#targets.length = 0;
    for (const relay of this.#open) this.#endings.push(relay.release());
    this.#open.clear();
    await Promise.all(this.#endings);
  }
}
