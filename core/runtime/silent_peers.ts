import { clearInterval, setInterval } from "node:timers";
import { addressOf, NativeLibrary, nativeObstacle } from "./accel_native.ts";
import { AF_INET, AF_INET6, SOCKADDR_BYTES } from "./accel_sockaddr.ts";

const POINTER = "usize";
const LIBC = {
  getsockname: { parameters: ["i32", POINTER, POINTER], result: "i32" },
  getpeername: { parameters: ["i32", POINTER, POINTER], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
} as const;
const SHUT_RDWR = 2;

/** Browsers open connections ahead of need and give up on them after 10 s. */
const SILENCE_MS = 20_000;
const LOOK_MS = 5000;
/** Below that nobody is in the way of others, and a program at rest does not load what looking takes (3 MB). */
const MANY_DESCRIPTORS = 64;
/** Ports that have asked are forgotten by looking: a new connection from one of them would pass for an old one. */
const MANY_PORTS = 1024;
const MAX_DESCRIPTOR = 0x10000;
/** Descriptors are given out lowest first: behind so many free ones there are no more. */
const MAX_DESCRIPTOR_GAP = 1024;

/**
 * Ends connections of a listening port that never ask anything: the runtime's HTTP server would wait for ever, and does not
 * tell of a connection before it has asked. Peers are told apart by their port alone, so one that is silent may live on
 * as long as another of the same port; none is ended that has asked.
 */
export class SilentPeers implements Disposable {
  readonly #port: number;
  #library: NativeLibrary<typeof LIBC> | undefined;
  readonly #scratch = new Uint8Array(SOCKADDR_BYTES + 4);
  readonly #address = BigInt(addressOf(this.#scratch));
  readonly #sizeAddress = this.#address + BigInt(SOCKADDR_BYTES);
  readonly #spoke = new Set<number>();
  // When a peer was first seen silent.
  readonly #since = new Map<number, number>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(port: number) {
    this.#port = port;
    this.#timer = setInterval(() => this.#lookWhenDue(), LOOK_MS);
    this.#timer.unref();
  }

  /** Watches a port; `undefined` where that is not possible. */
  static watch(port: number): SilentPeers | undefined {
    return nativeObstacle() === undefined ? new SilentPeers(port) : undefined;
  }

  #lookWhenDue(): void {
    try {
      if (this.isDue([...Deno.readDirSync("/proc/self/fd")].length)) this.look(performance.now());
    } catch {
      // Another C library than the usual, or no /proc: as on systems without FFI.
      clearInterval(this.#timer);
    }
  }

  /** Whether it is time to look, with so many descriptors open. */
  isDue(descriptors: number): boolean {
    return descriptors >= MANY_DESCRIPTORS || this.#spoke.size >= MANY_PORTS;
  }

  /** The peer with this port has asked something. */
  spoke(port: number): void {
    this.#spoke.add(port);
  }

  /** Ends those that have been silent for too long; answers how many. Throws when the C library cannot be called. */
  look(nowMs: number): number {
    const { symbols } = this.#library ??= new NativeLibrary(["libc.so.6"], LIBC);
    const seen = new Set<number>();
    let ended = 0;
    let lastUsed = 0;
    for (let fd = 0; fd < MAX_DESCRIPTOR && fd - lastUsed < MAX_DESCRIPTOR_GAP; fd++) {
      const own = this.#portOf(fd, symbols.getsockname);
      if (own < 0) continue;
      lastUsed = fd;
      const peer = own === this.#port ? this.#portOf(fd, symbols.getpeername) : -1;
      if (peer < 0) continue;
      seen.add(peer);
      if (this.#isOverdue(peer, nowMs)) {
        symbols.shutdown(fd, SHUT_RDWR);
        ended++;
      }
    }
    for (const peer of this.#spoke) if (!seen.has(peer)) this.#spoke.delete(peer);
    for (const peer of this.#since.keys()) if (!seen.has(peer) || this.#spoke.has(peer)) this.#since.delete(peer);
    return ended;
  }

  #isOverdue(peer: number, nowMs: number): boolean {
    if (this.#spoke.has(peer)) return false;
    const since = this.#since.get(peer);
    if (since === undefined) this.#since.set(peer, nowMs);
    return since !== undefined && nowMs - since >= SILENCE_MS;
  }

  // -1: no such descriptor, no socket of the internet, or one without that end.
  #portOf(fd: number, ask: (fd: number, name: bigint, size: bigint) => number): number {
    this.#scratch[SOCKADDR_BYTES] = SOCKADDR_BYTES;
    if (ask(fd, this.#address, this.#sizeAddress) !== 0) return -1;
    const family = this.#scratch[0]! | this.#scratch[1]! << 8;
    if (family !== AF_INET && family !== AF_INET6) return -1;
    return this.#scratch[2]! << 8 | this.#scratch[3]!;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#library?.release();
  }
}
