/** The messages of a handshake (RFC 6347 §4.2.2), made whole and put in order. */

/** Kinds of messages. */
export const MessageType = {
  CLIENT_HELLO: 1,
  SERVER_HELLO: 2,
  HELLO_VERIFY: 3,
  CERTIFICATE: 11,
  SERVER_KEY: 12,
  CERTIFICATE_REQUEST: 13,
  SERVER_DONE: 14,
  CERTIFICATE_VERIFY: 15,
  CLIENT_KEY: 16,
  FINISHED: 20,
} as const;

/** One whole message. */
export interface HandshakeMessage {
  readonly type: number;
  readonly sequence: number;
  readonly body: Uint8Array;
}

interface Piece {
  readonly offset: number;
  bytes: Uint8Array;
}

/** A message that is being made whole. */
interface Assembly {
  readonly type: number;
  readonly length: number;
  readonly pieces: Piece[];
  body: Uint8Array | undefined;
}

const HEADER_BYTES = 12;
/** Certificates are below 2 KB, and browsers accept none above 16. */
const MAX_MESSAGE_BYTES = 16 << 10;
const MAX_AHEAD = 8;
/** A chain of certificates in pieces for the smallest MTU. */
const MAX_PIECES = 32;

/** The bytes of a message in one piece, as the handshake's hashes want them. */
export function writeMessage({ type, sequence, body }: HandshakeMessage): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes[0] = type;
  view.setUint16(4, sequence);
  view.setUint32(8, body.length);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** What arrives of the peer's messages, bounded whatever it sends. */
export class MessageInbox {
  /** The number of the message that is waited for. */
  #next = 0;
  readonly #assemblies = new Map<number, Assembly>();
  #bytes = 0;

  /** Takes the content of a record; true: a message was among it that has been accepted before, so ours got lost. */
  push(content: Uint8Array): boolean {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    let isRepeat = false;
    for (let at = 0; at + HEADER_BYTES <= content.length;) {
      const type = content[at]!;
      const length = view.getUint32(at) & 0xffffff;
      const sequence = view.getUint16(at + 4);
      const offset = view.getUint32(at + 5) & 0xffffff;
      const size = view.getUint32(at + 8) & 0xffffff;
      const end = at + HEADER_BYTES + size;
      if (end > content.length || offset + size > length || length > MAX_MESSAGE_BYTES) break;
      const piece = { offset, bytes: content.subarray(at + HEADER_BYTES, end) };
      if (sequence < this.#next) isRepeat = true;
      else if (sequence < this.#next + MAX_AHEAD) this.#add(sequence, type, length, piece);
      at = end;
    }
    return isRepeat;
  }

  #add(sequence: number, type: number, length: number, piece: Piece): void {
    let assembly = this.#assemblies.get(sequence);
    if (assembly?.body) return;
    const isSame = assembly?.type === type && assembly.length === length;
    const known = isSame ? assembly?.pieces.find((one) => covers(one, piece)) : undefined;
    // Whoever contradicts is believed: the peer repeats itself, a forger's part must not stand in its way.
    if (known) {
      if (known.bytes.length === piece.bytes.length) known.bytes = piece.bytes;
      return;
    }
    if (assembly && (!isSame || assembly.pieces.length >= MAX_PIECES)) {
      this.#drop(sequence);
      assembly = undefined;
    }
    if (this.#bytes + piece.bytes.length > MAX_MESSAGE_BYTES) return;
    if (!assembly) this.#assemblies.set(sequence, assembly = { type, length, pieces: [], body: undefined });
    assembly.pieces.push(piece);
    this.#bytes += piece.bytes.length;
    assembly.body = wholeOf(assembly);
  }

  #drop(sequence: number): void {
    for (const { bytes } of this.#assemblies.get(sequence)?.pieces ?? []) this.#bytes -= bytes.length;
    this.#assemblies.delete(sequence);
  }

  /** The message that is next, if it is whole. */
  get next(): HandshakeMessage | undefined {
    const assembly = this.#assemblies.get(this.#next);
    return assembly?.body && { type: assembly.type, sequence: this.#next, body: assembly.body };
  }

  /** The next message is what it should be. */
  accept(): void {
    this.#drop(this.#next);
    this.#next++;
  }

  /** The next message is wrong; another may come in its place. */
  refuse(): void {
    this.#drop(this.#next);
  }
}

function covers(one: Piece, other: Piece): boolean {
  return one.offset <= other.offset && one.offset + one.bytes.length >= other.offset + other.bytes.length;
}

function wholeOf({ length, pieces }: Assembly): Uint8Array | undefined {
  if (pieces.length === 1 && pieces[0]!.bytes.length === length) return pieces[0]!.bytes;
  const body = new Uint8Array(length);
  let filled = 0;
  for (const { offset, bytes } of pieces.toSorted((a, b) => a.offset - b.offset)) {
    if (offset > filled) return undefined;
    body.set(bytes, offset);
    filled = Math.max(filled, offset + bytes.length);
  }
  return filled === length ? body : undefined;
}
