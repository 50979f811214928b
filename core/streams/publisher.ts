import type { Principal } from "../access/types.ts";
import { parseSourceUrl } from "../net/source_url.ts";
import { messageOf, redactUrls, StreamError } from "../util/errors.ts";
import type { KeeperContext } from "./preload.ts";
import type { Attachment, Consumer } from "./types.ts";
import { STOP_MS } from "./session.ts";
import { abortError, delay, orAborted, orLate } from "./wait.ts";

/** After the end of a push, whatever ended it (contract §2.11). */
const PAUSE_MS = 5000;
const OPEN_TIMEOUT_MS = 60_000;

type Sink = Consumer & { run(signal: AbortSignal, attachment: Attachment): Promise<void> };

/** Pushes a stream to a sink, again and again until it is stopped. */
export class Publisher {
  readonly stream: string;
  readonly sink: string;
  readonly #principal: Principal;
  readonly #context: KeeperContext;
  readonly #controller = new AbortController();
  #running: Promise<void> | undefined;

  constructor(stream: string, sink: string, principal: Principal, context: KeeperContext) {
    this.stream = stream;
    this.sink = sink;
    this.#principal = principal;
    this.#context = context;
  }

  /** Begins to push, and rejects when that fails; from then on it looks after itself. */
  async start(): Promise<void> {
    const first = await this.#connect();
    this.#running = this.#keep(first);
  }
  /** Begins to push as soon as it can be done. */
  startLater(): void {
    this.#running ??= this.#keep(undefined);
  }

  async #connect(): Promise<{ sink: Sink; attachment: Attachment }> {
    const { signal } = this.#controller;
    const stream = this.#context.find(this.stream);
    if (!stream) throw new StreamError("NOT_FOUND", "stream not found");
    const sink = await this.#open(signal);
    try {
      return { sink, attachment: await stream.attach(sink, this.#principal, signal) };
    } catch (error) {
      sink.close(messageOf(error));
      throw error;
    }
  }

  async #open(signal: AbortSignal): Promise<Sink> {
    const { registry, logOf, clock } = this.#context.streams;
    const url = parseSourceUrl(this.sink);
    const opener = registry.sink(url.scheme);
    if (!opener) {
      throw new StreamError("UNSUPPORTED_SCHEME", `streams: unsupported scheme: ${redactUrls(this.sink)}`);
    }
    const controller = new AbortController();
    const onAbort = () => controller.abort(abortError(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const cancelTimeout = clock.setTimer(() => {
      const shown = redactUrls(this.sink);
      controller.abort(new StreamError("TIMEOUT", `no answer from "${shown}" within ${OPEN_TIMEOUT_MS / 1000} s`));
    }, OPEN_TIMEOUT_MS);
    const { isTrusted } = this.#principal;
    const io = { log: logOf(url.scheme), stream: this.stream, isTrusted, wanted: [], wantsSpeaker: false };
    const opened = opener.open(url, { ...io, signal: controller.signal });
    try {
      return await orAborted(opened, controller.signal);
    } catch (error) {
      // It may still open after it was given up.
      opened.then((sink) => sink.close(messageOf(error))).catch(() => {});
      throw error;
    } finally {
      cancelTimeout();
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #keep(first: { sink: Sink; attachment: Attachment } | undefined): Promise<void> {
    const { signal } = this.#controller;
    const { clock, log } = this.#context.streams;
    let connected = first;
    for (;;) {
      let cause = "the sink ended";
      try {
        connected ??= await this.#connect();
        if (!signal.aborted) await orLate(connected.sink.run(signal, connected.attachment), signal, STOP_MS, clock);
      } catch (error) {
        cause = messageOf(error);
      }
      connected?.attachment.detach();
      connected?.sink.close(cause);
      connected = undefined;
      if (signal.aborted) return;
      const fields = { stream: redactUrls(this.stream), sink: redactUrls(this.sink), error: redactUrls(cause) };
      log.limited(`publish ${this.stream} ${this.sink}`, "warn", "publishing stopped, trying again", fields);
      await delay(PAUSE_MS, clock, signal);
    }
  }

  /** Stops for good; resolves when the sink has ended. */
  async stop(): Promise<void> {
    this.#controller.abort(new StreamError("CLOSED", "publishing was stopped"));
    await this.#running;
  }
}
