import { ownCallHeaders, StreamError, timeLimit } from "../../../core/mod.ts";
import type { ClientTarget } from "./target.ts";

const OPEN_MS = 10_000;
const MAX_WAITING = 256;
const MAX_MESSAGE = 256 << 10;

/** A WebSocket that signalling runs over: JSON objects both ways, each message once. */
export class SignalSocket implements Disposable {
  readonly #socket: WebSocket;
  readonly #shown: string;
  readonly #waiting: Readonly<Record<string, unknown>>[] = [];
  #wake: (() => void) | undefined;
  #ended: StreamError | undefined;

  private constructor(socket: WebSocket, shown: string) {
    this.#socket = socket;
    this.#shown = shown;
  }

  /** Connects. Rejects with a `StreamError` when it cannot. */
  static async open({ url, shown, authorization }: ClientTarget, signal: AbortSignal): Promise<SignalSocket> {
    const socket = new WebSocket(url, { headers: { ...ownCallHeaders, ...(authorization ? { authorization } : {}) } });
    const opened = new SignalSocket(socket, shown);
    const late = () => new StreamError("TIMEOUT", `webrtc: ${shown} did not answer in time`);
    using limit = timeLimit(OPEN_MS, late, signal);
    const connected = Promise.withResolvers<void>();
    const onAbort = () => connected.reject(limit.signal.reason);
    limit.signal.addEventListener("abort", onAbort, { once: true });
    socket.addEventListener("open", () => connected.resolve());
    socket.addEventListener("error", (event) => {
      const { message } = event as ErrorEvent;
      const isLogin = /\b40[13]\b/.test(message);
      const hint = isLogin ? ": check user and password" : "";
      opened.#end(isLogin ? "UNAUTHORIZED" : "OFFLINE", `cannot connect to ${shown} (${message})${hint}`);
      connected.reject(opened.#ended);
    });
    socket.addEventListener("close", () => {
      opened.#end("CLOSED", `${shown} closed the signalling`);
      connected.reject(opened.#ended);
    });
    socket.addEventListener("message", ({ data }) => opened.#onMessage(data));
    try {
      if (limit.signal.aborted) onAbort();
      await connected.promise;
      return opened;
    } catch (error) {
      opened[Symbol.dispose]();
      throw error;
    }
  }

  #end(code: "UNAUTHORIZED" | "OFFLINE" | "CLOSED", why: string): void {
    this.#ended ??= new StreamError(code, `webrtc: ${why}`);
    this.#wake?.();
  }

  #onMessage(data: unknown): void {
    if (typeof data !== "string" || data.length > MAX_MESSAGE || this.#waiting.length >= MAX_WAITING) return;
    try {
      const message: unknown = JSON.parse(data);
      if (typeof message !== "object" || message === null) return;
      this.#waiting.push(message as Readonly<Record<string, unknown>>);
      this.#wake?.();
    } catch {
      // Services send empty and cut messages; they mean nothing.
    }
  }

  /** Sends a message, if the other side is still there. */
  send(message: Readonly<Record<string, unknown>>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** The next message. Rejects when the socket ends or the signal aborts. */
  async next(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      signal.throwIfAborted();
      const message = this.#waiting.shift();
      if (message) return message;
      if (this.#ended) throw this.#ended;
      await new Promise<void>((resolve) => {
        const done = () => {
          signal.removeEventListener("abort", done);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = done;
        signal.addEventListener("abort", done, { once: true });
      });
    }
  }

  /** What it is connected to, for messages. */
  get shown(): string {
    return this.#shown;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
