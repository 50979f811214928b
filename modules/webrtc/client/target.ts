/** What a `webrtc:` source names: `webrtc:<signalling url>[#format=F][#key=value…]`. */
import { parseIp, redactUrls, type SourceOptions, type SourceUrl, StreamError } from "../../../core/mod.ts";
import { isLoopback } from "../addresses.ts";
import { type IceServer, readIceServers } from "../options.ts";

/** The kinds of signalling. */
export type ClientFormat = "whep" | "go2rtc" | "kinesis" | "switchbot" | "openipc" | "wyze" | "creality" | "milestone";

/** A source, read. */
export interface ClientTarget {
  readonly format: ClientFormat;
  /** Without the login. */
  readonly url: URL;
  /** The URL as it may be shown: without login and query, which may hold secrets. */
  readonly shown: string;
  /** For `Authorization`, where the URL has a login. */
  readonly authorization: string | undefined;
  /** Certificates cannot be checked: `httpx`, or an address in place of a name. */
  readonly isUnchecked: boolean;
  /** Signalling is on this machine. */
  readonly isLocal: boolean;
  /** `#ice=relay`: nothing but relays is used. */
  readonly isRelayOnly: boolean;
  /** `#ice_servers=[…]`; `undefined` where the source names none. */
  readonly iceServers: readonly IceServer[] | undefined;
  readonly options: SourceOptions;
}

const FORMATS: Readonly<Record<"ws" | "http", Readonly<Record<string, ClientFormat>>>> = {
  ws: { "": "go2rtc", kinesis: "kinesis", switchbot: "switchbot", openipc: "openipc" },
  http: { "": "whep", wyze: "wyze", creality: "creality", milestone: "milestone" },
};

/** Reads a source. Throws a `StreamError` (`BAD_SOURCE`) that lists what there is. */
export function parseClientTarget({ rest, options }: SourceUrl): ClientTarget {
  const scheme = /^(ws|http)[sx]?:/i.exec(rest)?.[1]?.toLowerCase() as "ws" | "http" | undefined;
  const wanted = options.get("format") ?? "";
  const formats = scheme && FORMATS[scheme];
  const format = formats?.[wanted];
  if (!formats) {
    throw bad(
      `"${
        redactUrls(rest)
      }" is neither ws: nor http:, write webrtc:http://host/whep or webrtc:ws://host/api/ws?src=name`,
    );
  }
  if (!format) {
    const known = Object.keys(formats).filter((name) => name !== "");
    throw bad(`format "${wanted}" is not one of ${scheme}:, use ${known.join(", ")} or none`);
  }
  const isX = /^httpx:/i.test(rest);
  const ice = options.get("ice") ?? "all";
  if (ice !== "all" && ice !== "relay") throw bad(`ice "${ice}" is neither all nor relay`);
  const url = URL.parse(isX ? rest.replace(/^httpx/i, "https") : rest);
  if (!url || url.hostname === "") throw bad(`cannot read the URL "${redactUrls(rest)}"`);
  const authorization = url.username === "" ? undefined : basic(url);
  url.username = url.password = "";
  return {
    format,
    url,
    shown: `${url.origin}${url.pathname}`,
    authorization,
    isUnchecked: isX || (url.protocol === "https:" && /^[\d.]+$|^\[/.test(url.hostname)),
    isLocal: isLocalHost(url.hostname),
    isRelayOnly: ice === "relay",
    iceServers: serversOf(options.get("ice_servers")),
    options,
  };
}

function isLocalHost(hostname: string): boolean {
  const ip = parseIp(hostname.replace(/^\[|\]$/g, ""));
  return hostname === "localhost" || (ip !== undefined && isLoopback(ip));
}

function serversOf(text: string | undefined): IceServer[] | undefined {
  if (!text) return undefined;
  try {
    return readIceServers(JSON.parse(text));
  } catch {
    // Contract: a list that cannot be read is as good as none.
    return [];
  }
}

function bad(why: string): StreamError {
  return new StreamError("BAD_SOURCE", `webrtc: ${why}`);
}

function basic({ username, password }: URL): string {
  try {
    const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${new TextEncoder().encode(login).toBase64()}`;
  } catch {
    throw bad("the login of the URL is not encoded as UTF-8, write % as %25");
  }
}
