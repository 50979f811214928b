import { Buffer } from "node:buffer";
import { randomFillSync } from "node:crypto";
import type { Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import type { ServerSocket } from "../types.ts";

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Nobody sends us media over a WebSocket. */
const MAX_MESSAGE_BYTES = 1 << 20;
const MAX_CONTROL_BYTES = 125;
const MAX_HEADER_BYTES = 14;
/** How long the other side has to say good-bye. */
const CLOSE_MS = 3000;
/** Frames are put together in here, all in the same place, and leave it within the call as a rule. */
const SCRATCH_BYTES = 256 << 10;

let scratch = Buffer.alloc(0);

/** One side of an open WebSocket (RFC 6455), without extensions. A client masks what it sends, a server does not. */
export class WebSocketLink implements ServerSocket {
  readonly #side: "server" | "client";
  #socket: Socket | undefined;
  #state: "connecting" | "open" | "closing" | "closed" = "connecting";
  // Closed before the socket was there.
  #early: { readonly code: number; readonly reason: string } | undefined;
  #unread: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #partsOpcode = 0;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  /** What the other side closed with; 1006 when it did not. */
  closeCode = 1006;
  onOpen: (() => void) | undefined;
  onMessage: ((message: string | Uint8Array) => void) | undefined;
  onClose: (() => void) | undefined;

  constructor(side: "server" | "client") {
    this.#side = side;
  }

  /** The handshake is done: `head` came behind it already. */
  open(socket: Socket, head: Uint8Array): void {
    this.#socket = socket;
    socket.setTimeout(0);
    socket.setNoDelay(true);
    // The event that follows tells of the end.
    socket.on("error", () => {});
    socket.on("close", () => this.#onEnd());
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    if (socket.destroyed) return this.#onEnd();
    this.#state = "open";
    if (this.#early) this.close(this.#early.code, this.#early.reason);
    else this.onOpen?.();
    if (head.length > 0) this.#onData(Buffer.from(head));
    socket.resume();
  }

  /** There will be no handshake. */
  fail(): void {
    this.#onEnd();
  }

  get bufferedAmount(): number {
    return this.#socket?.writableLength ?? 0;
  }
  get isOpen(): boolean {
    return this.#state === "open";
  }

  send(message: string | Uint8Array): void {
    if (this.#state !== "open") throw new TypeError("WebSocket is not open");
    if (typeof message === "string") this.#write(TEXT, Buffer.from(message));
    else this.#write(BINARY, message);
  }

  close(code = 1000, reason = ""): void {
    if (this.#state === "connecting") this.#early ??= { code, reason };
    else if (this.#state === "open") this.#sayGoodBye(code, reason);
  }

  #sayGoodBye(code: number, reason: string): void {
    const text = Buffer.from(reason).subarray(0, MAX_CONTROL_BYTES - 2);
    const payload = code === 1005 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([code >> 8, code & 255]), text]);
    this.#state = "closing";
    this.#write(CLOSE, payload);
    this.#closeTimer = setTimeout(() => this.#socket?.destroy(), CLOSE_MS);
    this.#closeTimer.unref();
  }

  #onEnd(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#closeTimer);
    this.onClose?.();
  }

  // Copies the payload: the caller changes it right after the call.
  #write(opcode: number, payload: Uint8Array): void {
    const socket = this.#socket;
    if (!socket?.writable) return;
    const room = MAX_HEADER_BYTES + payload.length;
    if (scratch.length < room) scratch = Buffer.allocUnsafeSlow(Math.max(SCRATCH_BYTES, room));
    const frame = this.#side === "server" ? plainFrame(opcode, payload) : maskedFrame(opcode, payload);
    socket.write(frame);
    // What the system did not take within the call it reads from here later.
    if (socket.writableLength > 0) scratch = Buffer.alloc(0);
  }

  #onData(chunk: Buffer): void {
    if (this.#state === "closed") return;
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    for (let size = this.#readFrame(); size > 0; size = this.#readFrame()) this.#unread = this.#unread.subarray(size);
  }

  // Takes the first frame; answers its size, 0 when it is not all there.
  #readFrame(): number {
    const bytes = this.#unread;
    if (bytes.length < 2) return 0;
    const [first, second] = [bytes[0]!, bytes[1]!];
    const isMasked = (second & 0x80) !== 0;
    let length = second & 0x7f;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return 0;
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return 0;
      length = bytes.readUInt32BE(2) > 0 ? Infinity : bytes.readUInt32BE(6);
      at = 10;
    }
    const opcode = first & 15;
    const isControl = opcode >= CLOSE;
    if ((first & 0x70) !== 0 || isMasked !== (this.#side === "server")) return this.#refuse(1002, "malformed frame");
    if (isControl && (length > MAX_CONTROL_BYTES || (first & 0x80) === 0)) return this.#refuse(1002, "malformed frame");
    if (length + this.#partsBytes > MAX_MESSAGE_BYTES) return this.#refuse(1009, "message too long");
    const start = at + (isMasked ? 4 : 0);
    if (bytes.length < start + length) return 0;
    const payload = new Uint8Array(length);
    for (let i = 0; i < length; i++) payload[i] = bytes[start + i]! ^ (isMasked ? bytes[at + (i & 3)]! : 0);
    if (isControl) this.#onControl(opcode, payload);
    else this.#onPart(opcode, payload, (first & 0x80) !== 0);
    return start + length;
  }

  // The rest cannot be read any more.
  #refuse(code: number, reason: string): number {
    this.close(code, reason);
    this.#socket?.end();
    return this.#unread.length;
  }

  #onControl(opcode: number, payload: Uint8Array): void {
    if (opcode === PING) this.#write(PONG, payload);
    if (opcode !== CLOSE) return;
    this.closeCode = payload.length >= 2 ? payload[0]! << 8 | payload[1]! : 1005;
    if (this.#state === "open") this.#sayGoodBye(this.closeCode, "");
    this.#socket?.end();
  }

  #onPart(opcode: number, payload: Uint8Array, isLast: boolean): void {
    if ((opcode === CONTINUATION) !== (this.#partsOpcode !== 0) || opcode > BINARY) {
      return void this.#refuse(1002, "unexpected frame");
    }
    if (opcode !== CONTINUATION) this.#partsOpcode = opcode;
    this.#parts.push(payload);
    this.#partsBytes += payload.length;
    if (!isLast) return;
    const whole = this.#parts.length === 1 ? payload : new Uint8Array(Buffer.concat(this.#parts));
    const isText = this.#partsOpcode === TEXT;
    this.#parts = [];
    this.#partsBytes = 0;
    this.#partsOpcode = 0;
    if (this.#state === "open") this.onMessage?.(isText ? Buffer.from(whole.buffer).toString("utf8") : whole);
  }
}

function plainFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const at = putHeader(opcode, payload.length, 0);
  scratch.set(payload, at);
  return scratch.subarray(0, at + payload.length);
}

function maskedFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const at = putHeader(opcode, payload.length, 0x80) + 4;
  const mask = randomFillSync(scratch.subarray(at - 4, at));
  for (let i = 0; i < payload.length; i++) scratch[at + i] = payload[i]! ^ mask[i & 3]!;
  return scratch.subarray(0, at + payload.length);
}

// Answers where the header ends.
function putHeader(opcode: number, length: number, maskBit: number): number {
  scratch[0] = 0x80 | opcode;
  if (length < 126) {
    scratch[1] = maskBit | length;
    return 2;
  }
  if (length < 0x10000) {
    scratch[1] = maskBit | 126;
    scratch.writeUInt16BE(length, 2);
    return 4;
  }
  scratch[1] = maskBit | 127;
  scratch.writeUInt32BE(0, 2);
  scratch.writeUInt32BE(length, 6);
  return 10;
}
