import { contains, type IpBytes, type Network, parseIp } from "./address.ts";
import { isBrowserName } from "./origin.ts";
import type { Peer } from "./types.ts";

/** Headers by lower-case name. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** What proxies add; more names begin with `x-forwarded-`, but no proxy sends one without one of these. */
const PROXY_HEADERS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
  "x-forwarded-server",
  "x-forwarded-prefix",
  "x-forwarded-scheme",
  "x-forwarded-ssl",
  "x-forwarded-uri",
  "x-forwarded-method",
  "x-real-ip",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "cf-ray",
  "cf-visitor",
  "cf-ipcountry",
  "cf-warp-tag-id",
];

/** Whether a request came through a reverse proxy or tunnel. */
export function isProxied(headers: HeaderReader): boolean {
  if (PROXY_HEADERS.some((name) => headers.get(name) !== null)) return true;
  if (!(headers instanceof Headers)) return false;
  for (const name of headers.keys()) if (name.startsWith("x-forwarded-") || name.startsWith("cf-")) return true;
  return false;
}

/**
 * Whether a request came through a proxy that adds no header of its own: over HTTP/1.1 every browser asks to keep the
 * connection, and proxies take that away; none connects to a unix socket by itself. It tells nothing of programs, and
 * nothing of TLS, where HTTP/2 has no such header.
 */
export function isSecretlyProxied(headers: HeaderReader, transport: Peer["transport"]): boolean {
  if (transport === "tls" || !isBrowserName(headers.get("user-agent"))) return false;
  if (transport === "unix") return true;
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return !connection.includes(headers.get("upgrade") === null ? "keep-alive" : "upgrade");
}

/** One proxy header's list of addresses, client first; an entry that is no address is `undefined`. */
type Chain = readonly { readonly text: string; readonly address: IpBytes | undefined }[];

/** The address lists of a request, one per header that has one (`Forwarded` of RFC 7239, `X-Forwarded-For` …). */
export function forwardedChains(headers: HeaderReader): Chain[] {
  const chains: Chain[] = [];
  const forwarded = headers.get("forwarded");
  if (forwarded !== null) {
    const entries = forwarded.split(",").map((element) => /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(element)?.[1]);
    chains.push(entries.map((entry) => entryOf((entry ?? "").replaceAll('"', ""))));
  }
  for (const name of ["x-forwarded-for", "x-real-ip", "cf-connecting-ip"]) {
    const value = headers.get(name);
    if (value !== null) chains.push(value.split(",").map(entryOf));
  }
  return chains;
}

function entryOf(text: string): Chain[number] {
  const trimmed = text.trim();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(trimmed);
  const host = bracketed ? bracketed[1]! : trimmed.split(":").length === 2 ? trimmed.split(":")[0]! : trimmed;
  return { text: host, address: parseIp(host) };
}

/** The client of a list, as the trusted proxies saw it: the last entry that is not one of them. */
export function clientOf(chain: Chain, trusted: readonly Network[]): Chain[number] | undefined {
  for (let i = chain.length - 1; i >= 0; i--) {
    const entry = chain[i]!;
    if (!entry.address || !trusted.some((network) => contains(network, entry.address!))) return entry;
  }
  return chain[0];
}
