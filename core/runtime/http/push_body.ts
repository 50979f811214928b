import type { ByteSink } from "../types.ts";
import type { Outbox } from "./outbox.ts";

const bodies = new WeakMap<ReadableStream, PushBody>();

/**
 * The body of an answer that is pushed, not pulled: over a connection of our own each piece is written within the call. Any
 * other server pulls it from `stream`, which copies it.
 */
export class PushBody implements ByteSink {
  /** What to answer with: `new Response(body.stream)`. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  // Of the pulled stream: what was given to it since it last asked; it does not take before it has asked once.
  #queuedBytes = 1;
  #outbox: Outbox | undefined;
  #isChunked = false;
  #finish: () => void = () => {};
  #isOpen = true;
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;

  constructor() {
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#queuedBytes = 0;
        this.onDrain?.();
      },
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
    bodies.set(this.stream, this);
  }

  /** The body whose stream this is. */
  static of(stream: ReadableStream | null): PushBody | undefined {
    return stream ? bodies.get(stream) : undefined;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }
  get bufferedAmount(): number {
    return this.#outbox ? this.#outbox.bufferedAmount : this.#queuedBytes;
  }

  send(bytes: Uint8Array): void {
    if (!this.#isOpen) throw new TypeError("Body is closed");
    if (bytes.length === 0) return;
    if (this.#outbox) return this.#sendNow(this.#outbox, bytes);
    this.#queuedBytes += bytes.length;
    this.#controller!.enqueue(bytes.slice());
  }

  #sendNow(outbox: Outbox, bytes: Uint8Array): void {
    if (!this.#isChunked) {
      const piece = outbox.reserve(bytes.length);
      piece.set(bytes);
      return outbox.commit(piece);
    }
    const size = bytes.length.toString(16);
    const piece = outbox.reserve(size.length + bytes.length + 4);
    for (let i = 0; i < size.length; i++) piece[i] = size.charCodeAt(i);
    let at = putLineEnd(piece, size.length);
    piece.set(bytes, at);
    at = putLineEnd(piece, at + bytes.length);
    outbox.commit(piece);
  }

  /** Goes over a connection from now on; resolves when the body has ended, which `leaving` may make it. */
  pipe(outbox: Outbox, isChunked: boolean, leaving: AbortSignal): Promise<void> {
    this.#outbox = outbox;
    this.#isChunked = isChunked;
    outbox.onDrain = () => this.onDrain?.();
    const done = new Promise<void>((resolve) => this.#finish = resolve);
    if (!this.#isOpen) this.#finish();
    else if (leaving.aborted) this.#end();
    else leaving.addEventListener("abort", () => this.#end(), { once: true });
    this.onDrain?.();
    return done;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#outbox) this.#finish();
    else this.#controller!.close();
  }

  #end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#finish();
    this.onClose?.();
  }
}

// Answers where it ends.
function putLineEnd(bytes: Uint8Array, at: number): number {
  bytes[at] = 13;
  bytes[at + 1] = 10;
  return at + 2;
}
