/** IP addresses as ICE needs them: one spelling each, and what kind an address is. */
import { type IpBytes, type Network, networkContains, parseIp, parseNetwork } from "../../core/mod.ts";

/** The two kinds of addresses. */
export type IpFamily = "IPv4" | "IPv6";

const block = (text: string): Network => parseNetwork(text)!;
const LOOPBACK = [block("127.0.0.0/8"), block("::1")];
const LINK_LOCAL = [block("169.254.0.0/16"), block("fe80::/10")];
/** Where container engines take the addresses of their bridges from (contract §6.1). */
const CONTAINERS = [block("172.16.0.0/12")];
/** Unspecified, multicast, reserved and broadcast addresses: no peer has one. */
const NOBODY = [block("0.0.0.0/8"), block("224.0.0.0/3"), block("::"), block("ff00::/8")];

function isIn(blocks: readonly Network[], ip: IpBytes): boolean {
  return blocks.some((one) => networkContains(one, ip));
}

export function isLoopback(ip: IpBytes): boolean {
  return isIn(LOOPBACK, ip);
}

export function isLinkLocal(ip: IpBytes): boolean {
  return isIn(LINK_LOCAL, ip);
}

/** Whether a container engine's bridge may have the address: peers elsewhere cannot reach it. */
export function isContainerAddress(ip: IpBytes): boolean {
  return isIn(CONTAINERS, ip);
}

/** Whether a peer can have the address. */
export function isPeerAddress(ip: IpBytes): boolean {
  return !isIn(NOBODY, ip);
}

export function familyOf(ip: IpBytes): IpFamily {
  return ip.length === 4 ? "IPv4" : "IPv6";
}

/** The text of an address in the spelling that sockets use (RFC 5952); an IPv4 address in IPv6 form becomes IPv4. */
export function ipText(ip: IpBytes): string {
  if (ip.length === 4) return ip.join(".");
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((ip[i]! << 8 | ip[i + 1]!).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** An address in one spelling; `undefined` when the text is none. */
export function canonicalIp(text: string): string | undefined {
  const ip = parseIp(text);
  return ip && ipText(ip);
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
