/** A viewer over `/api/ws` without a browser: what comes, piece by piece. */
import { readFmp4 } from "../../core/mod.ts";

const CODECS = "avc1.640029,hvc1.1.6.L153.B0,mp4a.40.2,opus,flac";

/** A binary message: an init segment, fragments, or both. */
export interface Piece {
  readonly atMs: number;
  readonly bytes: Uint8Array;
  readonly hasHeader: boolean;
  readonly hasKeyframe: boolean;
}

/** Watches a stream as Media Source Extensions would. */
export class MseClient implements AsyncDisposable {
  /** The types and errors that were announced. */
  readonly texts: { readonly type: string; readonly value: string }[] = [];
  readonly pieces: Piece[] = [];
  /** The header that is in force. */
  header: Uint8Array = new Uint8Array(0);
  readonly closed: Promise<CloseEvent>;
  readonly #socket: WebSocket;
  #onChange: () => void = () => {};

  constructor(api: string, query: string, message = { type: "mse", value: CODECS }) {
    this.#socket = new WebSocket(`ws://${api}/api/ws?${query}`);
    this.#socket.binaryType = "arraybuffer";
    const { promise, resolve } = Promise.withResolvers<CloseEvent>();
    this.closed = promise;
    this.#socket.onclose = (event) => {
      resolve(event);
      this.#onChange();
    };
    this.#socket.onopen = () => this.#socket.send(JSON.stringify(message));
    this.#socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.texts.push(JSON.parse(data));
      else this.#take(new Uint8Array(data));
      this.#onChange();
    };
  }

  #take(bytes: Uint8Array): void {
    const hasHeader = String.fromCharCode(...bytes.subarray(4, 8)) === "ftyp";
    if (hasHeader) this.header = bytes;
    const file = readFmp4(hasHeader ? bytes : join(this.header, bytes));
    const samples = file.tracks.filter(({ handler }) => handler === "vide").flatMap((track) => track.samples);
    // The header may have come with fragments behind it, which are not those of this message.
    const hasKeyframe = samples.some(({ isKeyframe }) => isKeyframe) && !(hasHeader && samples.length === 0);
    this.pieces.push({ atMs: performance.now(), bytes, hasHeader, hasKeyframe });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** All that came so far, as one file. */
  get file(): Uint8Array {
    return join(...this.pieces.map(({ bytes }) => bytes));
  }

  /** Resolves when `test` answers something; rejects when the socket closes first, or after `timeoutMs`. */
  async until<T>(test: () => T | undefined | false, timeoutMs = 10_000): Promise<T> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const value = test();
      if (value) return value;
      const isOver = this.#socket.readyState > WebSocket.OPEN || performance.now() > end;
      if (isOver) {
        throw new Error(`Nothing came of ${test}: ${JSON.stringify(this.texts)}, ${this.pieces.length} pieces`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, end - performance.now()));
        this.#onChange = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Waits for so many more messages. */
  async more(count: number, timeoutMs?: number): Promise<void> {
    const goal = this.pieces.length + count;
    await this.until(() => this.pieces.length >= goal, timeoutMs);
  }

  /** Waits for a keyframe that is yet to come. */
  async nextKeyframe(timeoutMs?: number): Promise<void> {
    const from = this.pieces.length;
    await this.until(() => this.pieces.slice(from).some(({ hasKeyframe }) => hasKeyframe), timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
