/** A wire for tests between a peer and us: keeps what passes, and sends more in the peer's name or in a stranger's. */
import { listenUdp, type SocketAddress, type UdpSocket } from "../../core/mod.ts";
import { isStun } from "./stun.ts";

/** See the file's head. To us it is the peer, to the peer it is us. */
export class TappedWire implements Disposable {
  /** All that the peer has sent to us. */
  readonly fromPeer: Uint8Array[] = [];
  /** All that we have sent to the peer. */
  readonly fromUs: Uint8Array[] = [];
  /** What we have sent to somebody who never proved anything. */
  readonly toStranger: Uint8Array[] = [];
  readonly #near = listenUdp({ host: "127.0.0.1", port: 0 });
  readonly #far = listenUdp({ host: "127.0.0.1", port: 0 });
  readonly #stranger = listenUdp({ host: "127.0.0.1", port: 0 });
  #peer: SocketAddress | undefined;
  #us: SocketAddress | undefined;

  constructor() {
    each(this.#near, (bytes, from) => {
      this.#peer = from;
      this.fromPeer.push(bytes);
      if (this.#us) this.#far.send(bytes, this.#us);
    });
    each(this.#far, (bytes) => {
      this.fromUs.push(bytes);
      if (this.#peer) this.#near.send(bytes, this.#peer);
    });
    each(this.#stranger, (bytes) => void this.toStranger.push(bytes));
  }

  /** What the peer is told of us, who listen at `us`: this wire is our only candidate. */
  describeUs(sdp: string, us: SocketAddress): string {
    this.#us = us;
    return withCandidate(sdp, this.#near.address.port);
  }
  /** What we are told of the peer: this wire is its only candidate. */
  describePeer(sdp: string): string {
    return withCandidate(sdp, this.#far.address.port);
  }

  /** Sends a datagram to us from the address that is the peer's as far as we know. */
  async asPeer(bytes: Uint8Array): Promise<void> {
    await this.#far.send(bytes, this.#us!);
  }
  /** Sends a datagram to us from another address. */
  async asStranger(bytes: Uint8Array): Promise<void> {
    await this.#stranger.send(bytes, this.#us!);
  }

  [Symbol.dispose](): void {
    for (const socket of [this.#near, this.#far, this.#stranger]) socket.close();
  }
}

function withCandidate(sdp: string, port: number): string {
  const lines = sdp.trimEnd().split(/\r?\n/).filter((line) => !/^a=(candidate:|end-of-candidates)/.test(line));
  return [...lines, `a=candidate:1 1 udp 2130706431 127.0.0.1 ${port} typ host`, ""].join("\r\n");
}

async function each(socket: UdpSocket, take: (bytes: Uint8Array, from: SocketAddress) => void): Promise<void> {
  try {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2048));
      take(bytes.slice(), from);
    }
  } catch {
    // Closed.
  }
}

/** What a datagram is, by its first bytes (RFC 7983). */
export function kindOf(bytes: Uint8Array): "stun" | "dtls" | "rtp" | "rtcp" {
  if (isStun(bytes)) return "stun";
  if (bytes[0]! < 64) return "dtls";
  return bytes[1]! >= 192 && bytes[1]! <= 223 ? "rtcp" : "rtp";
}

/** Broken copies of a datagram: a bit is another one, at the front, in the middle and at the end; cut short; longer. */
export function forgeries(bytes: Uint8Array): Uint8Array[] {
  const flipped = (at: number) => {
    const copy = bytes.slice();
    copy[at]! ^= 1;
    return copy;
  };
  const longer = new Uint8Array(bytes.length + 4);
  longer.set(bytes);
  return [flipped(3), flipped(bytes.length >> 1), flipped(bytes.length - 1), bytes.slice(0, bytes.length >> 1), longer];
}
