import { addressOf, AddressSlots, NativeLibrary, PinnedBuffer, textAt } from "./accel_native.ts";
import { IV_BYTES, type PacketCipher, type PacketCipherOptions, SealBatch } from "./packet_cipher.ts";

const POINTER = "usize";
const LIBCRYPTO = {
  OpenSSL_version: { parameters: ["i32"], result: POINTER },
  EVP_aes_128_gcm: { parameters: [], result: POINTER },
  EVP_aes_128_ctr: { parameters: [], result: POINTER },
  EVP_sha1: { parameters: [], result: POINTER },
  EVP_CIPHER_CTX_new: { parameters: [], result: POINTER },
  EVP_CIPHER_CTX_free: { parameters: [POINTER], result: "void" },
  EVP_CIPHER_CTX_ctrl: { parameters: [POINTER, "i32", "i32", POINTER], result: "i32" },
  EVP_EncryptInit_ex: { parameters: [POINTER, POINTER, POINTER, POINTER, POINTER], result: "i32" },
  EVP_EncryptUpdate: { parameters: [POINTER, POINTER, POINTER, POINTER, "i32"], result: "i32" },
  EVP_EncryptFinal_ex: { parameters: [POINTER, POINTER, POINTER], result: "i32" },
  EVP_DecryptInit_ex: { parameters: [POINTER, POINTER, POINTER, POINTER, POINTER], result: "i32" },
  EVP_DecryptUpdate: { parameters: [POINTER, POINTER, POINTER, POINTER, "i32"], result: "i32" },
  EVP_DecryptFinal_ex: { parameters: [POINTER, POINTER, POINTER], result: "i32" },
  HMAC_CTX_new: { parameters: [], result: POINTER },
  HMAC_CTX_free: { parameters: [POINTER], result: "void" },
  HMAC_Init_ex: { parameters: [POINTER, POINTER, "i32", POINTER, POINTER], result: "i32" },
  HMAC_Update: { parameters: [POINTER, POINTER, POINTER], result: "i32" },
  HMAC_Final: { parameters: [POINTER, POINTER, POINTER], result: "i32" },
} as const;

const GET_TAG = 0x10;
const SET_TAG = 0x11;
const TRAILER_BYTES = 4;

/** Packet ciphers of libcrypto. */
export interface AccelCrypto {
  /** For example `OpenSSL 3.0.19`. */
  readonly version: string;
  /** AES-128-GCM (RFC 7714). */
  gcm(options: PacketCipherOptions): PacketCipher;
  /** AES-128 counter mode with HMAC-SHA1 (RFC 3711). */
  counterMode(options: PacketCipherOptions): PacketCipher;
}

/** Opens libcrypto and proves it with known vectors; throws when it is missing or computes wrong. */
export function openCrypto(): AccelCrypto & Disposable {
  const native = new Libcrypto();
  try {
    selfTest(native);
  } catch (error) {
    native[Symbol.dispose]();
    throw error;
  }
  return native;
}

class Libcrypto implements AccelCrypto, Disposable {
  readonly library = new NativeLibrary(["libcrypto.so.3", "libcrypto.so.1.1"], LIBCRYPTO);
  readonly version = textAt(this.library.symbols.OpenSSL_version(0)).split(" ").slice(0, 2).join(" ");
  readonly source = new PinnedBuffer();
  readonly out = new PinnedBuffer();
  readonly ivs = new PinnedBuffer();
  readonly slots = new AddressSlots(4);
  /** A digest, a trailer at 32, and at 48 the byte count that libcrypto answers. */
  readonly scratch = new Uint8Array(64);
  readonly digestAddress = BigInt(addressOf(this.scratch));
  readonly trailerAddress = this.digestAddress + 32n;
  readonly countAddress = this.digestAddress + 48n;
  #isClosed = false;

  gcm(options: PacketCipherOptions): PacketCipher {
    return new NativeGcm(this, options);
  }

  counterMode(options: PacketCipherOptions): PacketCipher {
    return new NativeCounterMode(this, options);
  }

  writeTrailer(value: number): void {
    writeWord(this.scratch, 32, value);
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.library.release();
  }
}

/** Makes a cipher context with its key set. */
function cipherContext(native: Libcrypto, cipher: bigint, key: Uint8Array, decrypts: boolean): bigint {
  const { symbols } = native.library;
  if (key.length !== 16) throw new RangeError("An AES-128 key has 16 bytes");
  const context = symbols.EVP_CIPHER_CTX_new();
  const own = key.slice();
  const init = decrypts ? symbols.EVP_DecryptInit_ex : symbols.EVP_EncryptInit_ex;
  const isKeyed = context !== 0n && init(context, cipher, 0n, BigInt(addressOf(own)), 0n) === 1;
  own.fill(0);
  if (isKeyed) return context;
  symbols.EVP_CIPHER_CTX_free(context);
  throw new Error("libcrypto refused an AES key");
}

class NativeGcm implements PacketCipher {
  readonly #native: Libcrypto;
  readonly #isControl: boolean;
  readonly #tagBytes: number;
  #seal: bigint;
  #open: bigint;

  constructor(native: Libcrypto, { key, tagBytes, isControl }: PacketCipherOptions) {
    this.#native = native;
    this.#isControl = isControl;
    this.#tagBytes = tagBytes;
    const cipher = native.library.symbols.EVP_aes_128_gcm();
    this.#seal = cipherContext(native, cipher, key, false);
    this.#open = cipherContext(native, cipher, key, true);
    native.library.retain();
  }

  seal(batch: SealBatch, source: Uint8Array, out: Uint8Array): void {
    const context = this.#seal;
    checkOpen(context);
    const native = this.#native;
    const { symbols } = native.library;
    const { countAddress, trailerAddress, slots } = native;
    const { values } = slots;
    const from = native.source.addressOf(source);
    const to = native.out.addressOf(out);
    const ivs = native.ivs.addressOf(batch.ivs);
    const { payloadStarts, payloadBytes, packetStarts, headerBytes, trailers } = batch;
    const tagBytes = this.#tagBytes;
    const extraBytes = this.#isControl ? tagBytes + TRAILER_BYTES : tagBytes;
    for (let i = 0; i < batch.count; i++) {
      const start = payloadStarts[i]!;
      const size = payloadBytes[i]!;
      const packet = packetStarts[i]!;
      const header = headerBytes[i]!;
      const end = packet + header + size;
      checkRange(start, size, source.length);
      checkRange(packet, end + extraBytes - packet, out.length);
      slots.set(0, ivs + i * IV_BYTES);
      slots.set(1, to + packet);
      slots.set(2, to + packet + header);
      slots.set(3, from + start);
      let done = symbols.EVP_EncryptInit_ex(context, 0n, 0n, 0n, values[0]!);
      done += symbols.EVP_EncryptUpdate(context, 0n, countAddress, values[1]!, header);
      if (this.#isControl) {
        const trailer = trailers[i]!;
        native.writeTrailer(trailer);
        done += symbols.EVP_EncryptUpdate(context, 0n, countAddress, trailerAddress, TRAILER_BYTES) - 1;
        writeWord(out, end + tagBytes, trailer);
      }
      done += symbols.EVP_EncryptUpdate(context, values[2]!, countAddress, values[3]!, size);
      slots.set(0, to + end);
      done += symbols.EVP_EncryptFinal_ex(context, values[0]!, countAddress);
      done += symbols.EVP_CIPHER_CTX_ctrl(context, GET_TAG, tagBytes, values[0]!);
      if (done !== 5) throw new Error("libcrypto failed to encrypt");
    }
  }

  open(packet: Uint8Array, headerBytes: number, iv: Uint8Array, trailer: number): number {
    const context = this.#open;
    checkOpen(context);
    const native = this.#native;
    const { symbols } = native.library;
    const { countAddress, trailerAddress, slots } = native;
    const { values } = slots;
    const tagBytes = this.#tagBytes;
    const end = packet.length - tagBytes - (this.#isControl ? TRAILER_BYTES : 0);
    if (end < headerBytes || headerBytes < 0 || iv.length < 12) return -1;
    const at = native.source.addressOf(packet);
    slots.set(0, native.ivs.addressOf(iv));
    slots.set(1, at);
    slots.set(2, at + headerBytes);
    slots.set(3, at + end);
    symbols.EVP_DecryptInit_ex(context, 0n, 0n, 0n, values[0]!);
    symbols.EVP_DecryptUpdate(context, 0n, countAddress, values[1]!, headerBytes);
    if (this.#isControl) {
      native.writeTrailer(trailer);
      symbols.EVP_DecryptUpdate(context, 0n, countAddress, trailerAddress, TRAILER_BYTES);
    }
    symbols.EVP_DecryptUpdate(context, values[2]!, countAddress, values[2]!, end - headerBytes);
    symbols.EVP_CIPHER_CTX_ctrl(context, SET_TAG, tagBytes, values[3]!);
    return symbols.EVP_DecryptFinal_ex(context, values[3]!, countAddress) === 1 ? end : -1;
  }

  [Symbol.dispose](): void {
    if (this.#seal === 0n) return;
    const { symbols } = this.#native.library;
    symbols.EVP_CIPHER_CTX_free(this.#seal);
    symbols.EVP_CIPHER_CTX_free(this.#open);
    this.#seal = this.#open = 0n;
    this.#native.library.release();
  }
}

class NativeCounterMode implements PacketCipher {
  readonly #native: Libcrypto;
  readonly #isControl: boolean;
  readonly #tagBytes: number;
  // Counter mode decrypts by encrypting: one context serves both ways.
  #cipher: bigint;
  #hmac: bigint;

  constructor(native: Libcrypto, { key, authenticationKey, tagBytes, isControl }: PacketCipherOptions) {
    const { symbols } = native.library;
    this.#native = native;
    this.#isControl = isControl;
    this.#tagBytes = tagBytes;
    this.#cipher = cipherContext(native, symbols.EVP_aes_128_ctr(), key, false);
    this.#hmac = symbols.HMAC_CTX_new();
    const own = authenticationKey.slice();
    const isKeyed = this.#hmac !== 0n &&
      symbols.HMAC_Init_ex(this.#hmac, BigInt(addressOf(own)), own.length, symbols.EVP_sha1(), 0n) === 1;
    own.fill(0);
    native.library.retain();
    if (isKeyed) return;
    this[Symbol.dispose]();
    throw new Error("libcrypto refused an HMAC key");
  }

  seal(batch: SealBatch, source: Uint8Array, out: Uint8Array): void {
    const context = this.#cipher;
    checkOpen(context);
    const native = this.#native;
    const { symbols } = native.library;
    const { countAddress, scratch, slots } = native;
    const { values } = slots;
    const from = native.source.addressOf(source);
    const to = native.out.addressOf(out);
    const ivs = native.ivs.addressOf(batch.ivs);
    const { payloadStarts, payloadBytes, packetStarts, headerBytes, trailers } = batch;
    const tagBytes = this.#tagBytes;
    const trailerBytes = this.#isControl ? TRAILER_BYTES : 0;
    for (let i = 0; i < batch.count; i++) {
      const start = payloadStarts[i]!;
      const size = payloadBytes[i]!;
      const packet = packetStarts[i]!;
      const body = packet + headerBytes[i]!;
      const end = body + size;
      checkRange(start, size, source.length);
      checkRange(packet, end - packet + trailerBytes + tagBytes, out.length);
      slots.set(0, ivs + i * IV_BYTES);
      slots.set(1, to + body);
      slots.set(2, from + start);
      let done = symbols.EVP_EncryptInit_ex(context, 0n, 0n, 0n, values[0]!);
      done += symbols.EVP_EncryptUpdate(context, values[1]!, countAddress, values[2]!, size);
      writeWord(out, end, trailers[i]!);
      done += this.#digest(to + packet, end + TRAILER_BYTES - packet);
      if (done !== 3) throw new Error("libcrypto failed to encrypt");
      const tag = end + trailerBytes;
      for (let k = 0; k < tagBytes; k++) out[tag + k] = scratch[k]!;
    }
  }

  open(packet: Uint8Array, headerBytes: number, iv: Uint8Array, trailer: number): number {
    const context = this.#cipher;
    checkOpen(context);
    const native = this.#native;
    const { symbols } = native.library;
    const { countAddress, scratch, slots } = native;
    const { values } = slots;
    const tagBytes = this.#tagBytes;
    const tag = packet.length - tagBytes;
    const end = tag - (this.#isControl ? TRAILER_BYTES : 0);
    if (end < headerBytes || headerBytes < 0 || iv.length < IV_BYTES) return -1;
    const at = native.source.addressOf(packet);
    // SRTP's trailer takes the place of the first bytes of the tag while the digest is made.
    const first = readWord(packet, end);
    writeWord(packet, end, trailer);
    const isDigested = this.#digest(at, end + TRAILER_BYTES) === 1;
    writeWord(packet, end, first);
    let difference = isDigested ? 0 : 1;
    for (let k = 0; k < tagBytes; k++) difference |= packet[tag + k]! ^ scratch[k]!;
    if (difference !== 0) return -1;
    slots.set(0, native.ivs.addressOf(iv));
    slots.set(1, at + headerBytes);
    symbols.EVP_EncryptInit_ex(context, 0n, 0n, 0n, values[0]!);
    return symbols.EVP_EncryptUpdate(context, values[1]!, countAddress, values[1]!, end - headerBytes) === 1 ? end : -1;
  }

  #digest(address: number, size: number): number {
    const { symbols } = this.#native.library;
    const { slots, digestAddress, countAddress } = this.#native;
    const hmac = this.#hmac;
    slots.set(0, address);
    slots.set(1, size);
    const isReady = symbols.HMAC_Init_ex(hmac, 0n, 0, 0n, 0n) +
        symbols.HMAC_Update(hmac, slots.values[0]!, slots.values[1]!) === 2;
    return isReady ? symbols.HMAC_Final(hmac, digestAddress, countAddress) : 0;
  }

  [Symbol.dispose](): void {
    if (this.#cipher === 0n) return;
    const { symbols } = this.#native.library;
    symbols.EVP_CIPHER_CTX_free(this.#cipher);
    symbols.HMAC_CTX_free(this.#hmac);
    this.#cipher = this.#hmac = 0n;
    this.#native.library.release();
  }
}

function checkOpen(context: bigint): void {
  if (context === 0n) throw new Error("Cipher is closed");
}

// Native code checks nothing: every range passes here first.
function checkRange(start: number, size: number, limit: number): void {
  if (start < 0 || size < 0 || start + size > limit) throw new RangeError("Packet does not lie in its buffer");
}

function writeWord(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}

function readWord(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! << 24 | bytes[offset + 1]! << 16 | bytes[offset + 2]! << 8 | bytes[offset + 3]!;
}

/** RFC 7714 §16.1.1 and RFC 3711 §B.2 with RFC 2202 §3: a libcrypto that gives other bytes is not used. */
function selfTest(native: Libcrypto): void {
  const gcmKey = Uint8Array.from({ length: 16 }, (_, i) => i);
  const gcmPacket = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361";
  const gcmSealed = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e";
  using gcm = native.gcm({ key: gcmKey, authenticationKey: new Uint8Array(0), tagBytes: 16, isControl: false });
  expect(native, gcm, { packet: gcmPacket, sealed: gcmSealed, iv: "51753c6580c2726f20718414", tagBytes: 16 });
  const key = Uint8Array.fromHex("2b7e151628aed2a6abf7158809cf4f3c");
  using counter = native.counterMode({ key, authenticationKey: new Uint8Array(20), tagBytes: 10, isControl: false });
  const zeros = "80".padEnd(24 + 64, "0");
  const stream = zeros.slice(0, 24) + "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab";
  expect(native, counter, { packet: zeros, sealed: stream, iv: "f0f1f2f3f4f5f6f7f8f9fafbfcfd0000", tagBytes: 10 });
}

function expect(
  { version }: Libcrypto,
  cipher: PacketCipher,
  { packet, sealed, iv, tagBytes }: { packet: string; sealed: string; iv: string; tagBytes: number },
): void {
  const plain = Uint8Array.fromHex(packet);
  const batch = new SealBatch();
  batch.reserve(1);
  batch.count = 1;
  batch.ivs.set(Uint8Array.fromHex(iv));
  batch.payloadStarts[0] = batch.headerBytes[0] = 12;
  batch.payloadBytes[0] = plain.length - 12;
  const out = new Uint8Array(plain.length + tagBytes);
  out.set(plain.subarray(0, 12));
  cipher.seal(batch, plain, out);
  const isSealed = out.subarray(0, plain.length).toHex() === sealed;
  const forged = out.slice();
  forged[plain.length]! ^= 1;
  const ivBytes = batch.ivs.subarray(0, IV_BYTES);
  const isRefused = cipher.open(forged, 12, ivBytes, 0) === -1;
  const isOpened = cipher.open(out, 12, ivBytes, 0) === plain.length &&
    out.subarray(0, plain.length).toHex() === packet;
  if (!isSealed || !isRefused || !isOpened) throw new Error(`${version} does not compute the known vectors`);
}
