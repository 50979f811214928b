/** Candidate lines (RFC 8839 §5.1, RFC 6544 §4.5) and the config's ways of naming addresses (contract §6.1, §6.2). */
import { parseListenAddress, type SocketAddress } from "../../core/mod.ts";
import { crc32 } from "./stun.ts";

/** How datagrams travel. */
export type IceProtocol = "udp" | "tcp";

/** One way to reach a peer. */
export interface Candidate {
  readonly foundation: string;
  readonly protocol: IceProtocol;
  readonly priority: number;
  /** An IP literal, or a name. */
  readonly host: string;
  readonly port: number;
  readonly type: "host" | "srflx" | "prflx" | "relay";
  readonly tcpType?: "active" | "passive" | "so";
  /** The address behind a reflexive candidate. */
  readonly related?: SocketAddress;
}

const MAX_TEXT = 512;
const UDP_HOST_TYPE = 126;
const TCP_HOST_TYPE = 99;
const PEER_REFLEXIVE_TYPE = 110;
const REFLEXIVE_TYPE = 100;
const RELAY_TYPE = 0;
/** The local preference of a passive TCP candidate counts from here (RFC 6544 §4.2). */
const TCP_PASSIVE_PREFERENCE = 4 << 13;
const TCP_ACTIVE_PREFERENCE = (6 << 13) + (1 << 13) - 1;
/** So far below the addresses of interfaces come those of the config. */
const MANUAL_STEP = 1 << 8;

function priority(type: number, localPreference: number): number {
  // Not by shifts: they would make negative numbers of the highest.
  return type * 0x100_0000 + Math.max(0, localPreference) * 0x100 + 255;
}

/** What our checks say: the priority that we would have as a candidate that the peer finds by them (RFC 8445 §7.1.1). */
export const CHECK_PRIORITY = priority(PEER_REFLEXIVE_TYPE, 0xffff);

function preference(protocol: IceProtocol, below: number): number {
  const [type, highest] = protocol === "udp"
    ? [UDP_HOST_TYPE, 0xffff]
    : [TCP_HOST_TYPE, TCP_PASSIVE_PREFERENCE + (1 << 13) - 1];
  return priority(type, highest - below);
}

const encoder = new TextEncoder();

function foundation(type: string, protocol: string, host: string): string {
  return String(crc32(encoder.encode(`${type} ${protocol} ${host}`)));
}

function ownCandidate(protocol: IceProtocol, { host, port }: SocketAddress, below: number): Candidate {
  return {
    foundation: foundation("host", protocol, host),
    protocol,
    priority: preference(protocol, below),
    host,
    port,
    type: "host",
    ...(protocol === "tcp" ? { tcpType: "passive" } : {}),
  };
}

/** An address of an interface; the lower the index, the better. */
export function hostCandidate(protocol: IceProtocol, at: SocketAddress, index: number): Candidate {
  return ownCandidate(protocol, at, index);
}

/** An address that the config names: just below those of the interfaces, in the config's order. */
export function manualCandidate(protocol: IceProtocol, at: SocketAddress, index: number): Candidate {
  return ownCandidate(protocol, at, MANUAL_STEP + index);
}

/** What a STUN server saw of one of our UDP sockets. */
export function reflexiveCandidate(seen: SocketAddress, base: SocketAddress): Candidate {
  return {
    foundation: foundation("srflx", "udp", base.host),
    protocol: "udp",
    priority: priority(REFLEXIVE_TYPE, 0xffff),
    host: seen.host,
    port: seen.port,
    type: "srflx",
    related: base,
  };
}

/** A connection that we would make from an address of an interface (RFC 6544 §4.5); the lower the index, the better. */
export function activeCandidate(host: string, index: number): Candidate {
  return {
    foundation: foundation("host", "tcp-active", host),
    protocol: "tcp",
    priority: priority(TCP_HOST_TYPE, TCP_ACTIVE_PREFERENCE - index),
    host,
    // The discard port: nothing waits there.
    port: 9,
    type: "host",
    tcpType: "active",
  };
}

/** An address of ours at a TURN server. */
export function relayCandidate(at: SocketAddress, index: number): Candidate {
  return {
    foundation: foundation("relay", "udp", at.host),
    protocol: "udp",
    priority: priority(RELAY_TYPE, 0xffff - index),
    ...at,
    type: "relay",
    // Where it leads to is nobody's business.
    related: { host: at.host.includes(":") ? "::" : "0.0.0.0", port: 0 },
  };
}

/** The line of a candidate, without `a=`. */
export function candidateText(candidate: Candidate): string {
  const { protocol, priority, host, port, type, tcpType, related } = candidate;
  const text = `candidate:${candidate.foundation} 1 ${protocol} ${priority} ${host} ${port} typ ${type}`;
  const origin = related ? ` raddr ${related.host} rport ${related.port}` : "";
  return `${text}${origin}${tcpType ? ` tcptype ${tcpType}` : ""}`;
}

const LINE =
  /^(?:a=)?candidate:([^\s]{1,32}) 1 (udp|tcp) (\d{1,10}) ([^\s]{1,255}) (\d{1,5}) typ (host|srflx|prflx|relay)(?=\s|$)(.*)$/i;

/** Reads a peer's line, with or without `a=`; `undefined` for what cannot be read or is not of component 1. */
export function parseCandidate(text: string): Candidate | undefined {
  const found = text.length <= MAX_TEXT ? LINE.exec(text.trim()) : null;
  if (!found) return undefined;
  const [, foundation = "", protocol = "", priority, host = "", port, type = "", rest = ""] = found;
  if (Number(port) > 65535 || Number(priority) > 0xffff_ffff) return undefined;
  const tcpType = / tcptype (active|passive|so)(?=\s|$)/i.exec(rest)?.[1]?.toLowerCase() as Candidate["tcpType"];
  return {
    foundation,
    protocol: protocol.toLowerCase() as IceProtocol,
    priority: Number(priority),
    host,
    port: Number(port),
    type: type.toLowerCase() as Candidate["type"],
    ...(tcpType ? { tcpType } : {}),
  };
}

/** An entry of the config's `webrtc.candidates`. */
export interface ManualCandidate {
  /** An IP literal or a name; `""`: the public address that a STUN server tells. */
  readonly host: string;
  readonly port: number;
}

/** Reads `1.2.3.4:8555`, `name:8555`, `[::1]:8555` or `stun:8555`; throws a `TypeError` that says what is wrong. */
export function parseManualCandidate(text: string): ManualCandidate {
  const found = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]{1,253})):(\d{1,5})$/i.exec(text.trim());
  const port = Number(found?.[3] ?? 0);
  if (!found || port < 1 || port > 65535) {
    throw new TypeError(`Cannot read the candidate "${text}", write it like 1.2.3.4:8555, my.name:8555 or stun:8555`);
  }
  const host = (found[1] ?? found[2]!).toLowerCase();
  return { host: host === "stun" ? "" : host, port };
}

/** What the config's `webrtc.listen` says. */
export interface IceListen {
  /** `""`: every interface. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** TCP listens at that port. */
  readonly hasTcp: boolean;
  /** UDP has that port; otherwise it takes a free one. */
  readonly hasUdpPort: boolean;
}

/** Reads `:8555`, `1.2.3.4:8555`, `:8555/tcp`, `:8555/udp` or an empty text; throws a `TypeError` that says what is wrong. */
export function parseIceListen(text: string): IceListen {
  if (text.trim() === "") return { host: "", port: 0, hasTcp: false, hasUdpPort: false };
  const [address = "", network = "", ...rest] = text.trim().split("/");
  if (!["", "tcp", "udp"].includes(network) || rest.length > 0) {
    throw new TypeError(`Cannot read the address "${text}", write it like :8555, :8555/tcp or :8555/udp`);
  }
  return { ...parseListenAddress(address), hasTcp: network !== "udp", hasUdpPort: network !== "tcp" };
}
