import type { StreamConn } from "../types.ts";

/** Both ends of a byte stream in memory: the connection's, and what a client does with it. */
export class Wire implements StreamConn {
  readonly localAddress = { host: "127.0.0.1", port: 1 };
  readonly remoteAddress = { host: "127.0.0.1", port: 2 };
  readonly #arrived: (Uint8Array | null)[] = [];
  #reading: (() => void) | undefined;
  #isClosed = false;
  #blocked: Promise<void> | undefined;
  release: () => void = () => {};
  /** What the client got. */
  sent: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** The client sends; `null`: it says that it is done. */
  say(piece: string | Uint8Array | null): void {
    this.#arrived.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
    this.#reading?.();
  }
  /** The client takes nothing until `release`. */
  block(): void {
    this.#blocked = new Promise((resolve) => this.release = resolve);
  }
  get text(): string {
    return new TextDecoder().decode(this.sent);
  }
  get isClosed(): boolean {
    return this.#isClosed;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#arrived.length === 0) {
      if (this.#isClosed) throw new Error("closed");
      await new Promise<void>((resolve) => this.#reading = resolve);
    }
    const first = this.#arrived.shift()!;
    if (first === null) return null;
    const count = Math.min(first.length, buffer.length);
    buffer.set(first.subarray(0, count));
    if (count < first.length) this.#arrived.unshift(first.subarray(count));
    return count;
  }
  async write(bytes: Uint8Array): Promise<number> {
    await this.#blocked;
    if (this.#isClosed) throw new Error("closed");
    this.sent = new Uint8Array([...this.sent, ...bytes]);
    return bytes.length;
  }
  close(): void {
    this.#isClosed = true;
    this.release();
    this.#reading?.();
  }
}
