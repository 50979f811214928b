/** The way to a TURN server: datagrams, or a stream of messages that tell their own length (RFC 8656 §3.1, §12.5). */
import {
  connectTcp,
  connectTls,
  listenUdp,
  messageOf,
  parseIp,
  slab,
  type SocketAddress,
  type StreamConn,
  StreamError,
  type UdpSocket,
} from "../../../core/mod.ts";
import { lookup } from "node:dns/promises";
import { setImmediate } from "node:timers";
import { ipText } from "../addresses.ts";
import { isUnchecked, type TurnServer } from "./server.ts";

/** What comes from the server, and that nothing comes any more. None of it may throw. */
export interface LinkHandlers {
  /** A whole message. The bytes stay valid and may be changed in place. */
  onMessage(bytes: Uint8Array): void;
  onDrained(): void;
  onEnd(reason: string): void;
}

/** A way to a server. */
export interface TurnLink {
  /** Messages may get lost: who asks repeats the question. */
  readonly isLossy: boolean;
  /** Bytes that the system has not taken yet. */
  readonly bytesInFlight: number;
  /** Sends one message. False: it was dropped, since too much is in flight. */
  send(message: Uint8Array): boolean;
  close(): void;
}

const MAX_IN_FLIGHT_BYTES = 512 << 10;
const MAX_MESSAGE_BYTES = 2048;
const SLAB_BYTES = 64 << 10;
const HEADER_BYTES = 4;
const MESSAGES_PER_TURN = 64;

/** Opens the way to a server. Rejects with a `StreamError`, or with the reason of the signal. */
export async function openLink(server: TurnServer, handlers: LinkHandlers, signal: AbortSignal): Promise<TurnLink> {
  try {
    if (server.transport === "udp") return new UdpLink(await addressOf(server, signal), handlers);
    const to = { host: server.host, port: server.port };
    const conn = server.transport === "tcp"
      ? await connectTcp(to, { signal })
      : await connectTls(to, { signal, insecure: isUnchecked(server) });
    if (signal.aborted) conn.close();
    signal.throwIfAborted();
    return new StreamLink(conn, handlers);
  } catch (error) {
    signal.throwIfAborted();
    throw new StreamError("OFFLINE", `webrtc: cannot reach ${server.shown}: ${messageOf(error)}`);
  }
}

async function addressOf({ host, port }: TurnServer, signal: AbortSignal): Promise<SocketAddress> {
  const ip = parseIp(host);
  if (ip) return { host: ipText(ip), port };
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    // A resolver without a network may take its time; its late answer is not wanted.
    const { address } = await Promise.race([lookup(host), aborted.promise]);
    return { host: address, port };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

class UdpLink implements TurnLink {
  readonly isLossy = true;
  readonly #socket: UdpSocket;
  readonly #to: SocketAddress;
  readonly #handlers: LinkHandlers;
  #bytesInFlight = 0;
  #isClosed = false;

  constructor(to: SocketAddress, handlers: LinkHandlers) {
    this.#to = to;
    this.#handlers = handlers;
    this.#socket = listenUdp({ host: to.host.includes(":") ? "::" : "0.0.0.0", port: 0 });
    this.#receive();
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  send(message: Uint8Array): boolean {
    if (this.#isClosed || this.#bytesInFlight + message.length > MAX_IN_FLIGHT_BYTES) return false;
    this.#bytesInFlight += message.length;
    const done = () => {
      this.#bytesInFlight -= message.length;
      if (this.#bytesInFlight === 0 && !this.#isClosed) this.#handlers.onDrained();
    };
    // What the system refuses is as good as lost.
    this.#socket.send(message, this.#to).then(done, done);
    return true;
  }

  async #receive(): Promise<void> {
    const { host, port } = this.#to;
    let room = slab(SLAB_BYTES);
    let failures = 0;
    for (let taken = 1; !this.#isClosed; taken++) {
      try {
        const { bytes, from } = await this.#socket.receive(room);
        failures = 0;
        if (from.host !== host || from.port !== port) continue;
        room = room.subarray(bytes.length);
        if (room.length < MAX_MESSAGE_BYTES) room = slab(SLAB_BYTES);
        if (!this.#isClosed) this.#handlers.onMessage(bytes);
      } catch (error) {
        // The system tells here that the server's port is closed; it may open again.
        if (!this.#isClosed && ++failures >= 20) return this.#end(messageOf(error));
      }
      if (taken % MESSAGES_PER_TURN === 0) await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }

  #end(reason: string): void {
    this.close();
    this.#handlers.onEnd(reason);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }
}

class StreamLink implements TurnLink {
  readonly isLossy = false;
  readonly #conn: StreamConn;
  readonly #handlers: LinkHandlers;
  readonly #queue: Uint8Array[] = [];
  #bytesInFlight = 0;
  #isClosed = false;

  constructor(conn: StreamConn, handlers: LinkHandlers) {
    this.#conn = conn;
    this.#handlers = handlers;
    this.#receive();
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  send(message: Uint8Array): boolean {
    const whole = padded(message);
    if (this.#isClosed || this.#bytesInFlight + whole.length > MAX_IN_FLIGHT_BYTES) return false;
    this.#bytesInFlight += whole.length;
    if (this.#queue.push(whole) === 1) this.#write();
    return true;
  }

  async #write(): Promise<void> {
    try {
      for (let next = this.#queue[0]; next; next = this.#queue[0]) {
        for (let sent = 0; sent < next.length;) sent += await this.#conn.write(next.subarray(sent));
        this.#queue.shift();
        this.#bytesInFlight -= next.length;
      }
      if (!this.#isClosed) this.#handlers.onDrained();
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  async #receive(): Promise<void> {
    let buffer = slab(SLAB_BYTES);
    let start = 0;
    let end = 0;
    try {
      for (let reads = 1; !this.#isClosed; reads++) {
        const count = await this.#conn.read(buffer.subarray(end));
        if (count === null) return this.#end("the server closed the connection");
        end += count;
        for (let size = sizeOf(buffer, start, end); size > 0; size = sizeOf(buffer, start, end)) {
          if (size > MAX_MESSAGE_BYTES) return this.#end("the server does not speak TURN");
          if (start + size > end) break;
          const message = buffer.subarray(start, start + size);
          start += size;
          this.#handlers.onMessage(message);
          if (this.#isClosed) return;
        }
        if (buffer.length - start < MAX_MESSAGE_BYTES || end === buffer.length) {
          const rest = buffer.subarray(start, end);
          buffer = slab(SLAB_BYTES);
          buffer.set(rest);
          start = 0;
          end = rest.length;
        }
        if (reads % MESSAGES_PER_TURN === 0) await new Promise<void>((resolve) => void setImmediate(resolve));
      }
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#handlers.onEnd(reason);
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
    this.#conn.close();
  }
}

/** Whether a message is of a channel (RFC 8656 §12.4). */
export function isChannelData(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && bytes[0]! >= 0x40 && bytes[0]! <= 0x4f;
}

/** How long the message at `start` is with its padding; 0 when that is not known yet. */
function sizeOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < HEADER_BYTES) return 0;
  const length = bytes[start + 2]! << 8 | bytes[start + 3]!;
  return bytes[start]! >= 0x40 ? HEADER_BYTES + (length + 3 & ~3) : 20 + length;
}

function padded(message: Uint8Array): Uint8Array {
  if (message.length % 4 === 0) return message;
  const out = new Uint8Array(message.length + 3 & ~3);
  out.set(message);
  return out;
}
