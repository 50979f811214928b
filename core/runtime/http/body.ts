import { RequestError } from "./head.ts";
import type { Inbox } from "./inbox.ts";

const MAX_LINE_BYTES = 8 << 10;
const CR = 13;
const LF = 10;

/** The body of a request, read when somebody asks for it (RFC 9112 §6, §7.1). */
export class IncomingBody {
  readonly #inbox: Inbox;
  readonly #isChunked: boolean;
  /** Of the body, or of the chunk; -1: the next chunk is to begin. */
  #left: number;
  #isFirstChunk = true;
  #isDone: boolean;
  // The call before.
  #reading: Promise<unknown> = Promise.resolve();
  /** Why it could not be read to its end. */
  failure: RequestError | undefined;
  /** Called before the first bytes are waited for. */
  onWanted: (() => void) | undefined;
  /** Called once, when all has been read. */
  onDone: (() => void) | undefined;

  constructor(inbox: Inbox, size: number | "chunked") {
    this.#inbox = inbox;
    this.#isChunked = size === "chunked";
    this.#left = size === "chunked" ? -1 : size;
    this.#isDone = size === 0;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** As the web's streams have it; fails when the client leaves before its end. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      pull: async (controller) => {
        const bytes = await this.read();
        if (bytes) controller.enqueue(bytes);
        else controller.close();
      },
    }, { highWaterMark: 0 });
  }

  /**
   * Some bytes; `undefined` at the end. Rejects with a `RequestError` when it does not come to one. One call after the other:
   * two at a time would take what is in a chunk for the size of the next.
   */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const next = this.#reading.then(() => this.#read());
    this.#reading = next.catch((error) => {
      if (error instanceof RequestError) this.failure = error;
    });
    return next;
  }

  async #read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    // Where it goes on is not known.
    if (this.failure) throw this.failure;
    this.onWanted?.();
    this.onWanted = undefined;
    if (!this.#isDone && this.#left < 0) await this.#beginChunk();
    if (this.#isDone) return undefined;
    while (this.#inbox.bytes.length === 0) await this.#more();
    const bytes = this.#inbox.bytes.slice(0, this.#left) as Uint8Array<ArrayBuffer>;
    this.#inbox.skip(bytes.length);
    this.#left -= bytes.length;
    if (this.#left === 0) {
      if (this.#isChunked) this.#left = -1;
      else this.#finish();
    }
    return bytes;
  }

  async #beginChunk(): Promise<void> {
    if (!this.#isFirstChunk && await this.#line() !== "") throw new RequestError(400, "Cannot read a chunk's end");
    this.#isFirstChunk = false;
    const size = /^([0-9a-f]{1,12})[ \t]*(;.*)?$/i.exec(await this.#line())?.[1];
    if (size === undefined) throw new RequestError(400, "Cannot read a chunk's size");
    this.#left = Number.parseInt(size, 16);
    if (this.#left > 0) return;
    for (let bytes = 0;; bytes += 1) {
      const trailer = await this.#line();
      bytes += trailer.length;
      if (trailer === "") break;
      if (bytes > MAX_LINE_BYTES) throw new RequestError(431, "Trailers are too long");
    }
    this.#finish();
  }

  async #line(): Promise<string> {
    for (;;) {
      const { bytes } = this.#inbox;
      const end = bytes.indexOf(LF);
      if (end > 0 && bytes[end - 1] === CR) {
        const line = String.fromCharCode(...bytes.subarray(0, end - 1));
        this.#inbox.skip(end + 1);
        return line;
      }
      if (end >= 0 || bytes.length > MAX_LINE_BYTES) throw new RequestError(400, "Cannot read a chunk's line");
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    if (!await this.#inbox.fill()) throw new RequestError(400, "The client left before the end of its body");
  }

  #finish(): void {
    this.#isDone = true;
    this.onDone?.();
  }
}
