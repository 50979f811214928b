import { parseIp } from "./address.ts";

/** A name and password as a client showed them. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** Reads an `Authorization` header of the Basic scheme (RFC 7617); `undefined` when it is none. */
export function parseBasic(header: string | null): Login | undefined {
  const encoded = /^basic\s+([A-Za-z0-9+/=_-]+)\s*$/i.exec(header ?? "")?.[1];
  if (!encoded) return undefined;
  try {
    const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    const colon = text.indexOf(":");
    return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch {
    // Not base64: as good as no login.
    return undefined;
  }
}

/** Reads an `Authorization` header of the Bearer scheme. */
export function parseBearer(header: string | null): string | undefined {
  return /^bearer\s+(\S+)\s*$/i.exec(header ?? "")?.[1];
}

const encoder = new TextEncoder();

/** Compares texts in a time that tells nothing of where they differ. */
export function equalSecrets(given: string, secret: string): boolean {
  const a = encoder.encode(given);
  const b = encoder.encode(secret);
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i % (b.length || 1)] ?? 0);
  return difference === 0;
}

/** Wrong passwords that cost nothing: people mistype, and a page sends several requests at once. */
const FREE_FAILURES = 10;
const MAX_WAIT_MS = 60_000;
/** Failures are forgotten after this long without another. */
const FORGET_MS = 15 * 60_000;

interface Failures {
  count: number;
  lastMs: number;
  blockedUntilMs: number;
  /** What the newest wrong password leaves; `undefined`: there was none. */
  guess: number | undefined;
}

/**
 * Names of an address share so many counts: few enough that they need no room, and more than one, so that who has a login
 * cannot clear with it what he guessed of others.
 */
const NAME_COUNTS = 16;

/**
 * Counts wrong logins by address and makes those who guess wait, twice as long each time. The same wrong password again is
 * no guess: a forgotten tablet with an old one must not lock out who knows the new one.
 */
export class LoginLimiter {
  readonly #now: () => number;
  readonly #capacity: number;
  // In order of the last failure, oldest first.
  readonly #failures = new Map<string, Failures>();
  // Which names share a count, and what a guess leaves, is nobody's to know.
  readonly #salt = crypto.randomUUID();

  constructor(now: () => number = () => performance.now(), capacity = 4000) {
    this.#now = now;
    this.#capacity = capacity;
  }

  #keyOf(address: string, name: string): string {
    return `${hostKeyOf(address)} ${(this.#hash(name) >>> 8) % NAME_COUNTS}`;
  }

  #hash(text: string): number {
    let hash = 0;
    for (const char of this.#salt + text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
    return hash;
  }

  /** Milliseconds until the address may try again to log in by that name; 0: now. */
  waitMs(address: string, name = ""): number {
    const found = this.#failures.get(this.#keyOf(address, name));
    return found ? Math.max(0, found.blockedUntilMs - this.#now()) : 0;
  }

  /** Takes a wrong login; one without a password counts each time. */
  fail(address: string, name = "", password?: string): void {
    const key = this.#keyOf(address, name);
    const nowMs = this.#now();
    const found = this.#failures.get(key);
    const guess = password === undefined ? undefined : this.#hash(`${name} ${password}`);
    if (found && guess !== undefined && guess === found.guess) return;
    const count = found && nowMs - found.lastMs < FORGET_MS ? found.count + 1 : 1;
    const waitMs = count <= FREE_FAILURES ? 0 : Math.min(MAX_WAIT_MS, 1000 * 2 ** Math.min(count - FREE_FAILURES, 16));
    this.#failures.delete(key);
    this.#failures.set(key, { count, lastMs: nowMs, blockedUntilMs: nowMs + waitMs, guess });
    if (this.#failures.size > this.#capacity) this.#failures.delete(this.#failures.keys().next().value!);
  }

  succeed(address: string, name = ""): void {
    this.#failures.delete(this.#keyOf(address, name));
  }

  get size(): number {
    return this.#failures.size;
  }
}

// Who has an IPv6 address has 2^64 of them.
function hostKeyOf(address: string): string {
  const bytes = parseIp(address);
  return bytes?.length === 16 ? bytes.subarray(0, 8).toHex() : address;
}
