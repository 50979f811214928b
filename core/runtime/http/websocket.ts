import type { ServerSocket, StreamConn } from "../types.ts";
import type { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** Stands for a good-bye that gives no code. */
const NO_CODE = 1005;

/** Nobody sends us media over a WebSocket. */
const MAX_MESSAGE_BYTES = 1 << 20;
const MAX_CONTROL_BYTES = 125;
/** How long the other side has to say good-bye. */
const CLOSE_MS = 3000;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One side of a WebSocket (RFC 6455), without extensions. A client masks what it sends, a server does not. */
export class WebSocketLink implements ServerSocket {
  readonly #side: "server" | "client";
  #conn: StreamConn | undefined;
  #outbox: Outbox | undefined;
  #state: "connecting" | "open" | "closing" | "closed" = "connecting";
  // Closed before the connection was there.
  #early: { readonly code: number; readonly reason: string } | undefined;
  // Of a message that goes on; in one array, since its fragments may be many and small.
  #parts = new Uint8Array(0);
  #partsBytes = 0;
  #partsOpcode = 0;
  // The last ping that came while something was left to send: who asks faster than it reads is not answered each time
  // (RFC 6455 §5.5.3).
  #ping: Uint8Array | undefined;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  // The other side has said good-bye: what it sends then is nothing.
  #isLeft = false;
  /** What the other side closed with; 1006 when it did not. */
  closeCode = 1006;
  onOpen: (() => void) | undefined;
  onMessage: ((message: string | Uint8Array) => void) | undefined;
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;

  constructor(side: "server" | "client") {
    this.#side = side;
  }

  /** The handshake is done: resolves when the connection, which is the link's from now on, has ended. Never rejects. */
  async run(conn: StreamConn, inbox: Inbox): Promise<void> {
    this.#conn = conn;
    this.#outbox = new Outbox(conn);
    this.#outbox.onDrain = () => this.#onDrained();
    this.#state = "open";
    if (this.#early) this.close(this.#early.code, this.#early.reason);
    else this.onOpen?.();
    do {
      for (let size = this.#readFrame(inbox); size > 0; size = this.#readFrame(inbox)) inbox.skip(size);
    } while (await inbox.fill());
    this.end();
  }

  /** It is over, or there will be no handshake. */
  end(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#closeTimer);
    this.#conn?.close();
    this.onClose?.();
  }

  get bufferedAmount(): number {
    return this.#outbox?.bufferedAmount ?? 0;
  }
  get isOpen(): boolean {
    return this.#state === "open";
  }

  send(message: string | Uint8Array): void {
    if (this.#state !== "open") throw new TypeError("WebSocket is not open");
    if (typeof message === "string") this.#write(TEXT, encoder.encode(message));
    else this.#write(BINARY, message);
  }

  close(code = 1000, reason = ""): void {
    if (this.#state === "connecting") this.#early ??= { code, reason };
    else if (this.#state === "open") this.#sayGoodBye(code, reason);
  }

  #sayGoodBye(code: number, reason: string): void {
    const payload = new Uint8Array(MAX_CONTROL_BYTES);
    payload[0] = code >> 8;
    payload[1] = code;
    const { written } = encoder.encodeInto(reason, payload.subarray(2));
    this.#write(CLOSE, payload.subarray(0, code === NO_CODE ? 0 : 2 + written));
    this.#state = "closing";
    this.#closeTimer = setTimeout(() => this.end(), CLOSE_MS);
  }

  #write(opcode: number, payload: Uint8Array): void {
    const outbox = this.#outbox!;
    const isMasked = this.#side === "client";
    const { length } = payload;
    const lengthBytes = length < 126 ? 0 : length < 0x10000 ? 2 : 8;
    const start = 2 + lengthBytes + (isMasked ? 4 : 0);
    const frame = outbox.reserve(start + length);
    frame[0] = 0x80 | opcode;
    frame[1] = (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
    for (let i = 0, rest = length; i < lengthBytes; i++, rest = Math.floor(rest / 256)) {
      frame[1 + lengthBytes - i] = rest;
    }
    frame.set(payload, start);
    if (isMasked) unmask(frame.subarray(start), crypto.getRandomValues(frame.subarray(start - 4, start)));
    outbox.commit(frame);
  }

  // Takes the frame at the front; answers its size, 0 when it is not all there.
  #readFrame(inbox: Inbox): number {
    const { bytes } = inbox;
    if (this.#isLeft) return bytes.length;
    if (bytes.length < 2 || this.#state === "closed") return 0;
    const [first, second] = [bytes[0]!, bytes[1]!];
    const isMasked = (second & 0x80) !== 0;
    const lengthBytes = (second & 0x7f) < 126 ? 0 : (second & 0x7f) === 126 ? 2 : 8;
    const start = 2 + lengthBytes + (isMasked ? 4 : 0);
    if (bytes.length < start) return 0;
    let length = lengthBytes === 0 ? second & 0x7f : 0;
    for (let i = 2; i < 2 + lengthBytes; i++) length = length * 256 + bytes[i]!;
    const opcode = first & 15;
    const isControl = opcode >= CLOSE;
    const isWhole = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0 || isMasked !== (this.#side === "server")) {
      return this.#refuse(1002, "malformed frame", bytes);
    }
    if (isControl && (length > MAX_CONTROL_BYTES || !isWhole)) return this.#refuse(1002, "malformed frame", bytes);
    if (length + this.#partsBytes > MAX_MESSAGE_BYTES) return this.#refuse(1009, "message too long", bytes);
    if (bytes.length < start + length) return 0;
    const payload = bytes.slice(start, start + length);
    if (isMasked) unmask(payload, bytes.subarray(start - 4, start));
    if (isControl) this.#onControl(opcode, payload);
    else if (!this.#onPart(opcode, payload, isWhole)) return bytes.length;
    return start + length;
  }

  // What follows cannot be read any more.
  #refuse(code: number, reason: string, rest: Uint8Array): number {
    if (this.#state === "open") this.#sayGoodBye(code, reason);
    return rest.length;
  }

  #onControl(opcode: number, payload: Uint8Array): void {
    if (opcode === PING) this.#onPing(payload);
    if (opcode !== CLOSE) return;
    this.#isLeft = true;
    const code = payload.length === 0 ? NO_CODE : payload[0]! << 8 | (payload[1] ?? 0);
    const isSound = payload.length === 0 || (payload.length > 1 && mayBeSent(code));
    if (isSound) this.closeCode = code;
    if (this.#state === "open") this.#sayGoodBye(isSound ? code : 1002, "");
    // A server ends the connection, a client waits for it to do so (RFC 6455 §7.1.1).
    if (this.#side === "server") this.#outbox!.drained().then(() => this.end());
  }

  #onPing(payload: Uint8Array): void {
    if (this.#state !== "open") return;
    if (this.bufferedAmount === 0) this.#write(PONG, payload);
    else this.#ping = payload;
  }

  #onDrained(): void {
    const ping = this.#ping;
    this.#ping = undefined;
    if (ping) this.#onPing(ping);
    this.onDrain?.();
  }

  // Whether it could be taken.
  #onPart(opcode: number, payload: Uint8Array, isLast: boolean): boolean {
    if ((opcode === CONTINUATION) !== (this.#partsOpcode !== 0) || opcode > BINARY) {
      this.#refuse(1002, "unexpected frame", payload);
      return false;
    }
    if (opcode !== CONTINUATION) this.#partsOpcode = opcode;
    const isAlone = isLast && opcode !== CONTINUATION;
    if (!isAlone) this.#keepPart(payload);
    if (!isLast) return true;
    const whole = isAlone ? payload : this.#parts.slice(0, this.#partsBytes);
    const isText = this.#partsOpcode === TEXT;
    this.#parts = new Uint8Array(0);
    this.#partsBytes = 0;
    this.#partsOpcode = 0;
    if (this.#state !== "open") return true;
    let message: string | Uint8Array = whole;
    try {
      if (isText) message = decoder.decode(whole);
    } catch {
      this.#refuse(1007, "text is not UTF-8", payload);
      return false;
    }
    this.onMessage?.(message);
    return true;
  }

  #keepPart(payload: Uint8Array): void {
    const total = this.#partsBytes + payload.length;
    if (total > this.#parts.length) {
      const larger = new Uint8Array(Math.max(total, this.#partsBytes * 2));
      larger.set(this.#parts);
      this.#parts = larger;
    }
    this.#parts.set(payload, this.#partsBytes);
    this.#partsBytes = total;
  }
}

// Some codes only say what happened, or nothing yet (RFC 6455 §7.4).
function mayBeSent(code: number): boolean {
  return (code >= 1000 && code < 1015 && ![1004, NO_CODE, 1006].includes(code)) || (code >= 3000 && code < 5000);
}

function unmask(payload: Uint8Array, mask: Uint8Array): void {
  for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i & 3]!;
}
