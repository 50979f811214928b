/** An IP address as bytes: 4 of them, or 16; an IPv4 address in IPv6 form has 4. */
export type IpBytes = Uint8Array;

/** Reads an IP literal, with or without brackets and zone; `undefined` when it is none. */
export function parseIp(text: string): IpBytes | undefined {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const zone = bare.indexOf("%");
  const address = zone < 0 ? bare : bare.slice(0, zone);
  return address.includes(":") ? parseIpv6(address) : parseIpv4(address);
}

function parseIpv4(text: string): IpBytes | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i]!;
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): IpBytes | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!);
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  groups.forEach((group, i) => {
    bytes[i * 2] = group >> 8;
    bytes[i * 2 + 1] = group & 0xff;
  });
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? bytes.slice(12) : bytes;
}

function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const quad = i === parts.length - 1 ? parseIpv4(part) : undefined;
      if (!quad) return undefined;
      groups.push(quad[0]! << 8 | quad[1]!, quad[2]! << 8 | quad[3]!);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

/** A block of addresses. */
export interface Network {
  readonly address: IpBytes;
  readonly prefix: number;
}

/** Reads `192.168.1.0/24`, or a single address; `undefined` when it is neither. */
export function parseNetwork(text: string): Network | undefined {
  const [host = "", length, ...rest] = text.trim().split("/");
  const address = parseIp(host);
  if (!address || rest.length > 0) return undefined;
  const bits = address.length * 8;
  if (length === undefined) return { address, prefix: bits };
  if (!/^\d{1,3}$/.test(length)) return undefined;
  // A mapped block was written for 128 bits.
  const prefix = Number(length) - (bits === 32 && host.includes(":") ? 96 : 0);
  return prefix < 0 || prefix > bits ? undefined : { address, prefix };
}

/** Whether a block holds an address. */
export function contains(network: Network, address: IpBytes): boolean {
  if (network.address.length !== address.length) return false;
  const whole = network.prefix >> 3;
  for (let i = 0; i < whole; i++) if (network.address[i] !== address[i]) return false;
  const rest = network.prefix & 7;
  return rest === 0 || (network.address[whole]! ^ address[whole]!) >> (8 - rest) === 0;
}

function networks(...texts: string[]): Network[] {
  return texts.map((text) => parseNetwork(text)!);
}

const LOOPBACK = networks("127.0.0.0/8", "::1");
/** RFC 1918, RFC 3927, RFC 4291 §2.5.6 and RFC 4193. */
const PRIVATE = networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fe80::/10", "fc00::/7");
/** RFC 6598: shared by a carrier's customers, so local only where the config lists it. */
const SHARED = networks("100.64.0.0/10")[0]!;

/** How near an address is. */
export type Reach = "loopback" | "local" | "remote";

/** Tells how near an address is; `own` are the blocks that our interfaces are in, `listed` those that the config names. */
export function reachOf(
  address: IpBytes | undefined,
  own: readonly Network[],
  listed: readonly Network[],
): Reach {
  if (!address) return "remote";
  const isIn = (blocks: readonly Network[]) => blocks.some((block) => contains(block, address));
  if (isIn(LOOPBACK)) return "loopback";
  if (isIn(PRIVATE) || isIn(listed)) return "local";
  return !contains(SHARED, address) && isIn(own) ? "local" : "remote";
}

/** The blocks of interface addresses in CIDR form; a block that holds everything is none. */
export function onLinkNetworks(cidrs: readonly string[]): Network[] {
  return cidrs.map(parseNetwork).filter((network) => network !== undefined && network.prefix > 0) as Network[];
}

/** The host of `host:port`, `[v6]:port` or a bare host, in lower case, without brackets and final dot. */
export function hostOf(authority: string): string {
  const text = authority.trim().toLowerCase();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(text);
  const host = bracketed ? bracketed[1]! : text.split(":").length === 2 ? text.slice(0, text.indexOf(":")) : text;
  return host.endsWith(".") ? host.slice(0, -1) : host;
}
