import { hostOf } from "./address.ts";
import type { HeaderReader } from "./proxy.ts";

/**
 * Whether a browser sent it, as far as headers tell. Over plain HTTP a browser sends none of these but its own name with a
 * GET, and no page can change that.
 */
export function isFromBrowser(headers: HeaderReader): boolean {
  return ["origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"].some((name) => headers.get(name) !== null) ||
    isBrowserName(headers.get("user-agent"));
}

/** Whether a `User-Agent` is one that browsers have. */
export function isBrowserName(userAgent: string | null): boolean {
  return /^mozilla\//i.test(userAgent ?? "");
}

/**
 * Whether an `Origin` names the server that `host` (a Host header) does: the same host and port, or the same after the
 * port of the origin is dropped, as behind a proxy on another port (contract §4.1).
 */
export function isSameHost(origin: string, host: string): boolean {
  let url: URL;
  try {
    url = new URL(origin);
  } catch {
    // "null", of a sandboxed page.
    return false;
  }
  const wanted = host.toLowerCase();
  return url.host === withoutDefaultPort(wanted, url.protocol) || url.hostname === wanted;
}

function withoutDefaultPort(host: string, protocol: string): string {
  const port = protocol === "https:" ? ":443" : ":80";
  return host.endsWith(port) ? host.slice(0, -port.length) : host;
}

/** Whose page sent a request: ours (or it was a person or a program), that of another site, or nobody can tell. */
export type Site = "own" | "other" | "unknown";

/** Tells whose page sent a request to the server that `host` (a Host header) names. */
export function siteOf(headers: HeaderReader, host: string): Site {
  const site = headers.get("sec-fetch-site");
  if (site === "cross-site" || site === "same-site") return "other";
  if (site === "same-origin" || site === "none") return "own";
  const origin = headers.get("origin");
  if (origin !== null) return isSameHost(origin, host) ? "own" : "other";
  if (!isFromBrowser(headers)) return "own";
  // A page can have this left out, but cannot have another's put in.
  const referrer = headers.get("referer");
  return referrer === null ? "unknown" : isSameHost(referrer, host) ? "own" : "other";
}

const LOCAL_SUFFIXES = [".localhost", ".local", ".lan", ".home.arpa", ".internal"];

/** Whether a host name is one of this machine for itself. */
export function isLoopbackName(host: string): boolean {
  const name = hostOf(host);
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** Whether a host name cannot be one that a foreign site has pointed at us: a single label, or of a local zone. */
export function isLocalName(host: string): boolean {
  const name = hostOf(host);
  return !name.includes(".") || LOCAL_SUFFIXES.some((suffix) => name.endsWith(suffix));
}
