import { plainHost, type SocketAddress } from "../../core/mod.ts";
import { UdpPair } from "./udp.ts";

/** The UDP ports that all players of the server share: one pair for each local address they come to. */
export class UdpPorts implements Disposable {
  readonly #pairs = new Map<string, UdpPair>();
  // By address and port of the player's side.
  readonly #listeners = new Map<string, () => void>();

  /** The pair at a local address. Throws `OFFLINE` when none can be had. */
  pair(host: string): UdpPair {
    let pair = this.#pairs.get(host);
    if (!pair) {
      const onPacket = (_packet: Uint8Array, from: SocketAddress) =>
        this.#listeners.get(keyOf(plainHost(from.host), from.port))?.();
      pair = UdpPair.open(host, { onRtp: onPacket, onRtcp: onPacket });
      this.#pairs.set(host, pair);
    }
    return pair;
  }

  /** Has `onLife` called when anything comes from a player's ports, until what it answers is called. */
  watch(host: string, ports: readonly number[], onLife: () => void): () => void {
    const keys = ports.map((port) => keyOf(host, port));
    for (const key of keys) this.#listeners.set(key, onLife);
    return () => {
      for (const key of keys) if (this.#listeners.get(key) === onLife) this.#listeners.delete(key);
    };
  }

  [Symbol.dispose](): void {
    for (const pair of this.#pairs.values()) pair[Symbol.dispose]();
    this.#pairs.clear();
    this.#listeners.clear();
  }
}

function keyOf(host: string, port: number): string {
  return `${host} ${port}`;
}
