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
}

/** Counts wrong logins by address and makes those who guess wait, twice as long each time. */
export class LoginLimiter {
  readonly #now: () => number;
  readonly #capacity: number;
  // In order of the last failure, oldest first.
  readonly #byAddress = new Map<string, Failures>();

  constructor(now: () => number = () => performance.now(), capacity = 1000) {
    this.#now = now;
    this.#capacity = capacity;
  }

  /** Milliseconds until the address may try again; 0: now. */
  waitMs(address: string): number {
    const found = this.#byAddress.get(keyOf(address));
    return found ? Math.max(0, found.blockedUntilMs - this.#now()) : 0;
  }

  fail(address: string): void {
    const key = keyOf(address);
    const nowMs = this.#now();
    const found = this.#byAddress.get(key);
    const count = found && nowMs - found.lastMs < FORGET_MS ? found.count + 1 : 1;
    const waitMs = count <= FREE_FAILURES ? 0 : Math.min(MAX_WAIT_MS, 1000 * 2 ** Math.min(count - FREE_FAILURES, 16));
    this.#byAddress.delete(key);
    this.#byAddress.set(key, { count, lastMs: nowMs, blockedUntilMs: nowMs + waitMs });
    if (this.#byAddress.size > this.#capacity) this.#byAddress.delete(this.#byAddress.keys().next().value!);
  }

  succeed(address: string): void {
    this.#byAddress.delete(keyOf(address));
  }

  get size(): number {
    return this.#byAddress.size;
  }
}

// Who has an IPv6 address has 2^64 of them.
function keyOf(address: string): string {
  const bytes = parseIp(address);
  return bytes?.length === 16 ? bytes.subarray(0, 8).toHex() : address;
}
