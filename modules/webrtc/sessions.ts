import { StreamError } from "../../core/mod.ts";
import type { PeerLimits } from "./options.ts";

/** A place for a session, while it is made and while it lives. */
export interface Place extends Disposable {
  /** The peer has connected: it is no longer one of those that only say they will. */
  connected(): void;
}

/** What is counted for one address. */
interface Count {
  total: number;
  connecting: number;
}

/** A session as the table knows it. */
export interface Listed {
  readonly id: string;
  close(reason: string): void;
}

/** The sessions there are, by id, and how many each address has. */
export class Sessions<S extends Listed> {
  readonly #limits: PeerLimits;
  readonly #sessions = new Map<string, S>();
  readonly #counts = new Map<string, Count>();
  #total = 0;

  constructor(limits: PeerLimits) {
    this.#limits = limits;
  }

  get all(): readonly S[] {
    return [...this.#sessions.values()];
  }
  get size(): number {
    return this.#sessions.size;
  }
  find(id: string): S | undefined {
    return this.#sessions.get(id);
  }
  add(session: S): void {
    this.#sessions.set(session.id, session);
  }
  remove(id: string): void {
    this.#sessions.delete(id);
  }

  /** Takes a place for a peer whose signalling came from there. Throws `BUSY` when there is none. */
  reserve(remoteAddr: string): Place {
    const { total, per_ip, connecting_per_ip } = this.#limits;
    const host = hostOf(remoteAddr);
    const count = this.#counts.get(host) ?? { total: 0, connecting: 0 };
    if (this.#total >= total) throw busy(`${total} peers`, "webrtc.limits.total");
    if (!isOurs(host)) {
      if (count.total >= per_ip) throw busy(`${per_ip} peers of ${host}`, "webrtc.limits.per_ip");
      if (count.connecting >= connecting_per_ip) {
        throw busy(`${connecting_per_ip} peers of ${host} that do not connect`, "webrtc.limits.connecting_per_ip");
      }
    }
    this.#total++;
    count.total++;
    count.connecting++;
    this.#counts.set(host, count);
    let isConnecting = true;
    let isHeld = true;
    const connected = () => {
      if (isConnecting) count.connecting--;
      isConnecting = false;
    };
    return {
      connected,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        connected();
        this.#total--;
        if (--count.total === 0) this.#counts.delete(host);
      },
    };
  }

  /** Ends all. */
  close(reason: string): void {
    for (const session of this.all) session.close(reason);
  }
}

function busy(what: string, key: string): StreamError {
  return new StreamError("BUSY", `webrtc: there are ${what} already, close some of them or raise ${key}`);
}

/** The address that a session counts for: the one behind a proxy, without the port. */
export function hostOf(remoteAddr: string): string {
  const [direct = "", forwarded] = remoteAddr.split(" forwarded ");
  return forwarded ?? direct.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

function isOurs(host: string): boolean {
  return host === "unix" || host === "::1" || host.startsWith("127.");
}
