/** The checks that we send by ourselves, which open the way through NATs for viewers who cannot reach us otherwise. */
import { parseIp, type SocketAddress } from "../../core/mod.ts";
import { ipText, isPeerAddress } from "./addresses.ts";
import { type Candidate, parseCandidate } from "./candidates.ts";
import type { IcePath } from "./ice_path.ts";

const MAX_CANDIDATES = 100;
/** RFC 8445 §6.1.2.5: a host may have many addresses, and each is tried with each of the peer's. */
const MAX_TARGETS = 100;
/** How long a candidate is tried. */
const TRY_MS = 5000;
const REPEAT_MS = 500;
/** No browser has a lower port, and many services that a stranger may want to disturb do. */
const MIN_PORT = 1024;

/** What the order of trying is made of. */
interface Rank {
  readonly priority: number;
  /** Checks that were sent. */
  readonly sent: number;
}

/** A path to be tried. */
interface Target extends Rank {
  readonly path: IcePath;
  readonly untilMs: number;
  sent: number;
  dueMs: number;
}

/** What of a peer's candidates can be tried, and in which order. Bounded, whatever a peer sends. */
export class CheckList {
  readonly #pathsTo: (to: SocketAddress) => readonly IcePath[];
  readonly #reach: ((candidate: Candidate) => boolean) | undefined;
  readonly #targets: Target[] = [];
  #candidates = 0;

  /** Paths that are there at once come from `pathsTo`; whoever finds others for a candidate brings them by `addPath`. */
  constructor(
    pathsTo: (to: SocketAddress) => readonly IcePath[],
    reach?: ((candidate: Candidate) => boolean) | undefined,
  ) {
    this.#pathsTo = pathsTo;
    this.#reach = reach;
  }

  /** Takes a peer's candidate line. False: it cannot be tried (a `.local` name, TCP, no address of a peer, too many). */
  add(text: string, nowMs: number): boolean {
    const candidate = ++this.#candidates <= MAX_CANDIDATES ? parseCandidate(text) : undefined;
    if (!candidate) return false;
    const host = triedHost(candidate);
    const isTried = host !== undefined && this.#addDirect(candidate, host, nowMs);
    return (this.#reach?.(candidate) ?? false) || isTried;
  }

  #addDirect(candidate: Candidate, host: string, nowMs: number): boolean {
    const to = { host, port: candidate.port };
    if (this.#targets.some(({ path: { remote } }) => remote.host === host && remote.port === to.port)) return true;
    if (this.#placeFor({ priority: candidate.priority, sent: 0 }, nowMs) < 0) return false;
    let isTried = false;
    for (const path of this.#pathsTo(to)) {
      if (this.addPath(path, candidate, nowMs)) isTried = true;
      else if (!path.owner) path.close();
    }
    return isTried;
  }

  /** Takes a path that leads to a candidate, to be tried from `dueMs` on. False: there are too many. */
  addPath(path: IcePath, { priority, type }: Candidate, nowMs: number, dueMs = nowMs): boolean {
    if (this.#targets.some((target) => target.path === path)) return true;
    const target = { path, priority, untilMs: dueMs + TRY_MS, sent: 0, dueMs };
    const place = this.#placeFor(target, nowMs);
    if (place < 0) return false;
    if (place < this.#targets.length) this.#forget(place);
    // Viewers are shown as what their checks make them, whatever they told (contract §3.5.1).
    if (this.#reach) path.remoteKind = type;
    this.#targets.push(target);
    return true;
  }

  /** The place of the target that gives way, or the first free one; -1: all others are more promising. */
  #placeFor(rank: Rank, nowMs: number): number {
    const targets = this.#targets;
    for (let i = targets.length - 1; i >= 0; i--) if (targets[i]!.untilMs <= nowMs) this.#forget(i);
    if (targets.length < MAX_TARGETS) return targets.length;
    let last = 0;
    for (let i = 1; i < targets.length; i++) if (goesBefore(targets[last]!, targets[i]!)) last = i;
    return goesBefore(rank, targets[last]!) ? last : -1;
  }

  #forget(index: number): void {
    const [target] = this.#targets.splice(index, 1);
    if (!target!.path.owner) target!.path.close();
  }

  /** The path to try now; `undefined`: none is due. */
  next(nowMs: number): IcePath | undefined {
    let best: Target | undefined;
    for (const target of this.#targets) {
      if (target.dueMs > nowMs || target.untilMs <= nowMs || target.path.isConfirmed) continue;
      if (!best || goesBefore(target, best)) best = target;
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

function goesBefore(a: Rank, b: Rank): boolean {
  return a.sent < b.sent || (a.sent === b.sent && a.priority > b.priority);
}

function triedHost(candidate: Candidate): string | undefined {
  const ip = candidate.protocol === "udp" && candidate.port >= MIN_PORT ? parseIp(candidate.host) : undefined;
  return ip && isPeerAddress(ip) ? ipText(ip) : undefined;
}
