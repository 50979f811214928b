/**
 * One peer's ICE session (RFC 8445): it answers authentic checks like a lite agent, sends checks of its own on top when it
 * may, follows the pair that the peer nominates, and ends when the peer is gone.
 */
import { messageOf, type SocketAddress } from "../../core/mod.ts";
import { ipText } from "./addresses.ts";
import type { Candidate } from "./candidates.ts";
import { CheckList } from "./ice_checks.ts";
import type { IceAgent, IceHub } from "./ice_hub.ts";
import { SeenChecks, TokenBucket } from "./ice_limits.ts";
import type { IcePath, PathOwner } from "./ice_path.ts";
import { bindingError, bindingSuccess, type IceRole, type StunMessage, StunType } from "./stun.ts";

/** `checking`: nothing came yet; `paused`: nothing comes any more, so nothing is sent either. */
export type IceState = "checking" | "connected" | "paused" | "closed";

/** What the owner of a session is told. None of it may throw. */
export interface IceHandlers {
  /** The peer is reached over this path from now on. */
  onSelected(path: IcePath): void;
  /** DTLS, RTP or RTCP of an address that has proven itself. The bytes stay valid and may be changed in place. */
  onData(bytes: Uint8Array, path: IcePath): void;
  /** Sending stopped (`paused`) or goes on (`connected`). */
  onState(state: IceState): void;
  /** Nothing is in flight any more on the selected path. */
  onDrained(): void;
  /** It ended by itself; not called by `close`. */
  onClosed(reason: string): void;
}

/** What the peer's description says. */
export interface RemoteCredentials {
  readonly ufrag: string;
  readonly pwd: string;
  readonly isLite?: boolean;
  /** It answered our offer: the choice of the path is ours (RFC 8445 §6.1.1). */
  readonly isAnswerer?: boolean;
}

/** Ways to a peer that take time to open: connections, relays, names. */
export interface SlowWays {
  /** Looks for ways to a candidate and tells them as they are found. False: there are none. */
  reach(candidate: Candidate, found: (path: IcePath) => void, isNeeded: () => boolean): boolean;
  /** How long ways that are there at once go ahead of a found one. */
  headStartMs(path: IcePath): number;
}

/** What a session is made of. */
export interface IceSessionOptions {
  readonly hub: IceHub;
  readonly handlers: IceHandlers;
  /** The paths from our UDP sockets to an address, made on demand. */
  readonly pathsTo: (to: SocketAddress) => readonly IcePath[];
  readonly slowWays?: SlowWays | undefined;
  /** No checks are sent by ourselves, and the description says `a=ice-lite`. */
  readonly isLite: boolean;
}

interface LocalCredentials {
  readonly ufrag: string;
  readonly pwd: string;
  readonly key: Uint8Array;
}

/** Nothing authentic for so long: sending stops. */
export const PAUSE_AFTER_MS = 10_000;
/** Nothing authentic for so long: the peer is gone. */
export const CLOSE_AFTER_MS = 14_000;
/** A path so long silent is left as soon as another shows life. */
const STALE_AFTER_MS = 3000;
/** A path that is not used is forgotten. */
const FORGET_AFTER_MS = 30_000;
/** How often the peer is asked whether it is there: while nothing comes, and while its media does (RFC 7675 §5.1). */
const CONSENT_MS = { silent: 2000, usual: 5000 } as const;
const MAX_PATHS = 8;
const MAX_PROBES = 4;
const WRONG_PROOFS_PER_SECOND = 100;
// 32 characters: five random bits each, and none that any parser of descriptions may stumble over.
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const encoder = new TextEncoder();

function randomText(length: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(length))) text += ALPHABET[byte & 31];
  return text;
}

function newCredentials(): LocalCredentials {
  const pwd = randomText(32);
  return { ufrag: randomText(12), pwd, key: encoder.encode(pwd) };
}

/** The rank of a path that nothing is better than. */
const DIRECT = 2;

/** What is preferred where the choice is ours: datagrams, then a connection, then a server in between. */
function rank({ protocol, isRelayed }: IcePath): number {
  return isRelayed ? 0 : protocol === "tcp" ? 1 : DIRECT;
}

function addressOf(message: StunMessage): SocketAddress | undefined {
  const seen = message.mappedAddress();
  return seen && { host: ipText(seen.ip), port: seen.port };
}

/** A session; see the file's head. */
export class IceSession implements IceAgent, PathOwner, Disposable {
  readonly isLite: boolean;
  readonly #hub: IceHub;
  readonly #handlers: IceHandlers;
  readonly #checks: CheckList;
  readonly #paths = new Set<IcePath>();
  readonly #seen = new SeenChecks();
  readonly #proofs = new TokenBucket(WRONG_PROOFS_PER_SECOND, WRONG_PROOFS_PER_SECOND);
  #local = newCredentials();
  // Those of before a restart, until the peer uses the new ones.
  #previous: LocalCredentials | undefined;
  #remote: (RemoteCredentials & { readonly key: Uint8Array }) | undefined;
  #role: IceRole = "controlled";
  #state: IceState = "checking";
  #selected: IcePath | undefined;
  #wasReached = false;
  #heardMs = performance.now();
  #consentMs = 0;
  #consentIntervalMs = 0;

  constructor(options: IceSessionOptions) {
    this.isLite = options.isLite;
    this.#hub = options.hub;
    this.#handlers = options.handlers;
    const { slowWays } = options;
    this.#checks = new CheckList(
      options.pathsTo,
      slowWays && ((candidate) =>
        slowWays.reach(
          candidate,
          (path) => this.#onFound(path, candidate, slowWays.headStartMs(path)),
          () => this.#isSearching,
        )),
    );
    this.#hub.register(this.#local.ufrag, this);
  }

  /** For our description. */
  get ufrag(): string {
    return this.#local.ufrag;
  }
  /** For our description. */
  get pwd(): string {
    return this.#local.pwd;
  }
  get state(): IceState {
    return this.#state;
  }
  /** The path in use. */
  get selected(): IcePath | undefined {
    return this.#selected;
  }
  /** When the last authentic packet came, as `performance.now()`. */
  get lastHeardMs(): number {
    return this.#heardMs;
  }
  /** Bytes that the system has not taken yet. */
  get bytesInFlight(): number {
    return this.#selected?.bytesInFlight ?? 0;
  }

  /** Takes the credentials of the peer's description; a second time after `restart`. */
  setRemote(remote: RemoteCredentials): void {
    this.#remote = { ...remote, key: encoder.encode(remote.pwd) };
    // Until now it could not know of us.
    this.#heardMs = performance.now();
    // A lite agent sends no checks, so the choice is ours.
    this.#role = remote.isLite || remote.isAnswerer ? "controlling" : "controlled";
  }

  /** Takes a candidate line of the peer. False: it is of no use to us (see {@linkcode CheckList.add}), which harms nothing. */
  addRemoteCandidate(text: string): boolean {
    if (this.#state === "closed" || (this.isLite && !this.#remote?.isLite)) return false;
    if (!this.#checks.add(text, performance.now())) return false;
    this.#hub.startChecks(this);
    return true;
  }

  /** Whether a better way to the peer would be welcome. */
  get #isSearching(): boolean {
    return this.#state !== "closed" &&
      (!this.#selected || rank(this.#selected) < DIRECT || this.#previous !== undefined);
  }

  #onFound(path: IcePath, candidate: Candidate, headStartMs: number): void {
    const nowMs = performance.now();
    const isTried = this.#isSearching && this.#checks.addPath(path, candidate, nowMs, nowMs + headStartMs);
    if (isTried) this.#hub.startChecks(this);
    else if (!path.owner) path.close();
  }

  /** Sends one packet to the peer; see {@linkcode IcePath.send}. False: it was dropped. */
  send(packet: Uint8Array): boolean {
    return this.#state === "connected" && this.#selected !== undefined && this.#selected.send(packet);
  }

  /** Sends a frame's packets to the peer; see {@linkcode IcePath.sendBatch}. Answers how many were taken. */
  sendBatch(bytes: Uint8Array, offsets: readonly number[]): number {
    return this.#state === "connected" && this.#selected ? this.#selected.sendBatch(bytes, offsets) : 0;
  }

  /** Something else that only the peer can have made came over a path: it lives. */
  heard(path: IcePath, nowMs: number = performance.now()): void {
    path.heardMs = nowMs;
    this.#heard(nowMs);
  }

  /** Begins again with new credentials (RFC 8445 §9); what runs goes on until the peer has found a way with them. */
  restart(): void {
    if (this.#state === "closed") return;
    // Those of a restart that the peer has not followed are of no use, those of before it still are.
    if (this.#previous) this.#hub.unregister(this.#local.ufrag);
    else this.#previous = this.#local;
    this.#local = newCredentials();
    this.#hub.register(this.#local.ufrag, this);
    this.#checks.restart();
  }

  onCheck(message: StunMessage, ufrag: string, path: IcePath): boolean {
    const { counters } = this.#hub;
    const nowMs = performance.now();
    const credentials = ufrag === this.#local.ufrag ? this.#local : this.#previous;
    if (!credentials || credentials.ufrag !== ufrag) return false;
    // One connection is one session's: the peer may not move it to another.
    if (path.protocol === "tcp" && path.owner !== undefined && path.owner !== this) return false;
    if (!this.#proofs.take(nowMs)) {
      counters.limited++;
      return false;
    }
    if (!message.isSignedWith(credentials.key)) {
      counters.unauthentic++;
      return false;
    }
    this.#proofs.giveBack();
    if (!this.#seen.note(message.transactionWord(0), message.transactionWord(1), path.id)) {
      counters.replayed++;
      return false;
    }
    if (message.role === this.#role) {
      if (this.#role === "controlled") {
        path.send(bindingError(message, 487, credentials.key));
        return true;
      }
      this.#role = "controlled";
    }
    path.send(bindingSuccess(message, { ip: path.remoteIp, port: path.remote.port }, credentials.key));
    // Quirk(pion): nominates when a check of ours follows the success of its own, else only 200 ms later.
    if (path.isConfirmed && !path.wasChecked) this.#check(path);
    path.wasChecked = true;
    this.#adopt(path);
    this.heard(path, nowMs);
    this.#choose(path, message.useCandidate, nowMs);
    if (this.#previous && credentials === this.#local) this.#endRestart(path);
    return true;
  }

  onCheckAnswer(message: StunMessage, path: IcePath, role: IceRole): boolean {
    const remote = this.#remote;
    if (this.#state === "closed" || !remote || !message.isSignedWith(remote.key)) {
      this.#hub.counters.unauthentic++;
      return false;
    }
    if (message.type === StunType.ERROR) {
      if (message.errorCode === 487) this.#role = role === "controlled" ? "controlling" : "controlled";
      return true;
    }
    if (!path.isConfirmed) path.seenAs = addressOf(message);
    path.isConfirmed = true;
    this.#adopt(path);
    this.heard(path);
    const selected = this.#selected;
    if (!selected || path.isWanted || (role === "controlling" && rank(path) > rank(selected))) this.#select(path);
    return true;
  }

  // The first authentic check counts at once. Later the peer's nomination does; a path that works is left for another only
  // when that one has answered us, since whoever can copy a check could move the media elsewhere.
  #choose(path: IcePath, isNominated: boolean, nowMs: number): void {
    const selected = this.#selected;
    if (path === selected) return;
    const isStale = !selected || nowMs - selected.heardMs > STALE_AFTER_MS;
    if (isStale || (isNominated && path.isConfirmed)) return this.#select(path);
    if (!isNominated) return;
    for (const other of this.#paths) other.isWanted = false;
    path.isWanted = true;
    if (path.probes > 0 && path.probes < MAX_PROBES) return;
    path.probes = 0;
    this.#probe(path);
  }

  #select(path: IcePath): void {
    if (path === this.#selected) return;
    this.#selected = path;
    this.#wasReached = true;
    for (const other of this.#paths) other.isWanted = false;
    this.#setState("connected");
    this.#handlers.onSelected(path);
  }

  #adopt(path: IcePath): void {
    if (this.#paths.has(path)) return;
    if (path.owner && path.owner !== this) {
      path.owner.onPathLost(path);
      path.isConfirmed = path.isWanted = false;
      path.probes = 0;
    }
    if (this.#paths.size >= MAX_PATHS) this.#forgetOne();
    path.owner = this;
    this.#paths.add(path);
    if (!this.isLite) this.#probe(path);
  }

  #forgetOne(): void {
    let oldest: IcePath | undefined;
    for (const path of this.#paths) {
      if (path !== this.#selected && (!oldest || path.heardMs < oldest.heardMs)) oldest = path;
    }
    if (oldest) this.#release(oldest);
  }

  #release(path: IcePath): void {
    this.#paths.delete(path);
    path.owner = undefined;
    path.close();
  }

  #endRestart(path: IcePath): void {
    this.#hub.unregister(this.#previous!.ufrag);
    this.#previous = undefined;
    this.#select(path);
  }

  // Finds out whether the peer is really there.
  #probe(path: IcePath): void {
    if (path.isConfirmed || path.probes >= MAX_PROBES || !this.#remote) return;
    path.probes++;
    this.#check(path);
  }

  #check(path: IcePath): void {
    const remote = this.#remote;
    if (!remote) return;
    this.#hub.check(this, path, {
      username: `${remote.ufrag}:${this.#local.ufrag}`,
      key: remote.key,
      role: this.#role,
      useCandidate: this.#role === "controlling",
    });
  }

  #heard(nowMs: number): void {
    this.#heardMs = nowMs;
    if (this.#state === "paused") this.#setState("connected");
  }

  #setState(state: IceState): void {
    if (state === this.#state || this.#state === "closed") return;
    this.#state = state;
    this.#handlers.onState(state);
  }

  sendNextCheck(nowMs: number): boolean {
    if (!this.#isSearching || !this.#checks.isBusy(nowMs)) {
      this.#checks.clear();
      return false;
    }
    const path = this.#checks.next(nowMs);
    if (path) this.#check(path);
    return true;
  }

  tick(nowMs: number): void {
    if (!this.#remote) return;
    const silentMs = nowMs - this.#heardMs;
    if (silentMs >= CLOSE_AFTER_MS) {
      return this.#end(
        this.#wasReached
          ? `nothing came from the peer for ${CLOSE_AFTER_MS / 1000} s`
          : "no check of the peer arrived, none of our candidates can be reached",
      );
    }
    if (silentMs >= PAUSE_AFTER_MS && this.#state === "connected") this.#setState("paused");
    const selected = this.#selected;
    if (selected && this.#asksForConsent(selected, nowMs)) {
      this.#consentMs = nowMs;
      this.#consentIntervalMs = CONSENT_MS.usual * (0.8 + Math.random() * 0.4);
      this.#check(selected);
    }
    for (const path of this.#paths) {
      if (path !== selected && nowMs - path.heardMs > FORGET_AFTER_MS) this.#release(path);
      else if (path.isWanted || !this.isLite) this.#probe(path);
    }
  }

  // A lite peer asks nothing itself: it sends only as long as it is asked. Others do the asking when the choice is theirs.
  #asksForConsent(selected: IcePath, nowMs: number): boolean {
    const sinceMs = nowMs - this.#consentMs;
    if (nowMs - selected.heardMs >= STALE_AFTER_MS) return sinceMs >= CONSENT_MS.silent;
    return (this.#role === "controlling" || this.#remote?.isLite === true) && sinceMs >= this.#consentIntervalMs;
  }

  onData(bytes: Uint8Array, path: IcePath): void {
    if (this.#state !== "closed") this.#handlers.onData(bytes, path);
  }

  onDrained(path: IcePath): void {
    if (path === this.#selected && this.#state !== "closed") this.#handlers.onDrained();
  }

  onPathEnd(path: IcePath): void {
    if (!this.#paths.delete(path) || path !== this.#selected) return;
    this.#selected = undefined;
    const next = [...this.#paths].sort((a, b) => b.heardMs - a.heardMs)[0];
    if (next && performance.now() - next.heardMs < STALE_AFTER_MS * 2) return this.#select(next);
    if (!this.#previous) this.#end("the peer closed its connection");
  }

  onPathLost(path: IcePath): void {
    this.#paths.delete(path);
    if (path === this.#selected) this.#selected = undefined;
  }

  onFault(error: unknown): void {
    this.#end(`its checks failed: ${messageOf(error)}`);
  }

  #end(reason: string): void {
    if (this.#state === "closed") return;
    this.close();
    this.#handlers.onClosed(reason);
  }

  /** Ends the session: nothing is sent or answered any more. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#hub.unregister(this.#local.ufrag);
    if (this.#previous) this.#hub.unregister(this.#previous.ufrag);
    this.#hub.remove(this);
    this.#selected = undefined;
    this.#checks.clear();
    for (const path of [...this.#paths]) this.#release(path);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
