import { Libc, MSG_DONTWAIT } from "./accel_libc.ts";
import { type MessageForm, MESSAGES, MessageTable } from "./accel_message.ts";
import { AF_INET, sockaddrOf } from "./accel_sockaddr.ts";
import type { SocketAddress, UdpSocket } from "./types.ts";

const MSG_NOSIGNAL = 0x4000;
const MAX_RETRIES = 2;
const EINTR = 4;
const EIO = 5;
const EAGAIN = 11;
const EINVAL = 22;
const EMSGSIZE = 90;
const ENOBUFS = 105;
const ECONNREFUSED = 111;

/** What the kernel takes in one segmented send. */
const MAX_SEGMENTS = 64;
const MAX_SEGMENTED_BYTES = 65_000;

/** What a batch sender did. All but `calls` count packets. */
export interface UdpBatchStats {
  packets: number;
  /** System calls. */
  calls: number;
  /** Dropped because the socket's buffer was full. */
  wouldBlock: number;
  /** Dropped because the kernel refused them: no route, a firewall. */
  failed: number;
}

/**
 * Sends many packets to one address with one system call. It holds a descriptor of its own, and thereby the port: dispose
 * of it along with the socket.
 */
export interface UdpBatchSender extends Disposable {
  /**
   * Sends the packets that begin at `offsets` in `bytes`, one after the other. Never waits: answers how many the kernel
   * took; the others are dropped and counted. -1: this address (a zone id, another family) needs the socket's own `send`.
   * `to` should be one object per peer, since what was made of it is kept with it.
   */
  send(bytes: Uint8Array, offsets: readonly number[], to: SocketAddress): number;
  readonly stats: Readonly<UdpBatchStats>;
}

/** Sends batches on sockets that the runtime owns. */
export interface AccelUdp {
  /** Whether the kernel cuts one buffer into packets (UDP_SEGMENT). */
  readonly hasSegmentation: boolean;
  /** A batch sender on a socket's descriptor; `undefined` when that was not found. */
  sender(socket: UdpSocket): UdpBatchSender | undefined;
}

/** Opens the C library and proves batch sending by datagrams to ourselves; throws when that fails. */
export function openUdp(): AccelUdp & Disposable {
  const native = new Libc();
  try {
    const hasSegmentation = loops(native, true);
    if (!hasSegmentation && !loops(native, false)) throw new Error("a looped datagram did not arrive");
    return new NativeUdp(native, hasSegmentation);
  } catch (error) {
    native[Symbol.dispose]();
    throw error;
  }
}

class NativeUdp implements AccelUdp, Disposable {
  readonly hasSegmentation: boolean;
  readonly #native: Libc;
  readonly #messages = new MessageTable();

  constructor(native: Libc, hasSegmentation: boolean) {
    this.#native = native;
    this.hasSegmentation = hasSegmentation;
  }

  sender(socket: UdpSocket): UdpBatchSender | undefined {
    const own = this.#native.duplicateOf(socket.address);
    const { hasSegmentation } = this;
    return own && new NativeBatchSender(this.#native, this.#messages, { ...own, hasSegmentation });
  }

  [Symbol.dispose](): void {
    this.#native[Symbol.dispose]();
  }
}

class NativeBatchSender implements UdpBatchSender {
  readonly stats: UdpBatchStats = { packets: 0, calls: 0, wouldBlock: 0, failed: 0 };
  readonly #native: Libc;
  readonly #messages: MessageTable;
  readonly #family: number;
  readonly #names = new WeakMap<SocketAddress, Uint8Array>();
  readonly #form: MessageForm = { address: 0, size: 0, packets: 0, segment: 0 };
  #descriptor: number;
  #segments: boolean;
  #retries = 0;

  constructor(
    native: Libc,
    messages: MessageTable,
    { descriptor, family, hasSegmentation }: { descriptor: number; family: number; hasSegmentation: boolean },
  ) {
    this.#native = native;
    this.#messages = messages;
    this.#descriptor = descriptor;
    this.#family = family;
    this.#segments = hasSegmentation;
    native.library.retain();
  }

  send(bytes: Uint8Array, offsets: readonly number[], to: SocketAddress): number {
    if (this.#descriptor < 0) return 0;
    const name = this.#nameOf(to);
    if (!name) return -1;
    const count = offsets.length;
    this.#messages.setName(name, Math.min(count, MESSAGES));
    this.#retries = 0;
    let segments = this.#segments;
    let taken = 0;
    while (taken < count) {
      const now = this.#sendFilled(this.#fill(bytes, offsets, taken, segments));
      taken += now;
      if (this.#outcome === "sent") continue;
      if (this.#outcome === "unsegmented" && segments) {
        segments = false;
        continue;
      }
      this.stats[this.#outcome === "wouldBlock" ? "wouldBlock" : "failed"] += count - taken;
      break;
    }
    this.stats.packets += taken;
    return taken;
  }

  /** Sends the first messages of the table; answers how many packets went, and says in `#outcome` why not all. */
  #sendFilled(filled: number): number {
    const { packets } = this.#messages;
    let message = 0;
    let taken = 0;
    this.#outcome = "sent";
    while (message < filled) {
      const sent = this.#call(message, filled - message);
      for (const next = message + Math.max(sent, 0); message < next; message++) taken += packets[message]!;
      if (sent > 0) continue;
      const outcome = this.#outcomeOf(this.#native.errno(), packets[message]! > 1);
      if (outcome === "again") continue;
      this.#outcome = outcome;
      break;
    }
    return taken;
  }
  #outcome: "sent" | "unsegmented" | "wouldBlock" | "failed" = "sent";

  #nameOf(to: SocketAddress): Uint8Array | undefined {
    const known = this.#names.get(to);
    if (known) return known;
    const name = sockaddrOf(to, this.#family);
    if (name) this.#names.set(to, name);
    return name;
  }

  /** Makes messages of the packets from `packet` on: equal ones, and a shorter one behind them, are one message. */
  #fill(bytes: Uint8Array, offsets: readonly number[], packet: number, segments: boolean): number {
    const messages = this.#messages;
    const base = messages.input.addressOf(bytes);
    const form = this.#form;
    const count = offsets.length;
    let message = 0;
    let first = packet;
    while (first < count && message < MESSAGES) {
      const start = offsets[first]!;
      let end = offsets[first + 1] ?? bytes.length;
      const segment = end - start;
      let next = first + 1;
      if (segments && segment > 0) {
        const limit = Math.min(count, first + MAX_SEGMENTS);
        for (; next < limit; next++) {
          const following = offsets[next + 1] ?? bytes.length;
          const size = following - end;
          if (size <= 0 || size > segment || following - start > MAX_SEGMENTED_BYTES) break;
          end = following;
          if (size < segment) {
            next++;
            break;
          }
        }
      }
      if (start < 0 || segment < 0 || end > bytes.length) throw new RangeError("Packet does not lie in its buffer");
      form.address = base + start;
      form.size = end - start;
      form.packets = next - first;
      form.segment = next - first > 1 ? segment : 0;
      messages.set(message++, form);
      first = next;
    }
    return message;
  }

  #call(message: number, count: number): number {
    this.stats.calls++;
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return this.#native.library.symbols.sendmmsg(this.#descriptor, this.#messages.addressOf(message), count, flags);
  }

  #outcomeOf(errno: number, isSegmented: boolean): "again" | "unsegmented" | "wouldBlock" | "failed" {
    // A refusal by the peer of an earlier packet is reported once, by whatever is sent next.
    if (errno === EINTR || errno === ECONNREFUSED) return this.#retries++ < MAX_RETRIES ? "again" : "failed";
    if (errno === EAGAIN || errno === ENOBUFS) return "wouldBlock";
    if (!isSegmented || (errno !== EIO && errno !== EINVAL && errno !== EMSGSIZE)) return "failed";
    // EIO: the device on this way cannot; the others: packets longer than this way takes, which must be fragmented.
    if (errno === EIO) this.#segments = false;
    return "unsegmented";
  }

  [Symbol.dispose](): void {
    if (this.#descriptor < 0) return;
    this.#native.library.symbols.close(this.#descriptor);
    this.#descriptor = -1;
    this.#native.library.release();
  }
}

/** Sends five packets in two sizes to ourselves and looks whether they arrive as they were. */
function loops(native: Libc, hasSegmentation: boolean): boolean {
  const own = native.openLoopback();
  if (!own) return false;
  const { descriptor, address } = own;
  using sender = new NativeBatchSender(native, new MessageTable(), { descriptor, family: AF_INET, hasSegmentation });
  const bytes = Uint8Array.from({ length: 450 }, (_, i) => i * 7);
  const offsets = [0, 100, 200, 300, 400];
  if (sender.send(bytes, offsets, address) !== offsets.length) return false;
  if (hasSegmentation && sender.stats.calls !== 1) return false;
  const received = new Uint8Array(512);
  return offsets.every((offset, i) => {
    const expected = bytes.subarray(offset, offsets[i + 1]);
    const size = native.receive(descriptor, received);
    return size === expected.length && expected.every((byte, k) => received[k] === byte);
  });
}
