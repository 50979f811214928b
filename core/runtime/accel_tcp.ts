import {
  addressOf,
  AddressSlots,
  NativeLibrary,
  nativeObstacle,
  PinnedBuffer,
  socketDescriptors,
} from "./accel_native.ts";
import { isSockaddr, SOCKADDR_BYTES } from "./accel_sockaddr.ts";
import type { SocketAddress } from "./types.ts";

const POINTER = "usize";
const LIBC = {
  getsockname: { parameters: ["i32", POINTER, POINTER], result: "i32" },
  getpeername: { parameters: ["i32", POINTER, POINTER], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // The answer is at most what was given, which fits: the lower half of it is enough.
  send: { parameters: ["i32", POINTER, POINTER, "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;
const F_DUPFD_CLOEXEC = 1030;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;

/** Calls on TCP sockets, and how to find them. */
class TcpLibc {
  readonly symbols = new NativeLibrary(["libc.so.6"], LIBC).symbols;
  readonly slots = new AddressSlots(2);
  readonly pinned = new PinnedBuffer();
  readonly #scratch = new Uint8Array(SOCKADDR_BYTES + 4);
  readonly #address = BigInt(addressOf(this.#scratch));
  readonly #sizeAddress = this.#address + BigInt(SOCKADDR_BYTES);

  /** A descriptor of our own of the connection between two addresses; -1 when there is none. */
  duplicateOf(local: SocketAddress, remote: SocketAddress): number {
    const { fcntl, getpeername, getsockname } = this.symbols;
    for (const fd of socketDescriptors((fd) => this.#name(fd, getsockname) !== undefined)) {
      const peer = this.#name(fd, getpeername);
      if (!peer || !isSockaddr(peer, remote)) continue;
      const own = this.#name(fd, getsockname);
      if (own && isSockaddr(own, local)) return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    return -1;
  }

  #name(fd: number, ask: (fd: number, name: bigint, size: bigint) => number): Uint8Array | undefined {
    this.#scratch[SOCKADDR_BYTES] = SOCKADDR_BYTES;
    return ask(fd, this.#address, this.#sizeAddress) === 0 ? this.#scratch : undefined;
  }
}

let libc: TcpLibc | "none" | undefined;

/**
 * Writes to a TCP connection within the call, with no promise and no turn of the event loop: a quarter less CPU for each
 * viewer. It holds a descriptor of its own, so what it writes to stays the same connection.
 */
export class DirectWriter implements Disposable {
  readonly #libc: TcpLibc;
  #descriptor: number;

  private constructor(libc: TcpLibc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
  }

  /** The writer of a connection; `undefined` where native code cannot be called or the connection was not found. */
  static of(local: SocketAddress, remote: SocketAddress): DirectWriter | undefined {
    libc ??= openLibc();
    if (libc === "none") return undefined;
    const descriptor = libc.duplicateOf(local, remote);
    return descriptor < 0 ? undefined : new DirectWriter(libc, descriptor);
  }

  /** Answers how many bytes the system took: fewer than there are when its buffer is full, 0 also after an error. */
  write(bytes: Uint8Array): number {
    if (this.#descriptor < 0) return 0;
    const { pinned, slots, symbols } = this.#libc;
    slots.set(0, pinned.addressOf(bytes));
    slots.set(1, bytes.length);
    return Math.max(0, symbols.send(this.#descriptor, slots.values[0]!, slots.values[1]!, MSG_DONTWAIT_NOSIGNAL));
  }

  [Symbol.dispose](): void {
    if (this.#descriptor < 0) return;
    this.#libc.symbols.close(this.#descriptor);
    this.#descriptor = -1;
  }
}

// Another C library than the usual is as none.
function openLibc(): TcpLibc | "none" {
  if (nativeObstacle() !== undefined) return "none";
  try {
    return new TcpLibc();
  } catch {
    return "none";
  }
}
