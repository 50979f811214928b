import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** A user name and its password, as they are typed. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** One challenge of a `WWW-Authenticate` header: the scheme in lower case, and its parameters by lower-case name. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const PARAMETER = /([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^\s,"]*))/y;
const SCHEME = /[A-Za-z][\w-]*/y;

/**
 * Reads the value of a `WWW-Authenticate` or `Authorization` header (RFC 9110 §11), several challenges in one value
 * included. Values are taken without their quotes and otherwise as they stand, which is what Digest hashes.
 */
export function parseChallenges(value: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  while (at < value.length) {
    PARAMETER.lastIndex = at;
    const parameter = challenges.length > 0 ? PARAMETER.exec(value) : null;
    if (parameter) {
      challenges.at(-1)!.parameters.set(parameter[1]!.toLowerCase(), parameter[2] ?? parameter[3] ?? "");
      at = PARAMETER.lastIndex;
      continue;
    }
    SCHEME.lastIndex = at;
    const scheme = SCHEME.exec(value);
    if (scheme) {
      challenges.push({ scheme: scheme[0].toLowerCase(), parameters: new Map() });
      at = SCHEME.lastIndex;
    } else {
      at++;
    }
  }
  return challenges;
}

/** The hash of a Digest algorithm name; `undefined`: not known. */
const HASHES: Readonly<Record<string, string>> = { "MD5": "md5", "SHA-256": "sha256" };

function hashOf(algorithm: string): { hash: string; isSession: boolean } | undefined {
  const upper = algorithm.toUpperCase();
  const isSession = upper.endsWith("-SESS");
  const hash = HASHES[isSession ? upper.slice(0, -5) : upper];
  return hash ? { hash, isSession } : undefined;
}

function hex(hash: string, text: string): string {
  return createHash(hash).update(text, "utf8").digest("hex");
}

/** What a Digest response is computed from (RFC 7616 §3.4). `qop` is empty for the form of RFC 2069. */
interface DigestInput extends Login {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: string;
  readonly method: string;
  readonly uri: string;
  readonly qop: string;
  readonly nc: string;
  readonly cnonce: string;
}

function digestResponse(input: DigestInput): string | undefined {
  const known = hashOf(input.algorithm);
  if (!known) return undefined;
  const { hash, isSession } = known;
  let ha1 = hex(hash, `${input.username}:${input.realm}:${input.password}`);
  if (isSession) ha1 = hex(hash, `${ha1}:${input.nonce}:${input.cnonce}`);
  const ha2 = hex(hash, `${input.method}:${input.uri}`);
  return input.qop === ""
    ? hex(hash, `${ha1}:${input.nonce}:${ha2}`)
    : hex(hash, `${ha1}:${input.nonce}:${input.nc}:${input.cnonce}:${input.qop}:${ha2}`);
}

function encodeBase64(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function decodeBase64(text: string): string | undefined {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

/** The `Authorization` value that shows a login as Basic. */
export function basicAuthorization(login: Login): string {
  return `Basic ${encodeBase64(`${login.username}:${login.password}`)}`;
}

/** What a 401 means for a client: try again with an answer, the login is wrong, or no offered scheme is known. */
export type ChallengeResult = "answer" | "refused" | "unsupported";

/**
 * A client's side of Basic and Digest (MD5, SHA-256, their `-sess` forms, `qop` lists with `auth`). Feed it each 401 and
 * ask it for the `Authorization` of each request.
 */
export class LoginClient {
  readonly #login: Login;
  #digest: ReadonlyMap<string, string> | undefined;
  #isBasic = false;
  #count = 0;
  // Another nonce, once, does not mean that the login is wrong.
  #mayRenew = false;

  constructor(login: Login) {
    this.#login = login;
  }

  /** The scheme in use, for messages; `undefined` before the first challenge. */
  get scheme(): "Basic" | "Digest" | undefined {
    return this.#digest ? "Digest" : this.#isBasic ? "Basic" : undefined;
  }

  /** Takes the `WWW-Authenticate` values of a 401. A nonce that has run out is not a wrong password. */
  challenge(values: readonly string[]): ChallengeResult {
    const challenges = values.flatMap(parseChallenges);
    const digests = challenges.filter(({ scheme, parameters }) =>
      scheme === "digest" && parameters.has("nonce") && hashOf(parameters.get("algorithm") || "MD5") &&
      hasAuth(parameters)
    );
    const digest = digests.find(({ parameters }) => /^SHA-256/i.test(parameters.get("algorithm") ?? "")) ?? digests[0];
    const hadAnswer = this.scheme !== undefined;
    const mayRenew = this.#mayRenew;
    this.#mayRenew = false;
    if (digest) {
      const isStale = digest.parameters.get("stale")?.toLowerCase() === "true";
      const isSame = this.#digest?.get("nonce") === digest.parameters.get("nonce");
      // Some servers renew a nonce without saying that the old one was stale.
      if (this.#digest && !isStale && !(mayRenew && !isSame)) return "refused";
      this.#digest = digest.parameters;
      this.#isBasic = false;
      this.#count = 0;
      return "answer";
    }
    if (!challenges.some(({ scheme }) => scheme === "basic")) return hadAnswer ? "refused" : "unsupported";
    if (hadAnswer) return "refused";
    this.#isBasic = true;
    return "answer";
  }

  /** A request with an answer went through: the login is right. */
  accepted(): void {
    if (this.scheme) this.#mayRenew = true;
  }

  /** Its requests go over another connection: some servers have a nonce for each. */
  reconnected(): void {
    if (this.scheme) this.#mayRenew = true;
  }

  /** The `Authorization` of a request; `undefined` before the first challenge. `uri` is what the request line has. */
  authorize(method: string, uri: string): string | undefined {
    if (this.#isBasic) return basicAuthorization(this.#login);
    if (!this.#digest) return undefined;
    const algorithm = this.#digest.get("algorithm");
    const realm = this.#digest.get("realm") ?? "";
    const nonce = this.#digest.get("nonce")!;
    const opaque = this.#digest.get("opaque");
    const qop = this.#digest.get("qop") ? "auth" : "";
    const nc = (++this.#count).toString(16).padStart(8, "0");
    const cnonce = randomBytes(16).toString("hex");
    const response = digestResponse({
      ...this.#login,
      realm,
      nonce,
      algorithm: algorithm || "MD5",
      method,
      uri,
      qop,
      nc,
      cnonce,
    });
    const isSession = /-sess$/i.test(algorithm ?? "");
    return [
      `Digest username="${this.#login.username.replace(/["\\]/g, "\\$&")}"`,
      `realm="${realm}"`,
      `nonce="${nonce}"`,
      `uri="${uri}"`,
      ...(algorithm ? [`algorithm=${algorithm}`] : []),
      ...(qop ? [`qop=${qop}`, `nc=${nc}`] : []),
      ...(qop || isSession ? [`cnonce="${cnonce}"`] : []),
      `response="${response}"`,
      ...(opaque === undefined ? [] : [`opaque="${opaque}"`]),
    ].join(", ");
  }
}

function hasAuth(parameters: ReadonlyMap<string, string>): boolean {
  const qop = parameters.get("qop");
  return !qop || qop.split(",").some((one) => one.trim().toLowerCase() === "auth");
}

/** What a client answered in its `Authorization` header. */
export type Authorization =
  | ({ readonly scheme: "basic" } & Login)
  | {
    readonly scheme: "digest";
    readonly username: string;
    readonly nonce: string;
    readonly parameters: ReadonlyMap<string, string>;
  };

/** Reads an `Authorization` header; `undefined` when it is neither a usable Basic nor Digest answer. */
export function parseAuthorization(value: string): Authorization | undefined {
  const basicText = /^\s*basic\s+(\S+)\s*$/i.exec(value)?.[1];
  if (basicText !== undefined) {
    const text = decodeBase64(basicText);
    const colon = text?.indexOf(":") ?? -1;
    return text === undefined || colon < 0
      ? undefined
      : { scheme: "basic", username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const digest = parseChallenges(value)[0];
  if (digest?.scheme !== "digest") return undefined;
  const username = digest.parameters.get("username");
  const nonce = digest.parameters.get("nonce");
  if (username === undefined || nonce === undefined) return undefined;
  return { scheme: "digest", username: username.replace(/\\(.)/g, "$1"), nonce, parameters: digest.parameters };
}

/** Whether a Digest answer was made with this password for this request. The nonce is the caller's to check. */
export function verifyDigest(
  answer: Extract<Authorization, { scheme: "digest" }>,
  expected: { readonly method: string; readonly realm: string; readonly password: string },
): boolean {
  const { parameters } = answer;
  const qop = parameters.get("qop") ?? "";
  if (qop !== "" && qop.toLowerCase() !== "auth") return false;
  if ((parameters.get("realm") ?? "") !== expected.realm) return false;
  const response = digestResponse({
    username: answer.username,
    password: expected.password,
    realm: expected.realm,
    nonce: answer.nonce,
    algorithm: parameters.get("algorithm") || "MD5",
    method: expected.method,
    uri: parameters.get("uri") ?? "",
    qop,
    nc: parameters.get("nc") ?? "",
    cnonce: parameters.get("cnonce") ?? "",
  });
  return response !== undefined && isEqualText(response, (parameters.get("response") ?? "").toLowerCase());
}

/** Compares two secrets in a time that tells nothing about where they differ. */
export function isEqualText(a: string, b: string): boolean {
  return timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());
}

/**
 * Issues nonces and knows them again without keeping them: each carries its time, and a code over it and its scope (a
 * connection, a peer) that only this program can make.
 */
export class Nonces {
  readonly #key = randomBytes(32);
  readonly #lifetimeMs: number;

  constructor(lifetimeMs = 5 * 60_000) {
    this.#lifetimeMs = lifetimeMs;
  }

  issue(scope = "", nowMs: number = Date.now()): string {
    const head = nowMs.toString(16).padStart(12, "0") + randomBytes(8).toString("hex");
    return head + this.#code(head, scope);
  }

  check(nonce: string, scope = "", nowMs: number = Date.now()): "valid" | "stale" | "forged" {
    const head = nonce.slice(0, 28);
    if (!/^[0-9a-f]{28}$/.test(head) || !isEqualText(nonce.slice(28), this.#code(head, scope))) return "forged";
    return nowMs - parseInt(head.slice(0, 12), 16) <= this.#lifetimeMs ? "valid" : "stale";
  }

  #code(head: string, scope: string): string {
    return createHmac("sha256", this.#key).update(`${head}:${scope}`).digest("hex").slice(0, 32);
  }
}

/** The `WWW-Authenticate` value that asks for Basic. */
export function basicChallenge(realm: string): string {
  return `Basic realm="${realm}"`;
}

/** The `WWW-Authenticate` value that asks for Digest with MD5, which every camera client knows. */
export function digestChallenge(realm: string, nonce: string, isStale = false): string {
  return `Digest realm="${realm}", nonce="${nonce}", algorithm=MD5, qop="auth"${isStale ? ", stale=true" : ""}`;
}
