import { listenUdp, messageOf, slab, type SocketAddress, StreamError, type UdpSocket } from "../../core/mod.ts";

/** The largest datagram that is taken whole. */
const MAX_DATAGRAM_BYTES = 10_240;
const SLAB_BYTES = 64 << 10;
const PORT_TRIES = 20;
/** Errors in a row (a peer's port that is closed, for example) before a socket is given up. */
const MAX_FAILURES = 50;

/** Datagrams of a pair: views that stay valid for RTP; RTCP is only lent. */
export interface UdpSink {
  onRtp(packet: Uint8Array, from: SocketAddress): void;
  onRtcp(packet: Uint8Array, from: SocketAddress): void;
}

/** Two UDP sockets on neighbouring ports, the even one for RTP, as RTSP wants them (RFC 3550 §11). */
export class UdpPair implements Disposable {
  readonly rtp: UdpSocket;
  readonly rtcp: UdpSocket;
  #isClosed = false;

  private constructor(rtp: UdpSocket, rtcp: UdpSocket) {
    this.rtp = rtp;
    this.rtcp = rtcp;
  }

  /** Binds a pair at a local address and receives until it is disposed. Throws `OFFLINE` when none can be had. */
  static open(host: string, sink: UdpSink): UdpPair {
    for (let i = 0; i < PORT_TRIES; i++) {
      const first = bindAny(host);
      const { port } = first.address;
      const isEven = port % 2 === 0;
      let second: UdpSocket;
      try {
        second = listenUdp({ host, port: isEven ? port + 1 : port - 1 });
      } catch {
        // The neighbour is taken: try another pair.
        first.close();
        continue;
      }
      const pair = isEven ? new UdpPair(first, second) : new UdpPair(second, first);
      pair.#receive(pair.rtp, true, (packet, from) => sink.onRtp(packet, from));
      pair.#receive(pair.rtcp, false, (packet, from) => sink.onRtcp(packet, from));
      return pair;
    }
    throw new StreamError("OFFLINE", `rtsp: no pair of UDP ports is free after ${PORT_TRIES} tries`);
  }

  get port(): number {
    return this.rtp.address.port;
  }

  // Ends, and never rejects, when the socket is closed.
  async #receive(
    socket: UdpSocket,
    isKept: boolean,
    onDatagram: (bytes: Uint8Array, from: SocketAddress) => void,
  ): Promise<void> {
    let buffer = slab(isKept ? SLAB_BYTES : MAX_DATAGRAM_BYTES);
    let at = 0;
    let failures = 0;
    while (!this.#isClosed && failures < MAX_FAILURES) {
      try {
        const { bytes, from } = await socket.receive(at === 0 ? buffer : buffer.subarray(at));
        failures = 0;
        if (isKept) at += bytes.length;
        onDatagram(bytes, from);
        if (buffer.length - at < MAX_DATAGRAM_BYTES) {
          buffer = slab(SLAB_BYTES);
          at = 0;
        }
      } catch {
        // Closed, or the system tells of a peer that is not there: media that does not come is noticed elsewhere.
        failures++;
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.rtp.close();
    this.rtcp.close();
  }
}

function bindAny(host: string): UdpSocket {
  try {
    return listenUdp({ host, port: 0 });
  } catch (error) {
    throw new StreamError("OFFLINE", `rtsp: no UDP port can be had at "${host}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Sends datagrams, counting those in flight; beyond a limit they are dropped and counted. */
export class UdpSender {
  readonly #socket: UdpSocket;
  readonly #to: SocketAddress;
  readonly #onDrained: () => void;
  #inFlight = 0;
  /** Datagrams the system refused. */
  failed = 0;

  constructor(socket: UdpSocket, to: SocketAddress, onDrained: () => void = () => {}) {
    this.#socket = socket;
    this.#to = to;
    this.#onDrained = onDrained;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Hands a datagram to the system; its bytes must not change until it is gone. */
  send(bytes: Uint8Array): void {
    this.#inFlight++;
    this.#socket.send(bytes, this.#to).then(this.#onSent, this.#onFailed);
  }

  readonly #onSent = (): void => {
    if (--this.#inFlight === 0) this.#onDrained();
  };
  readonly #onFailed = (): void => {
    this.failed++;
    this.#onSent();
  };
}
