/** A TURN server for tests: UDP and TCP, one login, and whatever a test wants it to refuse. */
import {
  listenTcp,
  listenUdp,
  parseIp,
  type SocketAddress,
  type StreamConn,
  type StreamListener,
  type UdpSocket,
  writeAll,
} from "../../../core/mod.ts";
import { createHash } from "node:crypto";
import { ipText } from "../addresses.ts";
import { type MappedAddress, StunMessage, stunMessage } from "../stun.ts";
import { type Attributes, TurnAttribute, TurnType } from "./client.ts";
import type { TurnServer } from "./server.ts";

const encoder = new TextEncoder();
const REALM = encoder.encode("test");
const SUCCESS = 0x0100;
const ERROR = 0x0110;

/** One client's address at the server. */
interface Allocation {
  readonly socket: UdpSocket;
  readonly permitted: Set<string>;
  readonly channels: Map<number, SocketAddress>;
}

interface Client {
  readonly send: (message: Uint8Array) => void;
  readonly seen: MappedAddress;
}

/** See the file's head. */
export class FakeTurnServer implements Disposable {
  /** What was asked, by name of the method; answers to challenges count too. */
  readonly asked: string[] = [];
  /** What was sent on, by the form that it came in. */
  readonly relayed = { indications: 0, channels: 0 };
  lifetimeS = 600;
  /** Requests that are not answered, by name. */
  readonly silentFor = new Set<string>();
  nonce = "first";
  /** What comes over a connection before anything was asked. */
  greeting: Uint8Array | undefined;
  readonly #udp: UdpSocket;
  readonly #tcp: StreamListener;
  readonly #allocations = new Map<string, Allocation>();
  readonly #waiting = new Set<() => void>();
  readonly #conns = new Set<StreamConn>();

  constructor() {
    this.#tcp = listenTcp({ host: "127.0.0.1", port: 0 });
    this.#udp = listenUdp({ host: "127.0.0.1", port: 0 });
    this.#serveUdp();
    this.#serveTcp();
  }

  /** The server as a client knows it. */
  known(transport: "udp" | "tcp", more: Partial<TurnServer> = {}): TurnServer {
    const { host, port } = transport === "udp" ? this.#udp.address : this.#tcp.address;
    return { host, port, transport, username: "anna", credential: "secret", shown: `turn:${host}:${port}`, ...more };
  }

  /** An entry of `ice_servers`. */
  entry(transport: "udp" | "tcp" = "udp"): { urls: string[]; username: string; credential: string } {
    const { shown, username, credential } = this.known(transport);
    return { urls: [`${shown}?transport=${transport}`], username, credential };
  }

  /** Addresses that are given out. */
  get size(): number {
    return this.#allocations.size;
  }

  /** Waits until something is so; looked at whenever a request comes. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async #serveUdp(): Promise<void> {
    try {
      for (;;) {
        const { bytes, from } = await this.#udp.receive(new Uint8Array(2048));
        const send = (message: Uint8Array) => void this.#udp.send(message, from).catch(() => {});
        this.#take(bytes, `udp ${from.host} ${from.port}`, {
          send,
          seen: { ip: parseIp(from.host)!, port: from.port },
        });
      }
    } catch {
      // Closed.
    }
  }

  async #serveTcp(): Promise<void> {
    try {
      for (;;) this.#serveConn(await this.#tcp.accept());
    } catch {
      // Closed.
    }
  }

  async #serveConn(conn: StreamConn): Promise<void> {
    this.#conns.add(conn);
    const { host, port } = conn.remoteAddress;
    const name = `tcp ${host} ${port}`;
    let writing = Promise.resolve();
    const send = (message: Uint8Array) => {
      const whole = new Uint8Array(message.length + 3 & ~3);
      whole.set(message);
      writing = writing.then(() => writeAll(conn, whole)).catch(() => {});
    };
    if (this.greeting) send(this.greeting);
    let held = new Uint8Array(0);
    const buffer = new Uint8Array(4096);
    try {
      for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
        held = new Uint8Array([...held, ...buffer.subarray(0, count)]);
        while (held.length >= 4) {
          const length = held[2]! << 8 | held[3]!;
          const size = held[0]! >= 0x40 ? 4 + (length + 3 & ~3) : 20 + length;
          if (held.length < size) break;
          this.#take(held.slice(0, size), name, { send, seen: { ip: parseIp(host)!, port } });
          held = held.slice(size);
        }
      }
    } catch {
      // Reset.
    }
    conn.close();
    this.#drop(name);
  }

  #drop(name: string): void {
    this.#allocations.get(name)?.socket.close();
    this.#allocations.delete(name);
  }

  #take(bytes: Uint8Array, name: string, client: Client): void {
    const allocation = this.#allocations.get(name);
    if (bytes[0]! >= 0x40) {
      const to = allocation?.channels.get(bytes[0]! << 8 | bytes[1]!);
      if (to) this.#relay(allocation!, bytes.slice(4, 4 + (bytes[2]! << 8 | bytes[3]!)), to, "channels");
      return;
    }
    const message = new StunMessage();
    if (!message.read(bytes)) return;
    const peer = message.address(TurnAttribute.XOR_PEER_ADDRESS);
    const to = peer && { host: ipText(peer.ip), port: peer.port };
    if (message.type === TurnType.SEND) {
      if (allocation && to) this.#relay(allocation, message.attribute(TurnAttribute.DATA)!.slice(), to, "indications");
      return;
    }
    this.#answer(message, to, { name, client, allocation });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #relay(allocation: Allocation, bytes: Uint8Array, to: SocketAddress, form: "indications" | "channels"): void {
    if (!allocation.permitted.has(to.host)) return;
    this.relayed[form]++;
    allocation.socket.send(bytes, to).catch(() => {});
  }

  #answer(
    message: StunMessage,
    to: SocketAddress | undefined,
    { name, client, allocation }: { name: string; client: Client; allocation: Allocation | undefined },
  ): void {
    const method = Object.entries(TurnType).find(([, type]) => type === message.type)?.[0] ?? "?";
    this.asked.push(method);
    if (this.silentFor.has(method)) return;
    const key = createHash("md5").update("anna:test:secret").digest();
    const refuse = (code: number) =>
      client.send(stunMessage(message.type | ERROR, message.transaction.slice(), [
        [TurnAttribute.ERROR_CODE, Uint8Array.of(0, 0, Math.floor(code / 100), code % 100)],
        [TurnAttribute.REALM, REALM],
        [TurnAttribute.NONCE, encoder.encode(this.nonce)],
      ]));
    const accept = (attributes: Attributes) =>
      client.send(stunMessage(message.type | SUCCESS, message.transaction.slice(), attributes, new Uint8Array(key)));
    if (!message.isSignedWith(key)) return refuse(401);
    if (new TextDecoder().decode(message.attribute(TurnAttribute.NONCE)) !== this.nonce) return refuse(438);
    const lifetime = new Uint8Array(4);
    new DataView(lifetime.buffer).setUint32(0, this.lifetimeS);
    if (message.type === TurnType.ALLOCATE) {
      const { socket } = this.#allocate(name, client);
      const { host, port } = socket.address;
      return accept([
        [TurnAttribute.XOR_RELAYED_ADDRESS, { ip: parseIp(host)!, port }],
        [TurnAttribute.LIFETIME, lifetime],
        [0x0020, client.seen],
      ]);
    }
    if (!allocation) return refuse(437);
    if (message.type === TurnType.REFRESH) {
      if (message.attribute(TurnAttribute.LIFETIME)?.every((byte) => byte === 0)) this.#drop(name);
      return accept([[TurnAttribute.LIFETIME, lifetime]]);
    }
    allocation.permitted.add(to!.host);
    const channel = message.attribute(TurnAttribute.CHANNEL_NUMBER);
    if (channel) allocation.channels.set(channel[0]! << 8 | channel[1]!, to!);
    accept([]);
  }

  #allocate(name: string, client: Client): Allocation {
    this.#drop(name);
    const socket = listenUdp({ host: "127.0.0.1", port: 0 });
    const allocation: Allocation = { socket, permitted: new Set(), channels: new Map() };
    this.#allocations.set(name, allocation);
    (async () => {
      for (;;) {
        const { bytes, from } = await socket.receive(new Uint8Array(2048));
        if (!allocation.permitted.has(from.host)) continue;
        const channel = [...allocation.channels].find(([, { host, port }]) => host === from.host && port === from.port);
        client.send(
          channel
            ? Uint8Array.of(channel[0] >> 8, channel[0] & 0xff, bytes.length >> 8, bytes.length & 0xff, ...bytes)
            : stunMessage(TurnType.DATA, crypto.getRandomValues(new Uint8Array(12)), [
              [TurnAttribute.XOR_PEER_ADDRESS, { ip: parseIp(from.host)!, port: from.port }],
              [TurnAttribute.DATA, bytes],
            ]),
        );
      }
    })().catch(() => {});
    return allocation;
  }

  /** Ends TCP connections, as a server that is stopped does. */
  dropConnections(): void {
    for (const conn of this.#conns) conn.close();
    this.#conns.clear();
  }

  /** Takes back all addresses. */
  forget(): void {
    for (const name of [...this.#allocations.keys()]) this.#drop(name);
  }

  [Symbol.dispose](): void {
    this.#udp.close();
    this.#tcp.close();
    this.dropConnections();
    this.forget();
  }
}
