/** ICE servers that a peer brings for its own session (contract §4.2), as Home Assistant does for each of its viewers. */
import { Deadline, parseIp } from "../../core/mod.ts";
import { ipText, isPeerAddress } from "./addresses.ts";
import { type Candidate, candidateText, relayCandidate } from "./candidates.ts";
import type { IceHandlers, IceSession, SlowWays } from "./ice.ts";
import type { IcePath } from "./ice_path.ts";
import type { IceTransport } from "./ice_transport.ts";
import type { IceServer } from "./options.ts";
import { Relays } from "./turn/relays.ts";

/** Ways without a server in between go ahead of relays for so long. */
const HEAD_START_MS = 400;
/** The peer chooses the way, and may still come to a relay for so long. */
const SETTLE_MS = 10_000;
const MIN_PORT = 1024;

/** The relays of one session; ends with it. */
export class SessionRelays implements SlowWays {
  readonly #transport: IceTransport;
  readonly #relays: Relays;
  #session: IceSession | undefined;
  #settling: Deadline | undefined;
  #isOver = false;

  /** Asks the servers at once. */
  constructor(transport: IceTransport, servers: readonly IceServer[], warn: (message: string) => void) {
    this.#transport = transport;
    this.#relays = new Relays(transport.hub, warn);
    transport.askAlso(servers.flatMap(({ urls }) => urls));
    this.#relays.use(servers);
  }

  /** Begins the session. */
  session(handlers: IceHandlers): IceSession {
    return this.#session = this.#transport.session(handlers, this);
  }

  reach({ protocol, host, port }: Candidate, found: (path: IcePath) => void): boolean {
    const ip = protocol === "udp" && port >= MIN_PORT ? parseIp(host) : undefined;
    if (!ip || !isPeerAddress(ip)) return false;
    this.#relays.reach({ host: ipText(ip), port }, found);
    return true;
  }

  headStartMs({ isRelayed }: IcePath): number {
    return isRelayed ? HEAD_START_MS : 0;
  }

  /** Calls back with our addresses at the servers when they have answered. */
  async onCandidate(tell: (candidate: string) => void): Promise<void> {
    await this.#relays.answered();
    if (this.#isOver) return;
    for (const [i, at] of this.#relays.addresses.entries()) tell(candidateText(relayCandidate(at, i)));
  }

  /** The peer is there: relays that it does not come to are given back. */
  onConnected(): void {
    this.#settling = new Deadline(SETTLE_MS, () => {
      if (!this.#session?.selected?.isRelayed) this.#relays.close();
    });
  }

  /** Gives the addresses back; resolves when the servers know, or do not answer. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#settling?.[Symbol.dispose]();
    await this.#relays.close();
  }
}
