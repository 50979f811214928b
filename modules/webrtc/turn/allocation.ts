/** An address of ours at a TURN server (RFC 8656), kept until it is given back. */
import { Deadline, type IpBytes, parseIp, type SocketAddress, StreamError } from "../../../core/mod.ts";
import { ipText } from "../addresses.ts";
import { type MappedAddress, type StunMessage, stunMessage } from "../stun.ts";
import { type Attributes, TurnAttribute, TurnClient, TurnType } from "./client.ts";
import type { TurnServer } from "./server.ts";

/** What an allocation's owner is told. None of it may throw. */
export interface AllocationHandlers {
  /** A peer sent this. The bytes stay valid and may be changed in place. */
  onData(bytes: Uint8Array, from: SocketAddress): void;
  onDrained(): void;
  /** The server took it back, or is gone; not called after `release`. */
  onEnd(reason: string): void;
}

/** UDP, as REQUESTED-TRANSPORT names it. */
const UDP = Uint8Array.of(17, 0, 0, 0);
/** Permissions last five minutes, channels ten (RFC 8656 §9, §12). */
const UPKEEP_MS = 4 * 60_000;
/** How long a server may take to hear that an address is not needed any more. */
const RELEASE_MS = 1500;
const FIRST_CHANNEL = 0x4000;
const LAST_CHANNEL = 0x4fff;
const CHANNEL_HEADER_BYTES = 4;
const TRANSACTION_BYTES = 12;

interface Permission {
  readonly peer: MappedAddress;
  readonly granted: Promise<void>;
}

/** See the file's head. */
export class TurnAllocation {
  readonly server: TurnServer;
  readonly #handlers: AllocationHandlers;
  readonly #upkeepMs: number;
  readonly #controller = new AbortController();
  readonly #permissions = new Map<string, Permission>();
  readonly #channels = new Map<number, SocketAddress>();
  #client!: TurnClient;
  #relayed!: SocketAddress;
  #nextChannel = FIRST_CHANNEL;
  #renewal: Deadline | undefined;
  #upkeep: Deadline | undefined;
  #isOver = false;

  private constructor(server: TurnServer, handlers: AllocationHandlers, upkeepMs: number) {
    this.server = server;
    this.#handlers = handlers;
    this.#upkeepMs = upkeepMs;
  }

  /**
   * Asks a server for an address. Rejects with a `StreamError`, or with the reason of the signal; what is granted after
   * that is given back.
   */
  static async open(
    server: TurnServer,
    handlers: AllocationHandlers,
    { signal, upkeepMs = UPKEEP_MS }: { readonly signal: AbortSignal; readonly upkeepMs?: number },
  ): Promise<TurnAllocation> {
    const allocation = new TurnAllocation(server, handlers, upkeepMs);
    const client = await TurnClient.open(server, {
      onChannelData: (bytes) => allocation.#onChannelData(bytes),
      onIndication: (message) => allocation.#onIndication(message),
      onDrained: () => handlers.onDrained(),
      onEnd: (reason) => allocation.#end(reason),
    }, signal);
    allocation.#client = client;
    using patience = endOfLater(signal, RELEASE_MS);
    try {
      signal.throwIfAborted();
      const asked: Attributes = [[TurnAttribute.REQUESTED_TRANSPORT, UDP]];
      allocation.#begin(await client.ask(TurnType.ALLOCATE, asked, patience.signal));
    } catch (error) {
      client.close();
      throw error;
    }
    if (!signal.aborted) return allocation;
    await allocation.release();
    throw signal.reason;
  }

  #begin(granted: StunMessage): void {
    const at = granted.address(TurnAttribute.XOR_RELAYED_ADDRESS);
    if (!at) throw new StreamError("PROTOCOL", `webrtc: ${this.server.shown} does not say which address it gives`);
    this.#relayed = { host: ipText(at.ip), port: at.port };
    this.#renewal = new Deadline(renewalMs(lifetimeOf(granted)), () => this.#renew());
    this.#upkeep = new Deadline(this.#upkeepMs, () => this.#keepUp());
  }

  /** Where peers reach us. */
  get relayed(): SocketAddress {
    return this.#relayed;
  }
  /** Bytes that the system has not taken yet. */
  get bytesInFlight(): number {
    return this.#client.bytesInFlight;
  }

  /** Has the server let a peer's address through, with any port. Rejects when it does not. */
  permit(ip: IpBytes): Promise<void> {
    const text = ipText(ip);
    const known = this.#permissions.get(text);
    if (known) return known.granted;
    const peer = { ip, port: 0 };
    const granted = this.#ask(TurnType.CREATE_PERMISSION, [[TurnAttribute.XOR_PEER_ADDRESS, peer]]).then(() => {});
    // One that was refused may be asked for again.
    granted.catch(() => this.#permissions.delete(text));
    this.#permissions.set(text, { peer, granted });
    return granted;
  }

  /** Takes a channel to a peer, over which each packet has a smaller head. Rejects when the server gives none. */
  async openChannel(to: SocketAddress): Promise<number> {
    const channel = this.#channelTo(to) ?? this.#nextChannel++;
    if (channel > LAST_CHANNEL) throw new StreamError("BUSY", `webrtc: ${this.server.shown} has no more channels`);
    // The peer's data may be there before the server's answer is looked at.
    this.#channels.set(channel, to);
    await this.#bind(channel, to);
    return channel;
  }

  // A server refuses a second one to the same peer (RFC 8656 §12.2).
  #channelTo({ host, port }: SocketAddress): number | undefined {
    for (const [channel, to] of this.#channels) if (to.host === host && to.port === port) return channel;
    return undefined;
  }

  async #bind(channel: number, to: SocketAddress): Promise<void> {
    await this.#ask(TurnType.CHANNEL_BIND, [
      [TurnAttribute.CHANNEL_NUMBER, Uint8Array.of(channel >> 8, channel & 0xff, 0, 0)],
      [TurnAttribute.XOR_PEER_ADDRESS, { ip: parseIp(to.host)!, port: to.port }],
    ]);
  }

  #ask(type: number, attributes: Attributes): Promise<StunMessage> {
    return this.#client.ask(type, attributes, this.#controller.signal);
  }

  /** Sends a packet to a peer. False: it was dropped, since too much is in flight. */
  sendTo(peer: MappedAddress, packet: Uint8Array): boolean {
    return !this.#isOver && this.#client.send(stunMessage(
      TurnType.SEND,
      crypto.getRandomValues(new Uint8Array(TRANSACTION_BYTES)),
      [[TurnAttribute.XOR_PEER_ADDRESS, peer], [TurnAttribute.DATA, packet]],
    ));
  }

  /** Sends a packet over a channel. False: it was dropped, since too much is in flight. */
  sendOver(channel: number, packet: Uint8Array): boolean {
    if (this.#isOver) return false;
    const message = new Uint8Array(CHANNEL_HEADER_BYTES + packet.length);
    message[0] = channel >> 8;
    message[1] = channel;
    message[2] = packet.length >> 8;
    message[3] = packet.length;
    message.set(packet, CHANNEL_HEADER_BYTES);
    return this.#client.send(message);
  }

  #onChannelData(bytes: Uint8Array): void {
    const from = this.#channels.get(bytes[0]! << 8 | bytes[1]!);
    const end = CHANNEL_HEADER_BYTES + (bytes[2]! << 8 | bytes[3]!);
    if (from && end <= bytes.length) this.#tell(bytes.subarray(CHANNEL_HEADER_BYTES, end), from);
  }

  #onIndication(message: StunMessage): void {
    const from = message.address(TurnAttribute.XOR_PEER_ADDRESS);
    const data = message.attribute(TurnAttribute.DATA);
    if (from && data && data.length > 0) this.#tell(data, { host: ipText(from.ip), port: from.port });
  }

  // While an address is given back, and before anybody was let through, a server may send all the same.
  #tell(data: Uint8Array, from: SocketAddress): void {
    if (!this.#isOver && this.#permissions.size > 0) this.#handlers.onData(data, from);
  }

  async #renew(): Promise<void> {
    try {
      const answer = await this.#ask(TurnType.REFRESH, []);
      if (!this.#isOver) this.#renewal = new Deadline(renewalMs(lifetimeOf(answer)), () => this.#renew());
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  async #keepUp(): Promise<void> {
    this.#upkeep = new Deadline(this.#upkeepMs, () => this.#keepUp());
    const asked = [
      ...[...this.#permissions.values()].map(({ peer }) =>
        this.#ask(TurnType.CREATE_PERMISSION, [[TurnAttribute.XOR_PEER_ADDRESS, peer]])
      ),
      ...[...this.#channels].map(([channel, to]) => this.#bind(channel, to)),
    ];
    // A way that is lost falls silent, which its session notices.
    await Promise.allSettled(asked);
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#stop();
    // The way can end before `open` has it.
    this.#client?.close();
    this.#handlers.onEnd(reason);
  }

  #stop(): void {
    this.#isOver = true;
    this.#renewal?.[Symbol.dispose]();
    this.#upkeep?.[Symbol.dispose]();
    this.#controller.abort(new StreamError("CLOSED", "webrtc: the relay is not needed any more"));
  }

  /** Gives the address back; resolves when the server knows, or does not answer. */
  async release(): Promise<void> {
    if (this.#isOver) return;
    this.#stop();
    const lifetime: Attributes = [[TurnAttribute.LIFETIME, new Uint8Array(4)]];
    try {
      await this.#client.ask(TurnType.REFRESH, lifetime, AbortSignal.timeout(RELEASE_MS));
    } catch {
      // It forgets the address by itself when its time is over.
    }
    this.#client.close();
  }
}

function lifetimeOf(answer: StunMessage): number {
  const value = answer.attribute(TurnAttribute.LIFETIME);
  return value?.length === 4 ? new DataView(value.buffer, value.byteOffset).getUint32(0) : 600;
}

/** How long an allocation is left alone: until a minute before its end where there is that much (RFC 8656 §8). */
function renewalMs(lifetimeS: number): number {
  return (lifetimeS >= 120 ? lifetimeS - 60 : lifetimeS / 2) * 1000;
}

/** A signal that aborts some time after another. */
function endOfLater(signal: AbortSignal, ms: number): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => timer = setTimeout(() => controller.abort(signal.reason), ms);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    },
  };
}
