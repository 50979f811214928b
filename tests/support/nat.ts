/** A client behind a router that translates addresses, and this machine behind a forwarded port of the same router. */
import { openLan } from "./lan.ts";

/** The network; dispose of it to remove it. */
export interface Nat extends AsyncDisposable {
  /** Our address; nobody reaches it but the router. */
  readonly host: string;
  /** The router's address on the internet, which is none of ours. */
  readonly publicHost: string;
  /** Where the client is. */
  readonly namespace: string;
  /** The client's address, which nobody outside knows. */
  readonly client: string;
  /** Lets a port of the public address lead to one of ours, by UDP and TCP. */
  forward(port: number, ours: number): Promise<void>;
  /** Has the router drop all UDP from now on. */
  dropUdp(): Promise<void>;
}

const PUBLIC = "203.0.113.7";

// What was not sent to a forwarded port reaches nobody.
const RULES = `table ip nat {
  chain in { type nat hook prerouting priority dstnat; }
  chain out { type nat hook postrouting priority srcnat; masquerade fully-random; }
  chain pass { type filter hook forward priority filter; policy drop; ct status dnat accept; }
}`;

/** Makes a router and a client. Needs root, `ip` and `nft`. */
export async function openNat(): Promise<Nat> {
  await using stack = new AsyncDisposableStack();
  const outer = stack.use(await openLan());
  const inner = stack.use(await openLan(outer.namespace));
  const nft = (rules: string) => outer.inside("nft", rules);
  await outer.inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  await outer.inside("ip", "address", "add", `${PUBLIC}/32`, "dev", "lo");
  await nft(RULES);
  const owned = stack.move();
  return {
    host: outer.host,
    publicHost: PUBLIC,
    namespace: inner.namespace,
    client: inner.peer,
    forward: async (port, ours) => {
      for (const protocol of ["udp", "tcp"]) {
        await nft(`add rule ip nat in ip daddr ${PUBLIC} ${protocol} dport ${port} dnat to ${outer.host}:${ours}`);
      }
    },
    dropUdp: async () => void await nft("insert rule ip nat pass meta l4proto udp drop"),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
