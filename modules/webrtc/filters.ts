/** Which addresses of this machine take part, and which of them peers are told of (contract §6.1, §6.3). */
import { type InterfaceAddress, type IpBytes, parseIp } from "../../core/mod.ts";
import {
  canonicalIp,
  familyOf,
  type IpFamily,
  ipText,
  isContainerAddress,
  isLinkLocal,
  isLoopback,
} from "./addresses.ts";

/** The kinds of transports that `filters.networks` tells apart. */
export type IceNetwork = "udp4" | "udp6" | "tcp4" | "tcp6";

/** The config's `webrtc.filters`. */
export interface CandidateFilters {
  /** Of the host candidates only these are sent; an empty list sends none. */
  readonly candidates?: readonly string[] | undefined;
  /** Loopback addresses take part too. */
  readonly loopback?: boolean | undefined;
  /** Only these interfaces, by name. */
  readonly interfaces?: readonly string[] | undefined;
  /** Only these addresses. */
  readonly ips?: readonly string[] | undefined;
  /** Only these transports. */
  readonly networks?: readonly IceNetwork[] | undefined;
  /** Where UDP ports are picked from when none is set: the first and the last. */
  readonly udp_ports?: readonly number[] | undefined;
}

/** An address of this machine that sockets are bound to. */
export interface LocalAddress {
  readonly host: string;
  readonly ip: IpBytes;
  /** Peers are told of it. */
  readonly isAdvertised: boolean;
}

/** What local addresses are chosen by. */
export interface AddressChoice {
  /** Where to listen; `""`: everywhere. */
  readonly host: string;
  readonly filters: CandidateFilters;
  /** The hosts of the manual candidates. */
  readonly manualHosts: readonly string[];
}

const MAX_ADDRESSES = 64;

/** Whether a transport may be used at all. */
export function allowsNetwork(filters: CandidateFilters, protocol: "udp" | "tcp", family: IpFamily): boolean {
  return filters.networks?.includes(`${protocol}${family === "IPv4" ? 4 : 6}`) ?? true;
}

/** The range of `udp_ports`; `undefined` without one. Throws a `TypeError` for what is no range. */
export function udpPortRange(filters: CandidateFilters): readonly [number, number] | undefined {
  const ports = filters.udp_ports;
  if (ports === undefined) return undefined;
  const [first = 0, last = 0] = ports;
  const isPort = (port: number) => Number.isInteger(port) && port > 0 && port <= 65535;
  if (ports.length !== 2 || !isPort(first) || !isPort(last) || first > last) {
    throw new TypeError(`Cannot use the port range [${ports.join(", ")}], write it like [50000, 50100]`);
  }
  return [first, last];
}

/**
 * The addresses to bind to, in the order of preference. Loopback takes part when the config asks for it, when it is
 * listened on, when a manual candidate names it, and when there is nothing else.
 */
export function chooseAddresses(interfaces: readonly InterfaceAddress[], choice: AddressChoice): LocalAddress[] {
  const { host, filters } = choice;
  const own = listenIp(host);
  const found = own ? [own] : ofInterfaces(interfaces, choice);
  const unique = new Map(found.map((ip) => [ipText(ip), ip] as const));
  const all = [...unique].filter(([, ip]) => isFamilyAllowed(filters, ip)).slice(0, MAX_ADDRESSES);
  return advertise(all, choice);
}

/** The one address that a host of `listen` means; `undefined`: all. Throws a `TypeError` for any other name. */
export function listenIp(host: string): IpBytes | undefined {
  if (host === "" || host === "0.0.0.0" || host === "::") return undefined;
  const ip = parseIp(host === "localhost" ? "127.0.0.1" : host);
  if (!ip) throw new TypeError(`Cannot listen on "${host}", write an IP address of this machine`);
  return ip;
}

function ofInterfaces(
  interfaces: readonly InterfaceAddress[],
  { host, filters, manualHosts }: AddressChoice,
): IpBytes[] {
  const ips = canonicalSet(filters.ips);
  const named = canonicalSet(manualHosts)!;
  const namesThisMachine = manualHosts.includes("localhost");
  const ordinary: IpBytes[] = [];
  const namedLoopback: IpBytes[] = [];
  const loopback: IpBytes[] = [];
  for (const { name, address } of interfaces) {
    const ip = parseIp(address);
    // A link-local IPv6 address means nothing without the name of an interface, which candidates do not carry.
    if (!ip || (ip.length === 16 && isLinkLocal(ip))) continue;
    if (host === "0.0.0.0" && ip.length !== 4) continue;
    const text = ipText(ip);
    if (isLoopback(ip)) {
      loopback.push(ip);
      if (filters.loopback || ips?.has(text) || named.has(text) || namesThisMachine) namedLoopback.push(ip);
      continue;
    }
    if (filters.interfaces && !filters.interfaces.includes(name)) continue;
    if (ips && !ips.has(text)) continue;
    ordinary.push(ip);
  }
  const isAlone = ordinary.length === 0 && namedLoopback.length === 0 && !filters.interfaces && !ips;
  return [...ordinary, ...(isAlone ? loopback : namedLoopback)];
}

function advertise(all: readonly (readonly [string, IpBytes])[], choice: AddressChoice): LocalAddress[] {
  const { host, filters, manualHosts } = choice;
  const kept = canonicalSet(filters.candidates);
  const own = listenIp(host);
  const asked = canonicalSet([...(filters.ips ?? []), ...(filters.candidates ?? []), ...(own ? [ipText(own)] : [])])!;
  const isAlone = all.every(([, ip]) => isLoopback(ip));
  const isOpen = ([text, ip]: readonly [string, IpBytes]): boolean => {
    if (asked.has(text)) return true;
    if (isLoopback(ip)) return filters.loopback === true || (isAlone && manualHosts.length === 0);
    return !isContainerAddress(ip);
  };
  let open = all.filter(isOpen);
  // An answer without a candidate helps nobody: what is there is better than nothing.
  if (open.length === 0 && manualHosts.length === 0) open = [...all];
  const advertised = new Set(open.map(([text]) => text));
  return all.map(([text, ip]) => ({
    host: text,
    ip,
    isAdvertised: advertised.has(text) && (kept?.has(text) ?? true),
  }));
}

function isFamilyAllowed(filters: CandidateFilters, ip: IpBytes): boolean {
  const family = familyOf(ip);
  return allowsNetwork(filters, "udp", family) || allowsNetwork(filters, "tcp", family);
}

function canonicalSet(texts: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return texts && new Set(texts.map((text) => canonicalIp(text) ?? text));
}
