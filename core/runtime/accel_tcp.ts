import {
  addressOf,
  AddressSlots,
  MAX_DESCRIPTOR,
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

/** A connection's descriptor, and one of our own of the same connection. */
interface Found {
  readonly descriptor: number;
  readonly own: number;
}

/** Calls on TCP sockets, and how to find them. */
class TcpLibc {
  readonly symbols = new NativeLibrary(["libc.so.6"], LIBC).symbols;
  readonly slots = new AddressSlots(2);
  readonly pinned = new PinnedBuffer();
  readonly #scratch = new Uint8Array(SOCKADDR_BYTES + 4);
  readonly #address = BigInt(addressOf(this.#scratch));
  readonly #sizeAddress = this.#address + BigInt(SOCKADDR_BYTES);

  // What has been found is not asked again: of hundreds of viewers, only those are that come in the same moment.
  readonly #found = new Uint8Array(MAX_DESCRIPTOR);

  /** Finds the connection between two addresses. */
  find(local: SocketAddress, remote: SocketAddress): Found | undefined {
    const { fcntl, getpeername, getsockname } = this.symbols;
    const isFound = (fd: number) => this.#found[fd] === 1;
    for (const descriptor of socketDescriptors((fd) => isFound(fd) || this.#hasName(fd, getsockname))) {
      if (isFound(descriptor)) continue;
      if (!this.#hasName(descriptor, getpeername) || !isSockaddr(this.#scratch, remote)) continue;
      if (!this.#hasName(descriptor, getsockname) || !isSockaddr(this.#scratch, local)) continue;
      const own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
      if (own < 0) return undefined;
      this.#found[descriptor] = this.#found[own] = 1;
      return { descriptor, own };
    }
    return undefined;
  }

  /** Closes the descriptor of our own. */
  leave({ descriptor, own }: Found): void {
    this.#found[descriptor] = this.#found[own] = 0;
    this.symbols.close(own);
  }

  // The name is then in `#scratch`.
  #hasName(fd: number, ask: (fd: number, name: bigint, size: bigint) => number): boolean {
    this.#scratch[SOCKADDR_BYTES] = SOCKADDR_BYTES;
    return ask(fd, this.#address, this.#sizeAddress) === 0;
  }
}

let libc: TcpLibc | "none" | undefined;

/**
 * Writes to a TCP connection within the call, with no promise and no turn of the event loop: a quarter less CPU for each
 * viewer. It holds a descriptor of its own, so what it writes to stays the same connection. To be disposed before that is
 * closed.
 */
export class DirectWriter implements Disposable {
  readonly #libc: TcpLibc;
  #found: Found | undefined;

  private constructor(libc: TcpLibc, found: Found) {
    this.#libc = libc;
    this.#found = found;
  }

  /**
   * The writer of a connection that has none yet; `undefined` where native code cannot be called or the connection was
   * not found.
   */
  static of(local: SocketAddress, remote: SocketAddress): DirectWriter | undefined {
    libc ??= openLibc();
    if (libc === "none") return undefined;
    const found = libc.find(local, remote);
    return found && new DirectWriter(libc, found);
  }

  /** Answers how many bytes the system took: fewer than there are when its buffer is full, 0 also after an error. */
  write(bytes: Uint8Array): number {
    if (!this.#found) return 0;
    const { pinned, slots, symbols } = this.#libc;
    slots.set(0, pinned.addressOf(bytes));
    slots.set(1, bytes.length);
    return Math.max(0, symbols.send(this.#found.own, slots.values[0]!, slots.values[1]!, MSG_DONTWAIT_NOSIGNAL));
  }

  [Symbol.dispose](): void {
    if (this.#found) this.#libc.leave(this.#found);
    this.#found = undefined;
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
