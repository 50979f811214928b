import type { ConfigSchema } from "../../core/mod.ts";
import * as z from "zod/mini";
import type { CandidateFilters } from "./filters.ts";

/** A server that helps peers to find a way to each other. */
export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string | undefined;
  readonly credential?: string | undefined;
}

/** How many peers there may be. */
export interface PeerLimits {
  /** Sessions of all peers. */
  readonly total: number;
  /** Sessions of one address; this machine itself is not counted. */
  readonly per_ip: number;
  /** Sessions of one address that are not connected yet. */
  readonly connecting_per_ip: number;
}

/** The `webrtc` section of the config. */
export interface WebRtcConfig {
  readonly listen: string;
  readonly candidates: readonly string[];
  readonly ice_servers: readonly {
    readonly urls: string | readonly string[];
    readonly username?: string | undefined;
    readonly credential?: string | undefined;
  }[];
  readonly filters: CandidateFilters;
  readonly accel: "auto" | "off";
  readonly limits: PeerLimits;
}

/** Who is asked for our public address unless the config says otherwise (contract §1.7). */
const DEFAULT_ICE_SERVERS = [{ urls: ["stun:stun.cloudflare.com:3478", "stun:stun.l.google.com:19302"] }];

function count(preset: number, meaning: string) {
  return z._default(z.int().check(z.gte(1), z.lte(100_000)), preset).check(z.describe(meaning));
}
function texts(meaning: string) {
  return z.optional(z.array(z.string())).check(z.describe(meaning));
}

const iceServer = z.object({
  urls: z.union([z.array(z.string()), z.string()]).check(z.describe(
    "stun:host:port, turn:host:port (with ?transport=tcp where UDP is closed) or turns:host:port, a list",
  )),
  username: z.optional(z.string()).check(z.describe("The login of a TURN server")),
  credential: z.optional(z.string()).check(z.describe("The password of that login")),
});

const filters = z.object({
  candidates: texts(
    "Of this machine's addresses only these are told to peers; an empty list tells none, nor what a STUN server says",
  ),
  loopback: z._default(z.boolean(), false).check(z.describe("Loopback addresses take part too")),
  interfaces: texts("Only the addresses of these network interfaces"),
  ips: texts("Only these addresses of this machine"),
  networks: z.optional(z.array(z.enum(["udp4", "udp6", "tcp4", "tcp6"]))).check(z.describe("Only these transports")),
  udp_ports: z.optional(z.array(z.int().check(z.gte(1), z.lte(65_535))).check(z.length(2))).check(
    z.describe("The first and last UDP port to choose from, where listen names none"),
  ),
});

const limits = z.object({
  total: count(1000, "Peers at most"),
  per_ip: count(100, "Peers of one address at most; this machine itself is not counted"),
  connecting_per_ip: count(20, "Peers of one address that are not connected yet"),
});

/** The schema of the `webrtc` section. */
export const webRtcSchema: ConfigSchema<WebRtcConfig> = z.object({
  listen: z._default(z.string(), ":8555").check(
    z.describe('Where peers connect, by UDP and TCP: ":8555", ":8555/tcp", ":8555/udp"; "" takes any free UDP port'),
  ),
  candidates: z._default(z.array(z.string()), []).check(
    z.describe(
      'More addresses under which peers reach us, the best first: "1.2.3.4:8555", "my.name:8555", "stun:8555"',
    ),
  ),
  ice_servers: z._default(z.array(iceServer), DEFAULT_ICE_SERVERS).check(
    z.describe(
      "STUN servers that tell our public address, and TURN servers for sources that are reached by a relay only; told to WHEP and WHIP clients too; an empty list asks nobody",
    ),
  ),
  filters: z.prefault(filters, {}).check(z.describe("Which addresses of this machine take part")),
  accel: z._default(z.enum(["auto", "off"]), "auto").check(
    z.describe("Native encryption and sending where the system has them; off leaves all to the runtime"),
  ),
  limits: z.prefault(limits, {}).check(z.describe("How many peers there may be")),
});

/** The servers of a list in one form; entries without a URL are left out. */
export function iceServersOf(entries: WebRtcConfig["ice_servers"]): IceServer[] {
  return entries.map(({ urls, ...login }) => ({ urls: typeof urls === "string" ? [urls] : urls, ...login }))
    .filter(({ urls }) => urls.length > 0);
}

/** An `ice_servers` value as peers and services give it; entries that cannot be read are left out. */
export function readIceServers(value: unknown): IceServer[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { urls, username, credential } = entry as Readonly<Record<string, unknown>>;
    const texts = (Array.isArray(urls) ? urls : [urls]).filter((url) => typeof url === "string");
    if (texts.length === 0) return [];
    return [{
      urls: texts,
      ...(typeof username === "string" ? { username } : {}),
      ...(typeof credential === "string" ? { credential } : {}),
    }];
  });
}

/** The `Link` header by which WHEP and WHIP tell the servers (RFC 9725 §4.6); logins are for those who may watch. */
export function iceServerLinks(servers: readonly IceServer[]): string {
  const quote = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
  return servers.flatMap(({ urls, username, credential = "" }) => {
    // A header has no form for others (RFC 9110 §5.6.4).
    if (!/^[ -~]*$/.test(`${username ?? ""}${credential}`)) return [];
    const login = username === undefined
      ? ""
      : `; username=${quote(username)}; credential=${quote(credential)}; credential-type="password"`;
    return urls.filter((url) => /^(stuns?|turns?):[!-=?-~]+$/.test(url))
      .map((url) => `<${url}>; rel="ice-server"${login}`);
  }).join(", ");
}

const LINK = /<([^<>]*)>((?:\s*;\s*[\w-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
const PARAMETER = /;\s*([\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;
const MAX_LINKS = 16;

/** The ICE servers of a `Link` header (RFC 9725 §4.6); other links are passed over. */
export function readIceServerLinks(header: string | null): IceServer[] {
  const servers: IceServer[] = [];
  for (const [, url = "", parameters = ""] of (header ?? "").matchAll(LINK)) {
    const values = new Map<string, string>();
    for (const [, name = "", quoted, plain = ""] of parameters.matchAll(PARAMETER)) {
      values.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain);
    }
    if (!values.get("rel")?.split(/\s+/).includes("ice-server") || servers.length === MAX_LINKS) continue;
    servers.push({ urls: [url], username: values.get("username"), credential: values.get("credential") });
  }
  return servers;
}
