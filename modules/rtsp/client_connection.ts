import { messageOf, type StreamConn, StreamError, timeLimit, writeAll } from "../../core/mod.ts";
import {
  RtspHeaders,
  RtspParser,
  type RtspRequest,
  type RtspResponse,
  writeRequest,
  writeResponse,
} from "./message.ts";

/** Who takes what a camera sends by itself. */
export interface ClientSink {
  /** `nowMs` is the time of the read that the packet came with. */
  onPacket(channel: number, packet: Uint8Array, nowMs: number): void;
  onRead(nowMs: number): void;
}

/** Answers that are waited for; a camera that answers nothing must not fill the table. */
const MAX_PENDING = 16;
/** What may wait to be written before it is dropped. */
const MAX_UNSENT_BYTES = 256 << 10;

interface Pending {
  readonly onAnswer: (response: RtspResponse) => void;
  readonly onEnd: (error: Error) => void;
}

/** The client's side of one RTSP connection: one read loop, requests with their answers, media to a sink. */
export class ClientConnection {
  readonly #conn: StreamConn;
  readonly #parser: RtspParser;
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #nowMs = 0;
  #unsent = 0;
  #writing: Promise<void> = Promise.resolve();
  #error: Error | undefined;
  /** Takes media once there is somebody. */
  sink: ClientSink | undefined;
  /** While we send media, what writes it: an answer goes between its frames. */
  outlet: { send(bytes: Uint8Array): void } | undefined;
  bytesReceived = 0;
  bytesSent = 0;
  /** Resolves, never rejects, when the connection has ended; with what ended it, unless we closed it. */
  readonly ended: Promise<Error>;

  constructor(conn: StreamConn) {
    this.#conn = conn;
    this.#parser = new RtspParser({
      onPacket: (channel, packet) => this.sink?.onPacket(channel, packet, this.#nowMs),
      onMessage: (message) => message.kind === "response" ? this.#onResponse(message) : this.#onRequest(message),
    });
    this.ended = this.#read();
  }

  get remoteAddress(): { readonly host: string; readonly port: number } {
    return this.#conn.remoteAddress;
  }
  get localAddress(): { readonly host: string; readonly port: number } {
    return this.#conn.localAddress;
  }

  async #read(): Promise<Error> {
    try {
      for (;;) {
        const count = await this.#conn.read(this.#parser.space());
        if (count === null) throw new StreamError("CLOSED", "closed by the camera");
        this.bytesReceived += count;
        this.#nowMs = performance.now();
        this.sink?.onRead(this.#nowMs);
        this.#parser.advance(count);
      }
    } catch (error) {
      this.#end(error);
    }
    return this.#error!;
  }

  #end(cause: unknown): void {
    if (this.#error) return;
    const error = cause instanceof StreamError ? cause : new StreamError("CLOSED", messageOf(cause));
    this.#error = error;
    this.#conn.close();
    for (const { onEnd } of this.#pending.values()) onEnd(error);
    this.#pending.clear();
  }

  #onResponse(response: RtspResponse): void {
    const sequence = Number(response.headers.get("CSeq"));
    const isAsked = sequence >= 1 && sequence <= this.#sequence;
    // Quirk(Foscam C1): answers "Cseq: 0" when CSeq is the first header. Without a number that was asked, an answer
    // belongs to the oldest question.
    const key = isAsked ? sequence : firstKey(this.#pending);
    const pending = key === undefined ? undefined : this.#pending.get(key);
    if (key !== undefined) this.#pending.delete(key);
    pending?.onAnswer(response);
  }

  #onRequest(request: RtspRequest): void {
    if (request.method !== "OPTIONS") return;
    const headers = new RtspHeaders([["CSeq", request.headers.get("CSeq")], ["Public", "OPTIONS"]]);
    const answer = writeResponse(200, headers);
    if (this.outlet) this.outlet.send(answer);
    else this.write(answer);
  }

  /** Sends a request; `CSeq` is put in front of its headers. Whoever listens is told of the answer or of the end. */
  post(method: string, url: string, headers: RtspHeaders, pending?: Partial<Pending>, body?: string): void {
    const sequence = ++this.#sequence;
    if (this.#error) return pending?.onEnd?.(this.#error);
    this.#pending.set(sequence, {
      onAnswer: pending?.onAnswer ?? (() => {}),
      onEnd: pending?.onEnd ?? (() => {}),
    });
    if (this.#pending.size > MAX_PENDING) this.#pending.delete(firstKey(this.#pending)!);
    this.write(writeRequest(method, url, new RtspHeaders([["CSeq", String(sequence)], ...headers]), body));
  }

  /** Sends a request and waits for its answer, at most `limitMs`. */
  async request(
    method: string,
    url: string,
    headers: RtspHeaders,
    limitMs: number,
    signal: AbortSignal,
    body?: string,
  ): Promise<RtspResponse> {
    const late = () => new StreamError("TIMEOUT", `no answer to ${method} within ${limitMs / 1000} s`);
    using limit = timeLimit(limitMs, late, signal);
    return await new Promise<RtspResponse>((resolve, reject) => {
      if (limit.signal.aborted) return reject(limit.signal.reason);
      limit.signal.addEventListener("abort", () => reject(limit.signal.reason), { once: true });
      this.post(method, url, headers, { onAnswer: resolve, onEnd: reject }, body);
    });
  }

  /** The connection for an outlet, once nothing else is written to it. */
  outletConn(): StreamConn {
    return this.#conn;
  }

  /** Sends bytes behind those that wait; false: too many wait, they were dropped. The end of the connection is told by `ended`. */
  write(bytes: Uint8Array): boolean {
    if (this.#error || this.#unsent + bytes.length > MAX_UNSENT_BYTES) return false;
    this.#unsent += bytes.length;
    this.#writing = this.#writing.then(() => writeAll(this.#conn, bytes)).then(
      () => {
        this.#unsent -= bytes.length;
        this.bytesSent += bytes.length;
      },
      (error) => this.#end(error),
    );
    return true;
  }

  /** Sends what waits, with a limit, then closes. */
  async finish(limitMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.#writing, late]);
    clearTimeout(timer);
    this.close();
  }

  close(): void {
    this.#end(new StreamError("CLOSED", "closed by us"));
  }
}

function firstKey<K>(map: ReadonlyMap<K, unknown>): K | undefined {
  return map.keys().next().value;
}
