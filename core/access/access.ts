import type { InterfaceAddress } from "../runtime/types.ts";
import {
  contains,
  hostOf,
  type Network,
  onLinkNetworks,
  parseIp,
  parseNetwork,
  type Reach,
  reachOf,
} from "./address.ts";
import { Entered } from "./entered.ts";
import { equalSecrets, type Login, LoginLimiter, parseBasic, parseBearer } from "./login.ts";
import { isFromBrowser, isLocalName, isLoopbackName, siteOf } from "./origin.ts";
import {
  adminPrincipal,
  localPrincipal,
  nobody,
  proxiedPrincipal,
  servicePrincipal,
  userPrincipal,
  withoutChanges,
  withoutControl,
} from "./principals.ts";
import { isOwnCall, isOwnCaller } from "./own_calls.ts";
import { clientOf, forwardedChains, isProxied, isSecretlyProxied } from "./proxy.ts";
import type { AccessSettings, Role } from "./settings.ts";
import type { Need, Peer, Principal } from "./types.ts";

/** The cookie that carries the set-up token. */
export const TOKEN_COOKIE = "lenswire_token";

/** Why somebody is not let in. */
export interface Denial {
  /** 401: a login would help. 403: it would not. 429: too many wrong logins. */
  readonly status: 401 | 403 | 429;
  readonly message: string;
  readonly retryAfterSeconds?: number;
  /** A login was shown, and it is wrong. */
  readonly isWrongLogin?: true;
}

/** Who asks, or why he may not. */
export interface Verdict {
  /** Someone without rights when there is a denial. */
  readonly principal: Principal;
  readonly denial?: Denial;
  /** The set-up token came in the query: the browser shall keep it. */
  readonly showedToken: boolean;
}

/** What access looks at in an HTTP request. */
export interface AccessRequest {
  readonly peer: Peer;
  readonly method: string;
  readonly query: URLSearchParams;
  /** The Host header. */
  readonly host: string;
  readonly headers: { get(name: string): string | null };
}

/** The system as access sees it; tests bring their own. */
export interface AccessOptions {
  readonly token?: string;
  readonly hostname?: string;
  readonly interfaces?: () => readonly InterfaceAddress[];
  readonly now?: () => number;
}

/** Where a peer is. */
interface Place {
  readonly address: string;
  readonly reach: Reach;
  /** It comes straight from this machine, not through a proxy, and knows itself by a loopback name. */
  readonly isOwner: boolean;
  /** It came through a proxy that nobody listed: the address is only what that proxy says. */
  readonly isHearsay: boolean;
  readonly forwarded?: string;
  /** A browser's request through a proxy that adds no header: who it is for cannot be known. */
  readonly isSecret?: boolean;
  /** This program itself calls. */
  readonly isOwnCall?: boolean;
  /** What whoever has logged in at the proxy may do. */
  readonly role?: Role;
}

const INTERFACES_FOR_MS = 10_000;
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
const FARTHEST: readonly Reach[] = ["loopback", "local", "remote"];

/** Decides who a peer is and what he may. There is no other way to a stream, a route or a message. */
export class Access {
  /** Whoever holds it is the owner; new with each start. */
  readonly token: string;
  readonly #options: AccessOptions;
  readonly #limiter: LoginLimiter;
  #settings: AccessSettings;
  #proxies: readonly Network[] = [];
  #loginProxies: readonly { readonly text: string; readonly network: Network | undefined; readonly role: Role }[] = [];
  #listed: readonly Network[] = [];
  #own: readonly Network[] = [];
  #ownUntilMs = -1;
  #generation = 0;

  constructor(settings: AccessSettings, options: AccessOptions = {}) {
    this.#options = options;
    this.token = options.token ?? makeToken();
    this.#limiter = new LoginLimiter(options.now);
    this.#settings = settings;
    this.configure(settings);
  }

  get settings(): AccessSettings {
    return this.#settings;
  }
  /** Somebody can log in. */
  get hasUsers(): boolean {
    return this.#settings.api.username !== "" || this.#settings.users.length > 0;
  }

  /** Everybody who reaches the program may do everything. */
  get isOpen(): boolean {
    return this.#settings.open && !this.hasUsers;
  }

  /** Takes over other settings; they count at once for those who are in, too. Answers whether anything is different. */
  configure(settings: AccessSettings): boolean {
    const isDifferent = JSON.stringify(settings) !== JSON.stringify(this.#settings);
    if (isDifferent) this.#generation++;
    this.#settings = settings;
    this.#loginProxies = Object.entries(settings.loginProxies).map(([text, role]) => ({
      text,
      network: parseNetwork(text),
      role,
    }));
    this.#proxies = networksOf([...settings.trustedProxies, ...Object.keys(settings.loginProxies)]);
    this.#listed = networksOf(settings.localNetworks);
    return isDifferent;
  }

  /** Who sends an HTTP request. */
  enter(request: AccessRequest): Verdict {
    const verdict = this.#judge(request);
    if (verdict.denial) return verdict;
    const again = () => {
      const { principal, denial } = this.#judge(request, true);
      return denial ? undefined : principal;
    };
    return { ...verdict, principal: this.#entered(verdict.principal, again) };
  }

  #entered(first: Principal, again: () => Principal | undefined): Principal {
    return new Entered(first, again, () => this.#generation);
  }

  /** Whether a principal that came in would be let in now. */
  isLetIn(principal: Principal): boolean {
    return !(principal instanceof Entered) || principal.isLetIn;
  }

  // `isKnown`: the login was shown before, so that it is no try of somebody who guesses.
  #judge(request: AccessRequest, isKnown = false): Verdict {
    const { headers } = request;
    const place = this.#place(request.peer, headers, request.host);
    const authorization = headers.get("authorization");
    // Even with a login: whoever sets such a proxy up is to notice before strangers do that it makes owners of them.
    if (place.isSecret && !this.isOpen) {
      return {
        principal: nobody(place.address),
        denial: { status: 403, message: remoteText(place) },
        showedToken: false,
      };
    }
    const showedToken = this.#isToken(request.query.get("token"));
    // A page of another site cannot make a browser send these two.
    if (showedToken || this.#isToken(parseBearer(authorization))) {
      return { principal: adminPrincipal("admin", true), showedToken };
    }
    const found = this.#isToken(cookieOf(headers.get("cookie")))
      ? { principal: adminPrincipal("admin", true) }
      : this.#byLogin(parseBasic(authorization), place, isKnown) ?? this.#byAddress(request, place);
    return { ...this.#judgeOrigin(request, found), showedToken: false };
  }

  #isToken(text: string | null | undefined): boolean {
    return typeof text === "string" && equalSecrets(text, this.token);
  }

  // Undefined: no login was shown, or there is none to show.
  #byLogin(login: Login | undefined, place: Place, isKnown: boolean): Omit<Verdict, "showedToken"> | undefined {
    if (!login || !this.hasUsers) return undefined;
    const waitMs = isKnown ? 0 : this.#limiter.waitMs(place.address, login.username);
    if (waitMs > 0) {
      const retryAfterSeconds = Math.ceil(waitMs / 1000);
      const message = `Too many wrong logins from ${place.address}, wait ${retryAfterSeconds} s`;
      return { principal: nobody(place.address), denial: { status: 429, message, retryAfterSeconds } };
    }
    const principal = this.#userOf(login);
    if (principal) {
      if (!isKnown) this.#limiter.succeed(place.address, login.username);
      return { principal };
    }
    if (this.#isExempt(place)) return undefined;
    if (!isKnown) this.#limiter.fail(place.address, login.username, login.password);
    return { principal: nobody(place.address), denial: { ...UNAUTHORIZED, isWrongLogin: true } };
  }

  #userOf(login: Login): Principal | undefined {
    const { api, users, trustApi } = this.#settings;
    let found: Principal | undefined;
    if (api.username !== "" && isLogin(login, api)) found = adminPrincipal("admin", true);
    // All are compared, so that the time does not tell which names exist.
    for (const user of users) {
      if (isLogin(login, { username: user.name, password: user.password })) found ??= userPrincipal(user, trustApi);
    }
    return found;
  }

  // go2rtc's rule: this machine needs no login unless `local_auth` says so.
  #isExempt(place: Place): boolean {
    return place.isOwner && !this.#settings.api.localAuth;
  }

  #byAddress(request: AccessRequest, place: Place): Omit<Verdict, "showedToken"> {
    const { address } = place;
    if (place.role) {
      return { principal: proxiedPrincipal(place.forwarded ?? address, place.role, this.#settings.trustApi) };
    }
    if (this.hasUsers) {
      return this.#isExempt(place)
        ? { principal: this.#owner() }
        : { principal: nobody(address), denial: UNAUTHORIZED };
    }
    if (this.#settings.open) return { principal: adminPrincipal(`open ${address}`, this.#settings.trustApi) };
    if (place.isOwner) return { principal: this.#owner() };
    if (place.reach === "remote") {
      return { principal: nobody(address), denial: { status: 403, message: remoteText(place) } };
    }
    if (!this.#isKnownHost(request.host)) {
      const message = `Host "${hostOf(request.host)}" is not known to be this server, add it to access.hosts`;
      return { principal: nobody(address), denial: { status: 403, message } };
    }
    return { principal: localPrincipal(address, !place.isHearsay && !isFromBrowser(request.headers)) };
  }

  #owner(): Principal {
    return adminPrincipal("admin", this.#settings.trustApi);
  }

  #isKnownHost(host: string): boolean {
    const name = hostOf(host);
    // Browsers always send one, and only they can be deceived.
    if (name === "" || parseIp(name) || isLocalName(name)) return true;
    const own = (this.#options.hostname ?? "").toLowerCase();
    return name === own || this.#settings.hosts.some((known) => hostOf(known) === name);
  }

  #judgeOrigin(request: AccessRequest, found: Omit<Verdict, "showedToken">): Omit<Verdict, "showedToken"> {
    const site = found.denial || this.isOpen ? "own" : siteOf(request.headers, request.host);
    if (site === "own") return found;
    const isSafe = SAFE_METHODS.has(request.method);
    // Browsers name the origin of whatever is not safe.
    if (site === "unknown") return isSafe ? { principal: withoutChanges(found.principal) } : found;
    if (this.#settings.api.origin !== "*" && !isSafe) {
      const site = request.headers.get("origin") ?? "another site";
      const message =
        `Requests from pages of other sites (${site}) may change nothing, set api.origin to "*" for cameras`;
      return { principal: nobody(found.principal.name), denial: { status: 403, message } };
    }
    return { principal: withoutControl(found.principal) };
  }

  /**
   * Who a peer outside HTTP is, by the login he showed or else by his address; `service` is the module that asks.
   * `undefined`: the login is wrong, or one is needed.
   */
  identify(peer: Peer, login: Login | undefined, service: string): Principal | undefined {
    const first = this.#identify(peer, login, service, false);
    return first && this.#entered(first, () => this.#identify(peer, login, service, true));
  }

  #identify(peer: Peer, login: Login | undefined, service: string, isKnown: boolean): Principal | undefined {
    const place = this.#place(peer, peer.headers, "");
    const { address } = place;
    const own = this.#settings.services[service];
    const needsOwn = own !== undefined && own.username !== "";
    if (login && (needsOwn || this.hasUsers)) {
      if (!isKnown && this.#limiter.waitMs(address, login.username) > 0) return undefined;
      const isOwn = needsOwn && isLogin(login, own);
      const found = this.#userOf(login) ?? (isOwn ? servicePrincipal(service, own.username) : undefined);
      if (found) {
        if (!isKnown) this.#limiter.succeed(address, login.username);
        return found;
      }
      if (!place.isOwner) {
        if (!isKnown) this.#limiter.fail(address, login.username, login.password);
        return undefined;
      }
    }
    if (place.isOwner) {
      return this.#settings.api.localAuth ? localPrincipal(address, false) : this.#owner();
    }
    if (needsOwn || this.#settings.users.length > 0) return undefined;
    // As in go2rtc, the login of the API alone does not close the other protocols to the local network.
    if (place.reach !== "remote") return localPrincipal(address, false);
    if (this.hasUsers) return undefined;
    return this.#settings.open ? adminPrincipal(`open ${address}`, this.#settings.trustApi) : nobody(address);
  }

  /** Why a principal may not what a route or message needs; `camera` is the stream that is meant, if any. */
  check(principal: Principal, need: Need, camera: string | null): Denial | undefined {
    if (need === "public") return undefined;
    if (need === "admin") return principal.isAdmin ? undefined : this.#lacks("admin rights");
    if (need === "operate") {
      return principal.mayOperate || principal.isAdmin ? undefined : this.#lacks("the right to change streams");
    }
    if (!camera || principal.can(need, camera)) return undefined;
    return {
      status: 403,
      message: `This needs the right to ${need} the camera, which ${principal.name} does not have`,
    };
  }

  #lacks(what: string): Denial {
    const how = this.hasUsers
      ? "log in as somebody who has them"
      : "come from the machine itself, or with the link that the log shows at start";
    return { status: 403, message: `This needs ${what}: ${how}` };
  }

  /** The contract's text of where a peer is: `host:port`, with ` forwarded <address>` behind a proxy. */
  describe(peer: Peer): string {
    if (peer.transport === "unix") return "unix";
    const host = peer.host.includes(":") ? `[${peer.host}]` : peer.host;
    const { forwarded } = this.#place(peer, peer.headers, "");
    return `${host}:${peer.port}${forwarded ? ` forwarded ${forwarded}` : ""}`;
  }

  #place(peer: Peer, headers: AccessRequest["headers"] | undefined, host: string): Place {
    const isUnix = peer.transport === "unix";
    const bytes = isUnix ? undefined : parseIp(peer.host);
    const address = isUnix ? "unix" : peer.host;
    const reach = isUnix ? "loopback" : this.#reachOf(bytes);
    if (peer.isRemote) return { address, reach: "remote", isOwner: false, isHearsay: false };
    if (isOwnCall(headers)) return { address, reach: "remote", isOwner: false, isHearsay: false, isOwnCall: true };
    if (!headers || !isProxied(headers)) {
      const isSecret = headers !== undefined && reach === "loopback" && isSecretlyProxied(headers, peer.transport);
      if (isSecret) return { address, reach: "remote", isOwner: false, isHearsay: true, isSecret };
      const isLoopback = reach === "loopback" && (host === "" || isLoopbackName(host));
      const isOwner = isUnix || (isLoopback && !isOwnCaller(peer.port));
      return { address, reach, isOwner, isHearsay: false };
    }
    const role = this.#loginProxies.find(({ text, network }) =>
      bytes ? network && contains(network, bytes) : isUnix && text === "unix"
    )?.role;
    const isTrusted = role !== undefined ||
      (isUnix
        ? this.#settings.trustedProxies.includes("unix")
        : bytes !== undefined && this.#proxies.some((network) => contains(network, bytes)));
    if (!isTrusted) return this.#behindUnknown(address, headers, reach);
    return { ...this.#behindTrusted(address, headers), ...(role ? { role } : {}) };
  }

  // Each header names one client; a client can fake those that the proxy does not write, so the farthest is believed.
  #behindTrusted(proxy: string, headers: AccessRequest["headers"]): Place {
    const clients = forwardedChains(headers).map((chain) => clientOf(chain, this.#proxies));
    const known = clients.filter((client) => client !== undefined);
    if (known.length === 0) return { address: proxy, reach: "remote", isOwner: false, isHearsay: false };
    const farthest = known.reduce((a, b) => this.#isFarther(b.address, a.address) ? b : a);
    const reach = this.#reachOf(farthest.address);
    const address = farthest.address ? farthest.text : proxy;
    return { address, reach, isOwner: false, isHearsay: false, forwarded: farthest.text };
  }

  // What an unknown proxy says can only make the peer farther away than the proxy is.
  #behindUnknown(proxy: string, headers: AccessRequest["headers"], own: Reach): Place {
    const entries = forwardedChains(headers).flat();
    const reaches = entries.map((entry) => this.#reachOf(entry.address));
    const reach = entries.length === 0 ? "remote" : farthestOf([own, ...reaches]);
    const forwarded = entries[0]?.text;
    return { address: proxy, reach, isOwner: false, isHearsay: true, ...(forwarded ? { forwarded } : {}) };
  }

  #isFarther(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
    return FARTHEST.indexOf(this.#reachOf(a)) > FARTHEST.indexOf(this.#reachOf(b));
  }

  #reachOf(address: Uint8Array | undefined): Reach {
    return reachOf(address, this.#ownNetworks(), this.#listed);
  }

  // Interfaces come and go, but asking for them at each request costs too much.
  #ownNetworks(): readonly Network[] {
    const nowMs = (this.#options.now ?? performance.now.bind(performance))();
    if (nowMs >= this.#ownUntilMs) {
      this.#own = onLinkNetworks((this.#options.interfaces?.() ?? []).map((one) => one.cidr));
      this.#ownUntilMs = nowMs + INTERFACES_FOR_MS;
    }
    return this.#own;
  }
}

const UNAUTHORIZED: Denial = { status: 401, message: "Unauthorized" };

function isLogin(given: Login, known: Login): boolean {
  const hasName = equalSecrets(given.username, known.username);
  const hasPassword = equalSecrets(given.password, known.password);
  return hasName && hasPassword;
}

function remoteText(place: Place): string {
  if (place.isOwnCall) return "The address of a source leads back to this program: let it be the stream's name instead";
  if (place.isHearsay) {
    return place.forwarded === undefined
      ? `Came through a proxy on ${place.address} that does not say for whom: let it send X-Forwarded-For, and add it ` +
        "to access.trusted_proxies"
      : `Came through the proxy ${place.address}, which is not known here: add it to access.trusted_proxies, ` +
        "and users to access.users for those who are not on the local network";
  }
  return `${place.address} is not on the local network: nobody outside it is let in until access.users has users`;
}

function farthestOf(reaches: readonly Reach[]): Reach {
  return reaches.reduce((a, b) => FARTHEST.indexOf(b) > FARTHEST.indexOf(a) ? b : a);
}

function networksOf(texts: readonly string[]): Network[] {
  return texts.map(parseNetwork).filter((network) => network !== undefined);
}

function cookieOf(header: string | null): string | undefined {
  for (const part of (header ?? "").split(";")) {
    const cut = part.indexOf("=");
    if (cut > 0 && part.slice(0, cut).trim() === TOKEN_COOKIE) return part.slice(cut + 1).trim();
  }
  return undefined;
}

function makeToken(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toBase64({ alphabet: "base64url", omitPadding: true });
}
