/**
 * STUN messages (RFC 8489) as ICE uses them (RFC 8445 §7): reading without an object per attribute, the two proofs, and
 * the few messages that we write.
 */
import { hmacSha1 } from "./hmac_sha1.ts";
import type { IpBytes } from "../../core/mod.ts";

const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;
const FINGERPRINT_XOR = 0x5354554e;
const INTEGRITY_BYTES = 24;
const FINGERPRINT_BYTES = 8;
const TRANSACTION_BYTES = 12;

/** Message types of the Binding method. */
export const StunType = { REQUEST: 0x0001, INDICATION: 0x0011, SUCCESS: 0x0101, ERROR: 0x0111 } as const;

const Attribute = {
  USERNAME: 0x0006,
  MESSAGE_INTEGRITY: 0x0008,
  ERROR_CODE: 0x0009,
  XOR_MAPPED_ADDRESS: 0x0020,
  PRIORITY: 0x0024,
  USE_CANDIDATE: 0x0025,
  FINGERPRINT: 0x8028,
  ICE_CONTROLLED: 0x8029,
  ICE_CONTROLLING: 0x802a,
} as const;

/** Which agent decides on the pair (RFC 8445 §6.1.1). */
export type IceRole = "controlling" | "controlled";

// Made when it is first needed: at the start of the program it would be what the optimizer is loaded for (5 MB).
let crcTable: Uint32Array | undefined;

function makeCrcTable(): Uint32Array {
  return new Uint32Array(256).map((_zero, i) => {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? value >>> 1 ^ 0xedb88320 : value >>> 1;
    return value;
  });
}

/** CRC-32 of ISO/IEC 13239, as FINGERPRINT and candidate foundations use it. */
export function crc32(bytes: Uint8Array, end: number = bytes.length): number {
  const table = crcTable ??= makeCrcTable();
  let crc = 0xffffffff;
  for (let i = 0; i < end; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ crc >>> 8;
  return (crc ^ 0xffffffff) >>> 0;
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** The address that a STUN server or peer saw. */
export interface MappedAddress {
  readonly ip: IpBytes;
  readonly port: number;
}

/** A message being looked at. One object reads any number of messages, one after the other; it keeps no copy of them. */
export class StunMessage {
  bytes: Uint8Array = new Uint8Array(0);
  type = 0;
  hasFingerprint = false;
  useCandidate = false;
  /** The role that the sender claims. */
  role: IceRole | undefined;
  /** PRIORITY; 0 without one. */
  priority = 0;
  /** For example 487; 0 without one. */
  errorCode = 0;
  #usernameAt = 0;
  #usernameEnd = 0;
  #integrityAt = 0;
  #mappedAt = 0;

  /** Reads a whole datagram or frame. False when it is no well-formed STUN message, or its FINGERPRINT is wrong. */
  read(bytes: Uint8Array): boolean {
    this.#clear(bytes);
    const { length } = bytes;
    if (length < HEADER_BYTES || bytes[0]! > 3 || u32(bytes, 4) !== MAGIC_COOKIE) return false;
    if (u16(bytes, 2) + HEADER_BYTES !== length || length % 4 !== 0) return false;
    this.type = u16(bytes, 0);
    for (let at = HEADER_BYTES; at < length;) {
      if (this.hasFingerprint) return false;
      const size = u16(bytes, at + 2);
      const next = at + 4 + (size + 3 & ~3);
      if (next > length || !this.#take(u16(bytes, at), at, size)) return false;
      at = next;
    }
    return true;
  }

  #clear(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.hasFingerprint = false;
    this.useCandidate = false;
    this.role = undefined;
    this.priority = 0;
    this.errorCode = 0;
    this.#usernameAt = 0;
    this.#integrityAt = 0;
    this.#mappedAt = 0;
  }

  // Of several attributes of a kind the first counts, and behind the integrity only the fingerprint does (RFC 8489 §14).
  #take(attribute: number, at: number, size: number): boolean {
    const { bytes } = this;
    const value = at + 4;
    if (attribute === Attribute.FINGERPRINT) {
      this.hasFingerprint = true;
      return size === 4 && u32(bytes, value) === (crc32(bytes, at) ^ FINGERPRINT_XOR) >>> 0;
    }
    if (this.#integrityAt > 0) return true;
    switch (attribute) {
      case Attribute.MESSAGE_INTEGRITY:
        this.#integrityAt = at;
        return size === 20;
      case Attribute.USERNAME:
        if (this.#usernameAt === 0) {
          this.#usernameAt = value;
          this.#usernameEnd = value + size;
        }
        return size <= 513;
      case Attribute.XOR_MAPPED_ADDRESS:
        if (this.#mappedAt === 0) this.#mappedAt = value;
        return size >= 8 && (bytes[value + 1] === 1 ? size === 8 : bytes[value + 1] === 2 && size === 20);
      case Attribute.PRIORITY:
        if (size === 4) this.priority = u32(bytes, value);
        return size === 4;
      case Attribute.ERROR_CODE:
        if (size >= 4) this.errorCode = (bytes[value + 2]! & 7) * 100 + bytes[value + 3]!;
        return size >= 4;
      case Attribute.USE_CANDIDATE:
        this.useCandidate = true;
        return true;
      case Attribute.ICE_CONTROLLED:
      case Attribute.ICE_CONTROLLING:
        this.role ??= attribute === Attribute.ICE_CONTROLLED ? "controlled" : "controlling";
        return size === 8;
      default:
        return true;
    }
  }

  get hasIntegrity(): boolean {
    return this.#integrityAt > 0;
  }

  /** The part of USERNAME that names the receiver: what stands before the colon; `""` without one. */
  get receiver(): string {
    let text = "";
    if (this.#usernameAt === 0) return text;
    for (let at = this.#usernameAt; at < this.#usernameEnd; at++) {
      const char = this.bytes[at]!;
      if (char === 0x3a) return text;
      text += String.fromCharCode(char);
    }
    return "";
  }

  /** One of the three words of the transaction id. */
  transactionWord(index: 0 | 1 | 2): number {
    return u32(this.bytes, 8 + index * 4);
  }

  /** The transaction id, as a view. */
  get transaction(): Uint8Array {
    return this.bytes.subarray(8, HEADER_BYTES);
  }

  /** Whether MESSAGE-INTEGRITY was made with the key (RFC 8489 §14.5). */
  isSignedWith(key: Uint8Array): boolean {
    if (this.#integrityAt === 0) return false;
    const { bytes } = this;
    const length = u16(bytes, 2);
    // The length that was signed ends with the integrity itself.
    putU16(bytes, 2, this.#integrityAt + INTEGRITY_BYTES - HEADER_BYTES);
    const digest = hmacSha1(key, bytes, this.#integrityAt);
    putU16(bytes, 2, length);
    let difference = 0;
    for (let i = 0; i < 20; i++) difference |= digest[i]! ^ bytes[this.#integrityAt + 4 + i]!;
    return difference === 0;
  }

  /** XOR-MAPPED-ADDRESS, if there is one. */
  mappedAddress(): MappedAddress | undefined {
    return this.#mappedAt === 0 ? undefined : this.#addressAt(this.#mappedAt);
  }

  /** The value of another attribute, the first of its kind, as a view; `undefined` without one. */
  attribute(attribute: number): Uint8Array | undefined {
    const { bytes } = this;
    const end = this.#integrityAt || bytes.length;
    for (let at = HEADER_BYTES; at < end;) {
      const size = u16(bytes, at + 2);
      if (u16(bytes, at) === attribute) return bytes.subarray(at + 4, at + 4 + size);
      at += 4 + (size + 3 & ~3);
    }
    return undefined;
  }

  /** The address in an attribute that is masked like XOR-MAPPED-ADDRESS; `undefined` without one. */
  address(attribute: number): MappedAddress | undefined {
    const value = this.attribute(attribute);
    const size = value?.[1] === 1 ? 8 : value?.[1] === 2 ? 20 : 0;
    return size > 0 && value!.length === size ? this.#addressAt(value!.byteOffset - this.bytes.byteOffset) : undefined;
  }

  #addressAt(at: number): MappedAddress {
    const { bytes } = this;
    const ip = bytes.slice(at + 4, at + (bytes[at + 1] === 1 ? 8 : 20));
    xorAddress(ip, 0, ip.length, bytes);
    return { ip, port: u16(bytes, at + 2) ^ MAGIC_COOKIE >>> 16 };
  }
}

// The cookie and the transaction id follow one another in the header: together they are the mask of an address.
function xorAddress(bytes: Uint8Array, at: number, size: number, header: Uint8Array): void {
  for (let i = 0; i < size; i++) bytes[at + i]! ^= header[4 + i]!;
}

/** Whether a datagram is meant as STUN, by its first byte (RFC 7983 §7). */
export function isStun(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && bytes[0]! <= 3;
}

const scratch = new Uint8Array(4096);
const encoder = new TextEncoder();

/** Starts a message in the scratch buffer; answers where its attributes begin. */
function begin(type: number, transaction: Uint8Array): number {
  putU16(scratch, 0, type);
  putU32(scratch, 4, MAGIC_COOKIE);
  scratch.set(transaction, 8);
  return HEADER_BYTES;
}

function putHeader(at: number, attribute: number, size: number): number {
  putU16(scratch, at, attribute);
  putU16(scratch, at + 2, size);
  return at + 4;
}

/** Adds the proofs and answers a copy of the message. */
function finish(end: number, key: Uint8Array | undefined, hasFingerprint: boolean): Uint8Array {
  let at = end;
  if (key) {
    putU16(scratch, 2, at + INTEGRITY_BYTES - HEADER_BYTES);
    const digest = hmacSha1(key, scratch, at);
    scratch.set(digest, putHeader(at, Attribute.MESSAGE_INTEGRITY, 20));
    at += INTEGRITY_BYTES;
  }
  putU16(scratch, 2, at - HEADER_BYTES + (hasFingerprint ? FINGERPRINT_BYTES : 0));
  if (hasFingerprint) {
    const crc = crc32(scratch, at);
    putU32(scratch, putHeader(at, Attribute.FINGERPRINT, 4), (crc ^ FINGERPRINT_XOR) >>> 0);
    at += FINGERPRINT_BYTES;
  }
  return scratch.slice(0, at);
}

/** The answer to a check: the address it came from, signed with our password. As small as the request allows. */
export function bindingSuccess(request: StunMessage, from: MappedAddress, key: Uint8Array | undefined): Uint8Array {
  const { ip, port } = from;
  let at = begin(StunType.SUCCESS, request.bytes.subarray(8, HEADER_BYTES));
  at = putHeader(at, Attribute.XOR_MAPPED_ADDRESS, 4 + ip.length);
  at = putAddress(at, ip, port);
  return finish(at, key, request.hasFingerprint);
}

function putAddress(at: number, ip: IpBytes, port: number): number {
  putU16(scratch, at, ip.length === 4 ? 1 : 2);
  putU16(scratch, at + 2, port ^ MAGIC_COOKIE >>> 16);
  scratch.set(ip, at + 4);
  xorAddress(scratch, at + 4, ip.length, scratch);
  return at + 4 + ip.length;
}

/** A refusal of an authentic check, for example 487 "Role Conflict". */
export function bindingError(request: StunMessage, code: number, key: Uint8Array): Uint8Array {
  let at = begin(StunType.ERROR, request.bytes.subarray(8, HEADER_BYTES));
  at = putHeader(at, Attribute.ERROR_CODE, 4);
  putU32(scratch, at, Math.floor(code / 100) << 8 | code % 100);
  return finish(at + 4, key, request.hasFingerprint);
}

/** What a request of ours says. */
export interface BindingRequest {
  /** 12 bytes. */
  readonly transaction: Uint8Array;
  /** Of a check; a question to a STUN server has none. */
  readonly check?: {
    /** `their ufrag:our ufrag`, at most 513 bytes. */
    readonly username: string;
    /** Their password. */
    readonly key: Uint8Array;
    readonly priority: number;
    readonly role: IceRole;
    readonly useCandidate: boolean;
  };
}

/** A connectivity check (RFC 8445 §7.1), or without `check` a question to a STUN server. */
export function bindingRequest(request: BindingRequest): Uint8Array {
  const { transaction, check } = request;
  if (transaction.length !== TRANSACTION_BYTES) throw new RangeError("A transaction id has 12 bytes");
  let at = begin(StunType.REQUEST, transaction);
  if (!check) return finish(at, undefined, false);
  const username = encoder.encode(check.username);
  if (username.length > 513) throw new RangeError("A user name has at most 513 bytes");
  at = putHeader(at, Attribute.USERNAME, username.length);
  scratch.set(username, at);
  at += username.length;
  while (at % 4 !== 0) scratch[at++] = 0;
  at = putHeader(at, Attribute.PRIORITY, 4);
  putU32(scratch, at, check.priority);
  at = putHeader(at + 4, check.role === "controlled" ? Attribute.ICE_CONTROLLED : Attribute.ICE_CONTROLLING, 8);
  // The lowest tie-breaker: of two agents that claim one role, we are the one that gives way.
  scratch.fill(0, at, at + 8);
  at += 8;
  if (check.useCandidate) at = putHeader(at, Attribute.USE_CANDIDATE, 0);
  return finish(at, check.key, true);
}

/** Any other message, with addresses masked like XOR-MAPPED-ADDRESS; signed where there is a key. At most 3 KB. */
export function stunMessage(
  type: number,
  transaction: Uint8Array,
  attributes: readonly (readonly [number, Uint8Array | MappedAddress])[],
  key?: Uint8Array,
): Uint8Array {
  let at = begin(type, transaction);
  for (const [attribute, value] of attributes) {
    if (!(value instanceof Uint8Array)) {
      at = putAddress(putHeader(at, attribute, 4 + value.ip.length), value.ip, value.port);
      continue;
    }
    at = putHeader(at, attribute, value.length);
    scratch.set(value, at);
    at += value.length;
    while (at % 4 !== 0) scratch[at++] = 0;
  }
  return finish(at, key, false);
}
