import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns";
import { isIP } from "node:net";
import type { SocketAddress, UdpSocket } from "../types.ts";
import { errorWithCode } from "./errors.ts";

/** What has come and was not asked for: more is dropped, as the system does when its buffer is full. */
const MAX_WAITING_BYTES = 1 << 20;
/** What a datagram takes beside its bytes. */
const DATAGRAM_BYTES = 256;

type Received = { bytes: Uint8Array; from: SocketAddress };

/** Opens a UDP socket (port 0 picks a free one). */
export function listenUdp(options: { host?: string; port: number }): UdpSocket {
  return new NodeUdpSocket(options.host ?? "0.0.0.0", options.port);
}

// For literals within the call: binding is then done when `bind` returns, and sending takes no turn of the event loop.
function lookupAtOnce(
  host: string,
  family: number,
  callback: (error: Error | null, address: string, family: number) => void,
): void {
  const found = isIP(host);
  if (found !== 0) callback(null, host, found);
  else lookup(host, family, callback);
}

class NodeUdpSocket implements UdpSocket {
  readonly address: SocketAddress;
  readonly #socket: Socket;
  readonly #waiting: { message: Uint8Array; from: SocketAddress }[] = [];
  #waitingBytes = 0;
  #receiver:
    | { buffer: Uint8Array; resolve: (received: Received) => void; reject: (error: Error) => void }
    | undefined;
  #isClosed = false;

  constructor(host: string, port: number) {
    const type = host.includes(":") ? "udp6" : "udp4";
    // Node hands over more than its types tell.
    const socket = createSocket({ type, lookup: lookupAtOnce as unknown as typeof lookup });
    let failure: Error | undefined;
    const onError = (error: Error) => failure = error;
    socket.on("error", onError);
    socket.bind({ address: host, port, exclusive: true });
    if (failure) {
      socket.close();
      throw failure;
    }
    const { address, port: bound } = socket.address();
    this.address = { host: address, port: bound };
    this.#socket = socket;
    socket.off("error", onError);
    socket.on("error", (error: Error) => this.#fail(error));
    socket.on("message", (message: Uint8Array, from: RemoteInfo) => this.#onMessage(message, from));
  }

  #onMessage(message: Uint8Array, { address, port }: RemoteInfo): void {
    const from = { host: address, port };
    const receiver = this.#receiver;
    if (receiver) {
      this.#receiver = undefined;
      receiver.resolve(fill(receiver.buffer, message, from));
    } else if (this.#waitingBytes <= MAX_WAITING_BYTES) {
      this.#waiting.push({ message, from });
      this.#waitingBytes += message.length + DATAGRAM_BYTES;
    }
  }

  #fail(error: Error): void {
    this.#receiver?.reject(error);
    this.#receiver = undefined;
  }

  receive(buffer: Uint8Array): Promise<Received> {
    if (this.#isClosed) return Promise.reject(closed());
    const first = this.#waiting.shift();
    if (first) {
      this.#waitingBytes -= first.message.length + DATAGRAM_BYTES;
      return Promise.resolve(fill(buffer, first.message, first.from));
    }
    return new Promise((resolve, reject) => {
      this.#receiver = { buffer, resolve, reject };
    });
  }

  send(bytes: Uint8Array, to: SocketAddress): Promise<number> {
    if (this.#isClosed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#socket.send(bytes, to.port, to.host, (error, count) => error ? reject(error) : resolve(count));
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
    this.#fail(closed());
  }
}

function fill(buffer: Uint8Array, message: Uint8Array, from: SocketAddress): Received {
  const count = Math.min(buffer.length, message.length);
  buffer.set(count === message.length ? message : message.subarray(0, count));
  return { bytes: buffer.subarray(0, count), from };
}

function closed(): Error {
  return errorWithCode("ERR_SOCKET_CLOSED", "Socket is closed");
}
