/** A peer for tests: it sends checks over real sockets, answers ours when it is told to, and keeps what it is sent. */
import {
  connectTcp,
  listenTcp,
  listenUdp,
  type Logger,
  parseIp,
  parseListenAddress,
  type SocketAddress,
  type StreamConn,
  type StreamListener,
  type UdpSocket,
  writeAll,
} from "../../core/mod.ts";
import type { LocalAddress } from "./filters.ts";
import { type IceHandlers, IceSession, type IceState } from "./ice.ts";
import type { IceHub } from "./ice_hub.ts";
import type { IcePath } from "./ice_path.ts";
import { bindingRequest, bindingSuccess, type IceRole, StunMessage, StunType } from "./stun.ts";
import type { OpenListener, TcpMux } from "./tcp_mux.ts";
import type { UdpMux } from "./udp_mux.ts";

const encoder = new TextEncoder();

/** The credentials of test peers. */
export const PEER = { ufrag: "peer", pwd: "a-password-of-22-chars" };

/** A logger for tests that keeps what it is told, as `level message`. */
export function recordingLogger(lines: string[]): Logger {
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    limited: (_key, level, message) => void lines.push(`${level} ${message}`),
  };
}

/** A logger for tests whose lines nobody reads. */
export const silentLogger: Logger = recordingLogger([]);

/** An address to bind to. */
export function localAddress(host: string): LocalAddress {
  return { host, ip: parseIp(host)!, isAdvertised: true };
}

/** A queue that is waited at. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  get size(): number {
    return this.#items.length;
  }
  put(item: T): void {
    const wake = this.#waiting.shift();
    if (wake) wake(item);
    else this.#items.push(item);
  }
  take(): Promise<T> {
    const item = this.#items.shift();
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}

/** What a check of a test peer says. */
export interface TestCheck {
  readonly session: { readonly ufrag: string; readonly pwd: string };
  readonly pwd?: string;
  readonly nominates?: boolean;
  readonly role?: IceRole;
  readonly isUnsigned?: boolean;
}

/** The bytes of a check to a session. */
export function checkBytes({ session, pwd, nominates, role, isUnsigned }: TestCheck): Uint8Array {
  const bytes = bindingRequest({
    transaction: crypto.getRandomValues(new Uint8Array(12)),
    check: {
      username: `${session.ufrag}:${PEER.ufrag}`,
      key: encoder.encode(pwd ?? session.pwd),
      priority: 1,
      role: role ?? "controlling",
      useCandidate: nominates ?? false,
    },
  });
  if (!isUnsigned) return bytes;
  // Without integrity and fingerprint.
  const cut = bytes.slice(0, bytes.length - 32);
  new DataView(cut.buffer).setUint16(2, cut.length - 20);
  return cut;
}

/** What a peer received, sorted. */
export interface PeerInbox {
  /** Answers to its checks. */
  readonly answers: Inbox<Uint8Array>;
  /** Checks of ours. */
  readonly checks: Inbox<Uint8Array>;
  readonly data: Inbox<Uint8Array>;
}

function sort(bytes: Uint8Array, inbox: PeerInbox): boolean {
  if (bytes[0]! > 3) {
    inbox.data.put(bytes);
    return false;
  }
  const isCheck = (bytes[0]! << 8 | bytes[1]!) === StunType.REQUEST;
  (isCheck ? inbox.checks : inbox.answers).put(bytes);
  return isCheck;
}

/** A peer on a UDP socket. */
export class UdpPeer implements PeerInbox, Disposable {
  readonly answers = new Inbox<Uint8Array>();
  readonly checks = new Inbox<Uint8Array>();
  readonly data = new Inbox<Uint8Array>();
  readonly #socket: UdpSocket;
  readonly #answersChecks: boolean;

  constructor(options: { host?: string; answersChecks?: boolean } = {}) {
    this.#socket = listenUdp({ host: options.host ?? "127.0.0.1", port: 0 });
    this.#answersChecks = options.answersChecks ?? false;
    this.#receive();
  }

  get address(): SocketAddress {
    return this.#socket.address;
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const { bytes, from } = await this.#socket.receive(new Uint8Array(2048));
        if (!sort(bytes, this) || !this.#answersChecks) continue;
        const request = new StunMessage();
        request.read(bytes);
        const seen = { ip: parseIp(from.host)!, port: from.port };
        await this.#socket.send(bindingSuccess(request, seen, encoder.encode(PEER.pwd)), from);
      }
    } catch {
      // Closed.
    }
  }

  async send(bytes: Uint8Array, to: SocketAddress): Promise<void> {
    await this.#socket.send(bytes, to);
  }

  /** Sends a check, again if it was lost, and waits for its answer. */
  async check(check: TestCheck, to: SocketAddress): Promise<StunMessage> {
    const bytes = checkBytes(check);
    await this.send(bytes, to);
    const again = setInterval(() => this.send(bytes, to), 250);
    const answer = new StunMessage();
    if (!answer.read(await this.answers.take())) throw new Error("The answer cannot be read");
    clearInterval(again);
    return answer;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A peer on a TCP connection, with RFC 4571 framing. */
export class TcpPeer implements PeerInbox, Disposable {
  readonly answers = new Inbox<Uint8Array>();
  readonly checks = new Inbox<Uint8Array>();
  readonly data = new Inbox<Uint8Array>();
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;
  readonly #conn: StreamConn;

  private constructor(conn: StreamConn) {
    this.#conn = conn;
    this.closed = this.#receive();
  }

  static async connect(to: SocketAddress): Promise<TcpPeer> {
    return new TcpPeer(await connectTcp(to));
  }

  async #receive(): Promise<void> {
    let held = new Uint8Array(0);
    const buffer = new Uint8Array(64 << 10);
    try {
      for (;;) {
        const count = await this.#conn.read(buffer);
        if (count === null) return;
        held = new Uint8Array([...held, ...buffer.subarray(0, count)]);
        while (held.length >= 2 && held.length >= 2 + (held[0]! << 8 | held[1]!)) {
          const size = held[0]! << 8 | held[1]!;
          sort(held.slice(2, 2 + size), this);
          held = held.slice(2 + size);
        }
      }
    } catch {
      // Reset, or closed by the test.
    }
  }

  async sendRaw(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#conn, bytes);
  }

  async send(packet: Uint8Array): Promise<void> {
    await this.sendRaw(new Uint8Array([packet.length >> 8, packet.length & 0xff, ...packet]));
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** What a session told its owner. */
export class TestOwner implements IceHandlers {
  readonly selections = new Inbox<IcePath>();
  readonly data = new Inbox<Uint8Array>();
  readonly states: IceState[] = [];
  readonly closed = new Inbox<string>();
  onSelected(path: IcePath): void {
    this.selections.put(path);
  }
  onData(bytes: Uint8Array): void {
    this.data.put(bytes);
  }
  onState(state: IceState): void {
    this.states.push(state);
  }
  onDrained(): void {}
  onClosed(reason: string): void {
    this.closed.put(reason);
  }
}

/** A session over the sockets of a mux. */
export function testSession(
  hub: IceHub,
  udp: UdpMux | undefined,
  options: { isLite?: boolean } = {},
): { session: IceSession; owner: TestOwner } {
  const owner = new TestOwner();
  const pathsTo = (to: SocketAddress) => udp?.pathsTo(to, parseIp(to.host)!) ?? [];
  const session = new IceSession({ hub, handlers: owner, pathsTo, isLite: options.isLite ?? false });
  session.setRemote(PEER);
  return { session, owner };
}

/** Serves a mux on a free port until it is disposed. */
export class TestListener implements Disposable {
  readonly #listener: StreamListener;
  readonly #controller = new AbortController();
  readonly #serving: Promise<void>[] = [];

  constructor(mux: TcpMux, host = "127.0.0.1") {
    this.#listener = listenTcp({ host, port: 0 });
    this.#accept(mux);
  }

  get address(): SocketAddress {
    return this.#listener.address;
  }

  async #accept(mux: TcpMux): Promise<void> {
    try {
      for (;;) this.#serving.push(mux.serve(await this.#listener.accept(), this.#controller.signal));
    } catch {
      // Closed.
    }
  }

  [Symbol.dispose](): void {
    this.#controller.abort();
    this.#listener.close();
  }
}

/** Opens listeners without a kernel. */
export const openListener: OpenListener = (address, serve) => {
  const controller = new AbortController();
  const { host, port } = parseListenAddress(address);
  try {
    const listener = listenTcp({ host, port });
    (async () => {
      for (;;) serve(await listener.accept(), undefined, controller.signal);
    })().catch(() => {});
    const close = () => {
      controller.abort();
      listener.close();
    };
    return Promise.resolve({ ...listener, close });
  } catch (error) {
    return Promise.reject(new Error(`Cannot listen on ${address}`, { cause: error }));
  }
};
