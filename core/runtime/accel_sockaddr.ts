import type { SocketAddress } from "./types.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;
/** What the longest address takes. */
export const SOCKADDR_BYTES = 28;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The 4 or 16 bytes of an IP literal; `undefined` for anything else, zone ids included. */
export function parseIp(host: string): Uint8Array | undefined {
  return host.includes(":") ? parseIpv6(host) : parseIpv4(host);
}

function parseIpv4(host: string): Uint8Array | undefined {
  const parts = host.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(host: string): Uint8Array | undefined {
  let text = host;
  const lastColon = host.lastIndexOf(":");
  if (host.includes(".")) {
    const tail = parseIpv4(host.slice(lastColon + 1));
    if (!tail) return undefined;
    text = host.slice(0, lastColon + 1) + tail.subarray(0, 2).toHex() + ":" + tail.subarray(2).toHex();
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail ? missing < 1 : missing !== 0) return undefined;
  const groups = tail ? [...head, ...Array<string>(missing).fill("0"), ...tail] : head;
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.fromHex(groups.map((group) => group.padStart(4, "0")).join(""));
}

/** The `sockaddr` that a socket of a family sends to; `undefined` when it cannot be told, as for a zone id. */
export function sockaddrOf({ host, port }: SocketAddress, family: number): Uint8Array | undefined {
  let ip = parseIp(host);
  if (!ip || port < 1 || port > 0xffff) return undefined;
  const isMapped = ip.length === 16 && MAPPED.every((byte, i) => ip![i] === byte);
  if (family === AF_INET && isMapped) ip = ip.subarray(12);
  if (family === AF_INET6 && ip.length === 4) ip = Uint8Array.of(...MAPPED, ...ip);
  if (ip.length !== (family === AF_INET ? 4 : 16)) return undefined;
  const address = new Uint8Array(family === AF_INET ? 16 : SOCKADDR_BYTES);
  address[0] = family;
  address[2] = port >> 8;
  address[3] = port;
  address.set(ip, family === AF_INET ? 4 : 8);
  return address;
}

/** Whether a `sockaddr` is the local address of a socket, as the runtime names it. */
export function isSockaddr(address: Uint8Array, { host, port }: SocketAddress): boolean {
  if ((address[2]! << 8 | address[3]!) !== port) return false;
  const ip = parseIp(host.replace(/%.*$/, ""));
  const start = address[0] === AF_INET ? 4 : 8;
  if (!ip || (address[0] !== AF_INET && address[0] !== AF_INET6) || ip.length !== (start === 4 ? 4 : 16)) return false;
  return ip.every((byte, i) => address[start + i] === byte);
}
