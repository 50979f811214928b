import type { Socket } from "node:net";
import type { SocketAddress, StreamConn } from "../types.ts";
import { errorWithCode } from "./errors.ts";

/** What is read ahead of who asks for it. */
const READ_AHEAD_BYTES = 128 << 10;
const MAX_WRITE_BYTES = 256 << 10;

/** A socket of Node as a stream of bytes that is asked for. */
export class NodeConn implements StreamConn {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  readonly #socket: Socket;
  // What came and was not read, and how much of the first of them was.
  readonly #chunks: Uint8Array[] = [];
  #firstRead = 0;
  #aheadBytes = 0;
  #isPaused = false;
  #hasEnded = false;
  #isClosed = false;
  #failure: Error | undefined;
  // Calls of `writeNow`, and how many of them the system has taken all of.
  #given = 0;
  #taken = 0;
  // What the last one left to the system, and who waits for it.
  #left: { readonly bytes: Uint8Array; resolve?: (count: number) => void; reject?: (error: Error) => void } | undefined;
  #reader: { buffer: Uint8Array; resolve: (count: number | null) => void; reject: (error: Error) => void } | undefined;

  /** Takes a connected socket, which must not have lost a byte yet. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.localAddress = { host: socket.localAddress ?? "", port: socket.localPort ?? 0 };
    this.remoteAddress = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    socket.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error: Error) => this.#failure ??= error);
    socket.on("close", () => this.#onClose());
  }

  #onData(chunk: Uint8Array): void {
    const reader = this.#reader;
    if (reader) {
      this.#reader = undefined;
      const count = Math.min(chunk.length, reader.buffer.length);
      reader.buffer.set(count === chunk.length ? chunk : chunk.subarray(0, count));
      if (count < chunk.length) this.#keep(chunk.subarray(count));
      reader.resolve(count);
    } else {
      this.#keep(chunk);
    }
  }

  #keep(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#aheadBytes += chunk.length;
    if (this.#aheadBytes < READ_AHEAD_BYTES || this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
  }

  #onClose(): void {
    this.#reader?.reject(this.#closed());
    this.#reader = undefined;
  }

  #closed(): Error {
    return this.#failure ?? errorWithCode("ERR_SOCKET_CLOSED", "Connection is closed");
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#isClosed) return Promise.reject(this.#closed());
    if (this.#chunks.length > 0) return Promise.resolve(this.#take(buffer));
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#hasEnded) return Promise.resolve(null);
    if (this.#socket.destroyed) return Promise.reject(this.#closed());
    if (this.#reader) return Promise.reject(new TypeError("Connection is being read already"));
    return new Promise((resolve, reject) => {
      this.#reader = { buffer, resolve, reject };
    });
  }

  #take(buffer: Uint8Array): number {
    let count = 0;
    while (count < buffer.length) {
      const chunk = this.#chunks[0];
      if (!chunk) break;
      const part = chunk.subarray(this.#firstRead, this.#firstRead + buffer.length - count);
      buffer.set(part, count);
      count += part.length;
      this.#firstRead += part.length;
      if (this.#firstRead < chunk.length) break;
      this.#chunks.shift();
      this.#firstRead = 0;
    }
    this.#aheadBytes -= count;
    if (this.#isPaused && this.#chunks.length === 0) {
      this.#isPaused = false;
      this.#socket.resume();
    }
    return count;
  }

  writeNow(bytes: Uint8Array): number {
    const socket = this.#socket;
    // A large one is for `write` to cut.
    if (!socket.writable || socket.writableLength > 0 || bytes.length > MAX_WRITE_BYTES) return 0;
    this.#given++;
    socket.write(bytes, this.#onTaken);
    if (socket.writableLength === 0) return bytes.length;
    this.#left = { bytes };
    return 0;
  }

  readonly #onTaken = (error?: Error | null): void => {
    const left = this.#left;
    // Those before it may be told of later than it was given.
    if (++this.#taken < this.#given || !left) return;
    this.#left = undefined;
    if (error) left.reject?.(this.#failure ?? error);
    else left.resolve?.(left.bytes.length);
  };

  write(bytes: Uint8Array): Promise<number> {
    const left = this.#left;
    // On their way already.
    if (left?.bytes === bytes) {
      return new Promise((resolve, reject) => {
        left.resolve = resolve;
        left.reject = reject;
      });
    }
    // Node tells only that all of a write was taken: of a large one nobody would see how it gets on.
    const piece = bytes.subarray(0, MAX_WRITE_BYTES);
    return new Promise((resolve, reject) => {
      this.#socket.write(piece, (error) => {
        if (error) reject(this.#failure ?? error);
        else resolve(piece.length);
      });
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }
}
