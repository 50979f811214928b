import { type ConfigSchema, redactUrls, type SourceUrl, StreamError } from "../../core/mod.ts";
import * as z from "zod/mini";

/** How we name ourselves to cameras and players. */
export const SOFTWARE = "Lenswire";
/** The realm of our logins (contract §5.1): players keep passwords by it. */
export const REALM = "go2rtc";

/** The `rtsp` section of the config. */
export interface RtspConfig {
  readonly listen: string | string[];
  readonly username: string;
  readonly password: string;
  readonly default_query: string;
  readonly pkt_size: number;
}

/** The schema of the `rtsp` section. */
export const rtspSchema: ConfigSchema<RtspConfig> = z.object({
  listen: z._default(z.union([z.string(), z.array(z.string())]), ":8554").check(
    z.describe('Where players and publishers connect: an address such as ":8554", or a list of them; "" turns it off'),
  ),
  username: z._default(z.coerce.string(), "").check(z.describe("The login of peers that are not on this machine")),
  password: z._default(z.coerce.string(), "").check(z.describe("The password of that login")),
  default_query: z._default(z.string(), "video&audio").check(
    z.describe("The codec filter of players whose URL has none, for example video=all&audio=all"),
  ),
  pkt_size: z._default(z.int().check(z.gte(0), z.lte(65_000)), 0).check(
    z.describe("The size of RTP packets towards players in bytes; 0 passes them on as they come"),
  ),
});

/** How media gets from a camera to us. */
export type SourceTransport = { readonly kind: "tcp" | "udp" } | { readonly kind: "websocket"; readonly url: string };

/** A camera's address and how to talk to it. */
export interface RtspTarget {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** A host name's certificate is checked, an address has none to check; `rtspx` never. */
  readonly checksCertificate: boolean;
  /** `rtspx`: no certificate is checked, wherever the camera redirects to. */
  readonly checksNothing?: true;
  /** What request lines carry: the URL without login and `#` options. */
  readonly url: string;
  readonly login: { readonly username: string; readonly password: string } | undefined;
}

/** What the `#` options of a source say. */
export interface RtspSourceOptions {
  readonly transport: SourceTransport;
  /** For connecting, for answers, and for media to come. */
  readonly timeoutMs: number;
  readonly hasBackchannel: boolean;
  /** Whether a media line of this kind is wanted. */
  wants(kind: string): boolean;
}

const DEFAULT_PORT = 554;
export const DEFAULT_TIMEOUT_MS = 5000;

/** Reads `rtsp://[user[:pass]@]host[:port]/path?query`, also with `rtsps` and `rtspx`. Throws `BAD_SOURCE`. */
export function parseTarget(text: string): RtspTarget {
  // What would end a request line or a header must not get into one.
  const url = text.trim().replace(/[^!-~\u0080-\uffff]/g, (char) => encodeURIComponent(char));
  const parts = /^(rtsp|rtsps|rtspx):\/\/([^/?]*)(.*)$/i.exec(url);
  const authority = parts?.[2] ?? "";
  const at = authority.lastIndexOf("@");
  const address = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(authority.slice(at + 1));
  const port = Number(address?.[2] ?? DEFAULT_PORT);
  if (!parts || !address || port < 1 || port > 65535) {
    throw new StreamError("BAD_SOURCE", `Cannot read "${redactUrls(text)}": expected rtsp://host:port/path`);
  }
  const scheme = parts[1]!.toLowerCase();
  const host = address[1]!.replace(/^\[|\]$/g, "");
  const isAddress = host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
  return {
    host,
    port,
    isTls: scheme !== "rtsp",
    checksCertificate: scheme === "rtsps" && !isAddress,
    ...(scheme === "rtspx" ? { checksNothing: true } : {}),
    url: `${scheme === "rtspx" ? "rtsps" : scheme}://${authority.slice(at + 1)}${parts[3]}`,
    login: parseLogin(authority.slice(0, Math.max(at, 0))),
  };
}

function parseLogin(text: string): RtspTarget["login"] {
  if (text === "") return undefined;
  const colon = text.indexOf(":");
  return {
    username: decode(colon < 0 ? text : text.slice(0, colon)),
    password: colon < 0 ? "" : decode(text.slice(colon + 1)),
  };
}

/** Percent-decodes; a text with a lone percent sign is taken as it stands. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reads the `#` options of a source (contract §5.2). Throws `BAD_SOURCE`. */
export function parseSourceOptions({ options, text }: SourceUrl): RtspSourceOptions {
  const bad = (key: string, expected: string) =>
    new StreamError("BAD_SOURCE", `Cannot read "#${key}=" of "${redactUrls(text)}": expected ${expected}`);
  const seconds = options.get("timeout");
  if (seconds !== undefined && !/^\d{1,5}(\.\d+)?$/.test(seconds)) throw bad("timeout", "seconds");
  const transport = options.get("transport") ?? "tcp";
  if (!/^(tcp|udp|wss?:\/\/.+)$/.test(transport)) throw bad("transport", "tcp, udp, ws://… or wss://…");
  const media = options.get("media");
  return {
    timeoutMs: seconds === undefined ? DEFAULT_TIMEOUT_MS : Math.max(100, Number(seconds) * 1000),
    transport: transport === "tcp" || transport === "udp" ? { kind: transport } : { kind: "websocket", url: transport },
    // On unless anything else was said about the source: an odd default that configs rely on (contract §12, 1).
    hasBackchannel: options.has("backchannel") ? options.get("backchannel") !== "0" : options.isEmpty,
    wants: (kind) => media === undefined || media.includes(kind),
  };
}

/** The stream's name and the query of a player's or publisher's URL. */
export interface RequestPath {
  readonly name: string;
  readonly query: URLSearchParams;
}

/** Reads a request line's URL; a name may contain slashes. */
export function parseRequestPath(url: string): RequestPath {
  const path = /^[a-z]+:\/\/[^/?]*(.*)$/i.exec(url)?.[1] ?? url;
  const question = path.indexOf("?");
  const name = decode(question < 0 ? path : path.slice(0, question)).replace(/^\//, "");
  return { name: name === "*" ? "" : name, query: new URLSearchParams(question < 0 ? "" : path.slice(question + 1)) };
}

/** The number behind the last `=` of a SETUP URL; -1: there is none. */
export function parseTrackNumber(url: string): number {
  const found = /=(\d{1,3})\/?$/.exec(url);
  return found ? Number(found[1]) : -1;
}
