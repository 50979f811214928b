/** What the accelerators share: permission, libraries, addresses. Only they call native code. */

/** Why native code cannot be called here; `undefined`: it can. Asks nobody. */
export function nativeObstacle(): string | undefined {
  const { os, arch } = Deno.build;
  if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64")) return `there are none for ${os} ${arch}`;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return "FFI is not permitted (--allow-ffi)";
  return undefined;
}

/** A library that stays open until its last user is gone, since a call into a closed one ends the process. */
export class NativeLibrary<S extends Deno.ForeignLibraryInterface> {
  readonly symbols: Deno.StaticForeignLibraryInterface<S>;
  readonly #library: Deno.DynamicLibrary<S>;
  #users = 1;

  /** Opens the first of `names` that is there and has all symbols; throws when none has. */
  constructor(names: readonly string[], symbols: S) {
    this.#library = openFirst(names, symbols);
    this.symbols = this.#library.symbols;
  }

  retain(): void {
    if (this.#users === 0) throw new Error("Native library is closed");
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) this.#library.close();
  }
}

function openFirst<S extends Deno.ForeignLibraryInterface>(names: readonly string[], symbols: S) {
  let failure: unknown;
  for (const name of names) {
    try {
      return Deno.dlopen(name, symbols);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/**
 * Answers addresses of one kind of buffer, and keeps the last buffer alive while native code may use its address: the
 * garbage collector does not see addresses.
 */
export class PinnedBuffer {
  #buffer: ArrayBufferLike | undefined;
  #base = 0;

  addressOf(bytes: Uint8Array): number {
    const { buffer } = bytes;
    if (buffer !== this.#buffer) {
      this.#base = addressOf(bytes) - bytes.byteOffset;
      this.#buffer = buffer;
    }
    return this.#base + bytes.byteOffset;
  }
}

/**
 * Addresses on their way to native code. Only bigints take the fast way into it (a number takes 200 ns more), and bigints
 * that are read from a typed array are not allocated.
 */
export class AddressSlots {
  readonly values: BigUint64Array;
  readonly #words: Uint32Array;

  constructor(count: number) {
    this.values = new BigUint64Array(count);
    this.#words = new Uint32Array(this.values.buffer);
  }

  set(slot: number, address: number): void {
    this.#words[slot * 2] = address;
    this.#words[slot * 2 + 1] = address / 0x1_0000_0000;
  }
}

/**
 * The address of a buffer, which the caller must keep alive. Small arrays live where the garbage collector moves them,
 * until their `buffer` is asked for.
 */
export function addressOf(bytes: Uint8Array): number {
  const { buffer, byteOffset } = bytes;
  const whole = new Uint8Array(buffer as ArrayBuffer);
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(whole))) + byteOffset;
}

/** The text that a C string at an address says. */
export function textAt(address: bigint): string {
  const pointer = Deno.UnsafePointer.create(address);
  return pointer ? Deno.UnsafePointerView.getCString(pointer) : "";
}

/** Reads the `int` at an address. */
export function intReader(address: bigint): () => number {
  const pointer = Deno.UnsafePointer.create(address);
  if (!pointer) return () => 0;
  const view = new Deno.UnsafePointerView(pointer);
  return () => view.getInt32();
}

/** Descriptors are looked for below this. */
export const MAX_DESCRIPTOR = 0x10000;
/** Descriptors are given out lowest first: behind so many free ones there are no more. */
const MAX_DESCRIPTOR_GAP = 1024;

/** The descriptors that `isSocket` says to be one: the runtime tells none, so they are found by their addresses. */
export function* socketDescriptors(isSocket: (fd: number) => boolean): Generator<number> {
  let lastUsed = 0;
  for (let fd = 0; fd < MAX_DESCRIPTOR && fd - lastUsed < MAX_DESCRIPTOR_GAP; fd++) {
    if (!isSocket(fd)) continue;
    lastUsed = fd;
    yield fd;
  }
}
