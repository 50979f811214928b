import { addressOf, AddressSlots, PinnedBuffer } from "./accel_native.ts";
import { SOCKADDR_BYTES } from "./accel_sockaddr.ts";

/** Messages in one system call. */
export const MESSAGES = 64;
const MMSGHDR_BYTES = 64;
const IOVEC_BYTES = 16;
const CMSG_BYTES = 24;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;

/** One message: `size` bytes at an address; with `segment`, `packets` packets of that size, the last may be shorter. */
export interface MessageForm {
  address: number;
  size: number;
  packets: number;
  segment: number;
}

/** The `mmsghdr` array of a system call and all it points to, at addresses that stay. */
export class MessageTable {
  readonly input = new PinnedBuffer();
  readonly slots = new AddressSlots(1);
  /** Packets of each message. */
  readonly packets = new Int32Array(MESSAGES);
  readonly #headers = new Uint32Array(MESSAGES * MMSGHDR_BYTES / 4);
  readonly #vectors = new Uint32Array(MESSAGES * IOVEC_BYTES / 4);
  readonly #controls = new Uint32Array(MESSAGES * CMSG_BYTES / 4);
  readonly #name = new Uint8Array(SOCKADDR_BYTES);
  readonly #address = addressOf(new Uint8Array(this.#headers.buffer));

  constructor() {
    const name = addressOf(this.#name);
    const vectors = addressOf(new Uint8Array(this.#vectors.buffer));
    const controls = addressOf(new Uint8Array(this.#controls.buffer));
    for (let i = 0; i < MESSAGES; i++) {
      const at = i * MMSGHDR_BYTES / 4;
      writeAddress(this.#headers, at, name);
      writeAddress(this.#headers, at + 4, vectors + i * IOVEC_BYTES);
      this.#headers[at + 6] = 1;
      writeAddress(this.#headers, at + 8, controls + i * CMSG_BYTES);
      const control = i * CMSG_BYTES / 4;
      this.#controls[control] = 18;
      this.#controls[control + 2] = SOL_UDP;
      this.#controls[control + 3] = UDP_SEGMENT;
    }
  }

  /** The address of a message's header. */
  addressOf(message: number): bigint {
    this.slots.set(0, this.#address + message * MMSGHDR_BYTES);
    return this.slots.values[0]!;
  }

  setName(sockaddr: Uint8Array, messages: number): void {
    this.#name.set(sockaddr);
    for (let i = 0; i < messages; i++) this.#headers[i * MMSGHDR_BYTES / 4 + 2] = sockaddr.length;
  }

  set(message: number, { address, size, packets, segment }: MessageForm): void {
    writeAddress(this.#vectors, message * IOVEC_BYTES / 4, address);
    this.#vectors[message * IOVEC_BYTES / 4 + 2] = size;
    this.#controls[message * CMSG_BYTES / 4 + 4] = segment;
    this.#headers[message * MMSGHDR_BYTES / 4 + 10] = segment > 0 ? CMSG_BYTES : 0;
    this.packets[message] = packets;
  }
}

function writeAddress(into: Uint32Array, at: number, address: number): void {
  into[at] = address;
  into[at + 1] = address / 0x1_0000_0000;
}
