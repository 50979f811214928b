import {
  Deadline,
  type Logger,
  messageOf,
  type Peer,
  type StreamConn,
  StreamError,
  type StreamOutlet,
  writeAll,
} from "../../core/mod.ts";
import { hostPort } from "./facts.ts";
import { RtspHeaders, RtspParser, type RtspRequest, writeResponse } from "./message.ts";

/** A peer that has not begun to play or record must ask something this often. */
const IDLE_MS = 5000;
/** Requests that wait for their turn. */
const MAX_REQUESTS = 32;

/** An answer; `closes` ends the connection behind it. */
export interface Answer {
  readonly status: number;
  readonly headers?: readonly (readonly [string, string | undefined])[];
  readonly body?: string;
  readonly closes?: boolean;
}

/** Who answers the requests of a connection. */
export interface ServerHandler {
  answer(request: RtspRequest): Answer | Promise<Answer>;
  onPacket(channel: number, packet: Uint8Array, nowMs: number): void;
  /** While media shares the connection with answers, what writes both. */
  readonly outlet: StreamOutlet | undefined;
  /** The connection will end behind its answer: no media any more. */
  stopMedia(): void;
  /** An answer is on its way. */
  onAnswered(): void;
}

/** The server's side of one connection: reads, has requests answered in their order, and ends what is silent. */
export class ServerConnection {
  readonly #conn: StreamConn;
  readonly #peer: Peer;
  readonly #log: Logger;
  readonly #handler: ServerHandler;
  readonly #controller = new AbortController();
  readonly #deadline: Deadline;
  readonly #parser: RtspParser;
  readonly #requests: RtspRequest[] = [];
  #isWorking = false;
  #working: Promise<void> = Promise.resolve();
  #written: Promise<unknown> = Promise.resolve();
  #nowMs = 0;
  /** Media flows: any byte is a sign of life. */
  #isRunning = false;
  bytesReceived = 0;

  constructor(conn: StreamConn, peer: Peer, log: Logger, handler: ServerHandler) {
    this.#conn = conn;
    this.#peer = peer;
    this.#log = log;
    this.#handler = handler;
    this.#deadline = new Deadline(IDLE_MS, () => this.end("sent nothing in time"));
    this.#parser = new RtspParser({
      onPacket: (channel, packet) => handler.onPacket(channel, packet, this.#nowMs),
      onMessage: (message) => {
        if (message.kind === "request") this.#onRequest(message);
      },
    });
    this.#parser.isStrict = true;
  }

  /** Aborts when the connection ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get isRunning(): boolean {
    return this.#isRunning;
  }
  get localHost(): string {
    return this.#conn.localAddress.host;
  }

  /** Media flows from now on; the connection ends when nothing comes for `limitMs`. */
  start(limitMs: number): void {
    this.#isRunning = true;
    this.#parser.isStrict = false;
    this.#deadline.extend(performance.now(), limitMs);
  }

  /** The peer has shown otherwise that it is there. */
  extend(nowMs: number): void {
    if (this.#isRunning) this.#deadline.extend(nowMs);
  }

  /** The connection for an outlet; what it writes is followed, to know when all is written. */
  outletConn(): StreamConn {
    const conn = this.#conn;
    return {
      localAddress: conn.localAddress,
      remoteAddress: conn.remoteAddress,
      read: (buffer) => conn.read(buffer),
      write: (bytes) => {
        const written = conn.write(bytes);
        this.#written = written;
        return written;
      },
      writeNow: (bytes) => conn.writeNow?.(bytes) ?? 0,
      close: () => conn.close(),
    };
  }

  /** Serves the connection until its end. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.end("the server closes");
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await this.#read();
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.end("closed by the peer");
      await this.#working;
    }
  }

  async #read(): Promise<void> {
    while (!this.#controller.signal.aborted) {
      let count: number | null;
      try {
        count = await this.#conn.read(this.#parser.space());
      } catch (error) {
        // We closed it, or the peer broke off: both are an end.
        this.#log.trace("connection ended", { peer: hostPort(this.#peer), error: messageOf(error) });
        return;
      }
      if (count === null) return;
      this.bytesReceived += count;
      this.#nowMs = performance.now();
      if (this.#isRunning) this.#deadline.extend(this.#nowMs);
      try {
        this.#parser.advance(count);
      } catch (error) {
        this.#log.limited(this.#peer.host, "debug", messageOf(error), { peer: hostPort(this.#peer) });
        if (!this.#isRunning) await this.#write(writeResponse(400, new RtspHeaders()));
        return;
      }
    }
  }

  #onRequest(request: RtspRequest): void {
    if (this.#requests.length >= MAX_REQUESTS) return this.end("asks more than it can be answered");
    this.#requests.push(request);
    if (!this.#isWorking) this.#working = this.#work();
  }

  // One request after the other, while reading goes on: the peer may leave before it is answered. Never rejects.
  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let request = this.#requests.shift(); request; request = this.#requests.shift()) {
      if (this.#controller.signal.aborted) break;
      if (!this.#isRunning) this.#deadline.pause();
      let answer: Answer;
      try {
        answer = await this.#handler.answer(request);
      } catch (error) {
        this.#log.warn(`Cannot answer ${request.method}: ${messageOf(error)}`, { peer: hostPort(this.#peer) });
        answer = { status: 500, closes: true };
      }
      if (this.#controller.signal.aborted) break;
      if (!this.#isRunning) this.#deadline.extend(performance.now(), IDLE_MS);
      await this.#reply(request, answer);
    }
    this.#isWorking = false;
  }

  async #reply(request: RtspRequest, answer: Answer): Promise<void> {
    const headers = new RtspHeaders([
      ["CSeq", request.headers.get("CSeq")],
      ...answer.headers ?? [],
    ]);
    const bytes = writeResponse(answer.status, headers, answer.body);
    const { outlet } = this.#handler;
    if (answer.closes) this.#handler.stopMedia();
    if (outlet) outlet.send(bytes);
    else await this.#write(bytes);
    this.#handler.onAnswered();
    if (!answer.closes) return;
    if (outlet) await this.#drained();
    this.end("closed after an answer");
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#conn, bytes);
    } catch {
      // Reading finds out too.
      this.end("closed by the peer");
    }
  }

  // The outlet has written all that it was given.
  async #drained(): Promise<void> {
    let last: Promise<unknown> | undefined;
    while (last !== this.#written) {
      last = this.#written;
      await last.catch(() => {
        // The connection has ended, so nothing waits any more.
      });
    }
  }

  /** Ends the connection. */
  end(reason: string): void {
    if (this.#controller.signal.aborted) return;
    this.#log.trace("closing a connection", { peer: hostPort(this.#peer), reason });
    this.#controller.abort(new StreamError("CLOSED", `rtsp: ${reason}`));
    this.#deadline[Symbol.dispose]();
    this.#conn.close();
  }
}
