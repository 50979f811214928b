/** One transport of a `Transport` header (RFC 2326 §12.39). */
export interface TransportSpec {
  /** As it was written. */
  readonly text: string;
  /** Media comes interleaved on the RTSP connection. */
  readonly isInterleaved: boolean;
  readonly isMulticast: boolean;
  /** The profile is one we speak: plain RTP, no encryption. */
  readonly isPlain: boolean;
  /** The first of the two channels. */
  readonly channel?: number;
  /** The port of RTP, and that of RTCP. */
  readonly clientPorts?: readonly [number, number];
  readonly serverPorts?: readonly [number, number];
  /** Where the camera sends from, when that is not its own address. */
  readonly source?: string;
}

/**
 * Reads the transports of a header, best first. `Quirk(cameras without /TCP): answer "RTP/AVP;unicast;interleaved=0-1" or
 * "interleaved=0"; a channel says that it is interleaved.`
 */
export function parseTransports(value: string): TransportSpec[] {
  return value.split(",").map((text) => text.trim()).filter((text) => text !== "").map(parseTransport);
}

function parseTransport(text: string): TransportSpec {
  const parts = text.split(";").map((part) => part.trim());
  const profile = parts[0]!.includes("=") ? "" : parts[0]!;
  const rest = profile === "" ? parts : parts.slice(1);
  const parameters = new Map(rest.map((part) => {
    const cut = part.indexOf("=");
    return cut < 0
      ? [part.toLowerCase(), ""] as const
      : [part.slice(0, cut).toLowerCase(), part.slice(cut + 1)] as const;
  }));
  const channel = numbers(parameters.get("interleaved"), 255)?.[0];
  const clientPorts = numbers(parameters.get("client_port"), 65535);
  const serverPorts = numbers(parameters.get("server_port"), 65535);
  const source = parameters.get("source")?.replace(/^"|"$/g, "");
  return {
    text,
    isInterleaved: /^RTP\/AVPF?\/TCP$/i.test(profile) || channel !== undefined,
    isMulticast: parameters.has("multicast"),
    isPlain: /^RTP\/AVPF?(\/(TCP|UDP))?$/i.test(profile),
    ...(channel === undefined ? {} : { channel }),
    ...(clientPorts ? { clientPorts } : {}),
    ...(serverPorts ? { serverPorts } : {}),
    ...(source ? { source } : {}),
  };
}

function numbers(value: string | undefined, max: number): [number, number] | undefined {
  const found = /^(\d+)(?:-(\d+))?$/.exec(value ?? "");
  if (!found) return undefined;
  const first = Number(found[1]);
  const second = found[2] === undefined ? first + 1 : Number(found[2]);
  return first <= max && second <= max ? [first, second] : undefined;
}
