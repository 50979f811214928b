import { addressOf, intReader, NativeLibrary, socketDescriptors } from "./accel_native.ts";
import { AF_INET, isSockaddr, SOCKADDR_BYTES } from "./accel_sockaddr.ts";
import type { SocketAddress } from "./types.ts";

const POINTER = "usize";
const LIBC = {
  __errno_location: { parameters: [], result: POINTER },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", POINTER, "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", POINTER, POINTER], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", POINTER, POINTER], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", POINTER, "u32"], result: "i32" },
  poll: { parameters: [POINTER, "u64", "i32"], result: "i32" },
  recv: { parameters: ["i32", POINTER, POINTER, "i32"], result: POINTER },
  sendmmsg: { parameters: ["i32", POINTER, "u32", "i32"], result: "i32" },
} as const;

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const F_DUPFD_CLOEXEC = 1030;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
/** Set by programs that may exceed the system's limit; the plain ones end at it. */
const BUFFER_OPTIONS = { send: [32, 7], receive: [33, 8] };
/** The frames of many peers at once, which the usual 208 KiB do not hold. */
const BUFFER_BYTES = 4 << 20;
export const MSG_DONTWAIT = 0x40;
const POLLIN = 1;

/** The C library: calls on descriptors, and how to find them. */
export class Libc implements Disposable {
  readonly library = new NativeLibrary(["libc.so.6"], LIBC);
  readonly errno = intReader(this.library.symbols.__errno_location());
  readonly #scratch = new Uint8Array(128);
  readonly #scratchAddress = addressOf(this.#scratch);
  #isClosed = false;

  /** A descriptor of our own of the socket that has a local address, and the address family; the caller closes it. */
  duplicateOf(socket: SocketAddress): { descriptor: number; family: number } | undefined {
    const found = this.#descriptorOf(socket);
    const family = this.#nameOf(found)?.[0];
    if (family === undefined) return undefined;
    const descriptor = this.library.symbols.fcntl(found, F_DUPFD_CLOEXEC, 0);
    if (descriptor < 0) return undefined;
    this.#enlargeBuffers(descriptor);
    return { descriptor, family };
  }

  // They are the socket's, whatever descriptor they are set by. As much as the system grants is right.
  #enlargeBuffers(descriptor: number): void {
    new DataView(this.#scratch.buffer).setInt32(64, BUFFER_BYTES, true);
    const size = BigInt(this.#scratchAddress + 64);
    for (const options of [BUFFER_OPTIONS.send, BUFFER_OPTIONS.receive]) {
      options.some((option) => this.library.symbols.setsockopt(descriptor, SOL_SOCKET, option, size, 4) === 0);
    }
  }

  // The runtime does not tell descriptors: ours is the only datagram socket with that local address.
  #descriptorOf(address: SocketAddress): number {
    let found = -1;
    for (const fd of socketDescriptors((fd) => this.#nameOf(fd) !== undefined)) {
      const name = this.#nameOf(fd);
      if (!name || !isSockaddr(name, address) || !this.#isDatagram(fd)) continue;
      if (found >= 0) return -1;
      found = fd;
    }
    return found;
  }

  #nameOf(fd: number): Uint8Array | undefined {
    const name = this.#scratch.subarray(0, SOCKADDR_BYTES);
    this.#scratch[64] = SOCKADDR_BYTES;
    const at = this.#scratchAddress;
    return this.library.symbols.getsockname(fd, BigInt(at), BigInt(at + 64)) === 0 ? name : undefined;
  }

  #isDatagram(fd: number): boolean {
    this.#scratch[64] = 4;
    const at = this.#scratchAddress + 64;
    const isKnown = this.library.symbols.getsockopt(fd, SOL_SOCKET, SO_TYPE, BigInt(at + 4), BigInt(at)) === 0;
    return isKnown && this.#scratch[68] === SOCK_DGRAM;
  }

  /** Opens a socket on a free port of the loopback address, for the self-test. */
  openLoopback(): { descriptor: number; address: SocketAddress } | undefined {
    const { symbols } = this.library;
    const fd = symbols.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return undefined;
    this.#scratch.fill(0).set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
    const isBound = symbols.bind(fd, BigInt(this.#scratchAddress), 16) === 0;
    const name = this.#nameOf(fd);
    if (isBound && name) return { descriptor: fd, address: { host: "127.0.0.1", port: name[2]! << 8 | name[3]! } };
    symbols.close(fd);
    return undefined;
  }

  /** Waits up to 200 ms for a datagram; answers its size, -1 when none came. */
  receive(fd: number, into: Uint8Array): number {
    const { symbols } = this.library;
    this.#scratch.fill(0).set([fd & 255, fd >> 8, 0, 0, POLLIN]);
    if (symbols.poll(BigInt(this.#scratchAddress), 1n, 200) !== 1) return -1;
    const size = symbols.recv(fd, BigInt(addressOf(into)), BigInt(into.length), MSG_DONTWAIT);
    return size > 0xffffn ? -1 : Number(size);
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.library.release();
  }
}
