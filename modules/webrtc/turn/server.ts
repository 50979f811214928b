/** Which TURN servers there are to be asked, and how each is reached. */
import { parseIp } from "../../../core/mod.ts";
import { hostPort } from "../addresses.ts";
import type { IceServer } from "../options.ts";

/** How messages travel to a server; what it relays is UDP in any case. */
export type TurnTransport = "udp" | "tcp" | "tls";

/** A TURN server and the login for it. */
export interface TurnServer {
  /** A name or an IP literal. */
  readonly host: string;
  readonly port: number;
  readonly transport: TurnTransport;
  readonly username: string;
  readonly credential: string;
  /** For people; without the login. */
  readonly shown: string;
}

const URL_FORM = /^(turns?):(?:\/\/)?(?:\[([0-9a-f:.]+)\]|([^:?\s[\]/@]+))(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;

/** Reads `turn:host[:port][?transport=udp|tcp]` or `turns:…` (RFC 7065); `undefined` for what is none, or needs DTLS. */
export function parseTurnUrl(url: string): Pick<TurnServer, "host" | "port" | "transport" | "shown"> | undefined {
  const found = URL_FORM.exec(url.trim());
  if (!found) return undefined;
  const isSecure = found[1]!.toLowerCase() === "turns";
  const network = found[5]?.toLowerCase() ?? (isSecure ? "tcp" : "udp");
  const port = Number(found[4] ?? (isSecure ? 5349 : 3478));
  if (port < 1 || port > 65535 || (isSecure && network === "udp")) return undefined;
  const host = (found[2] ?? found[3]!).toLowerCase();
  const transport = isSecure ? "tls" : network as "udp" | "tcp";
  const suffix = !isSecure && network === "tcp" ? "?transport=tcp" : "";
  return { host, port, transport, shown: `${isSecure ? "turns" : "turn"}:${hostPort(host, port)}${suffix}` };
}

/** Of each entry of `ice_servers` its ways to a relay, UDP first; entries that have none are left out. */
export function turnServersOf(entries: readonly IceServer[]): TurnServer[][] {
  const rank: Readonly<Record<TurnTransport, number>> = { udp: 0, tcp: 1, tls: 2 };
  return entries.map(({ urls, username = "", credential = "" }) =>
    urls.flatMap((url) => {
      const server = parseTurnUrl(url);
      return server ? [{ ...server, username, credential }] : [];
    }).sort((a, b) => rank[a.transport] - rank[b.transport])
  ).filter(({ length }) => length > 0);
}

/** Whether a server's certificate cannot be checked: it is named by its address. */
export function isUnchecked({ host }: TurnServer): boolean {
  return parseIp(host) !== undefined;
}
