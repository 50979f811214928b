/** The checks that we send by ourselves, which open the way through NATs for viewers who cannot reach us otherwise. */
import { parseIp, type SocketAddress } from "../../core/mod.ts";
import { ipText, isPeerAddress } from "./addresses.ts";
import { type Candidate, parseCandidate } from "./candidates.ts";
import type { IcePath } from "./ice_path.ts";

const MAX_CANDIDATES = 100;
const MAX_TARGETS = 20;
/** How long a candidate is tried. */
const TRY_MS = 5000;
const REPEAT_MS = 500;
/** No browser has a lower port, and many services that a stranger may want to disturb do. */
const MIN_PORT = 1024;

/** A path to be tried. */
interface Target {
  readonly path: IcePath;
  readonly priority: number;
  readonly untilMs: number;
  sent: number;
  dueMs: number;
}

/** What of a peer's candidates can be tried, and in which order. Bounded, whatever a peer sends. */
export class CheckList {
  readonly #pathsTo: (to: SocketAddress) => readonly IcePath[];
  readonly #targets: Target[] = [];
  #candidates = 0;

  constructor(pathsTo: (to: SocketAddress) => readonly IcePath[]) {
    this.#pathsTo = pathsTo;
  }

  /** Takes a peer's candidate line. False: it cannot be tried (a `.local` name, TCP, no address of a peer, too many). */
  add(text: string, nowMs: number): boolean {
    const candidate = ++this.#candidates <= MAX_CANDIDATES ? parseCandidate(text) : undefined;
    const host = candidate && triedHost(candidate);
    if (host === undefined || candidate === undefined) return false;
    const { port, priority } = candidate;
    if (this.#targets.some(({ path }) => path.remote.host === host && path.remote.port === port)) return true;
    const room = MAX_TARGETS - this.#targets.length;
    if (room <= 0) return false;
    const paths = this.#pathsTo({ host, port }).slice(0, room);
    for (const path of paths) this.#targets.push({ path, priority, untilMs: nowMs + TRY_MS, sent: 0, dueMs: nowMs });
    return paths.length > 0;
  }

  /** The path to try now; `undefined`: none is due. */
  next(nowMs: number): IcePath | undefined {
    let best: Target | undefined;
    for (const target of this.#targets) {
      if (target.dueMs > nowMs || target.untilMs <= nowMs || target.path.isConfirmed) continue;
      if (!best || target.sent < best.sent || (target.sent === best.sent && target.priority > best.priority)) {
        best = target;
      }
    }
    if (!best) return undefined;
    best.sent++;
    best.dueMs = nowMs + REPEAT_MS;
    return best.path;
  }

  /** Whether anything is left to be tried. */
  isBusy(nowMs: number): boolean {
    return this.#targets.some(({ untilMs, path }) => untilMs > nowMs && !path.isConfirmed);
  }

  /** Forgets the paths that nothing came of. */
  clear(): void {
    for (const { path } of this.#targets) if (!path.owner) path.close();
    this.#targets.length = 0;
  }

  /** A new set of candidates begins (RFC 8445 §9). */
  restart(): void {
    this.clear();
    this.#candidates = 0;
  }
}

function triedHost(candidate: Candidate): string | undefined {
  const ip = candidate.protocol === "udp" && candidate.port >= MIN_PORT ? parseIp(candidate.host) : undefined;
  return ip && isPeerAddress(ip) ? ipText(ip) : undefined;
}
