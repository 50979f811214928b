import type { HttpPeer, StreamConn } from "../types.ts";
import { sendAnswer } from "./answer.ts";
import { IncomingBody } from "./body.ts";
import { endOfHead, MAX_HEAD_BYTES, parseHead, RequestError, type RequestHead } from "./head.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { runUpgrade, upgradeOf } from "./upgrade.ts";

/** Answers a request; must not reject. */
export type HttpHandler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;

/** The first head must have begun in so long. Browsers open connections ahead of need and give up on them after 10 s. */
const FIRST_MS = 20_000;
/** A head that has begun must have come in so long (contract §1.7). */
const HEAD_MS = 5000;
/** How long a connection may rest between two requests: longer than what proxies keep one for. */
const REST_MS = 75_000;
const CR = 13;
const LF = 10;
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");
/** What is still read of a body that nobody wanted, so that the client gets to read the answer. */
const UNWANTED_BYTES = 1 << 20;
const UNWANTED_MS = 2000;

// A runtime may have a server of its own beside this one.
const ours = new WeakSet<Request>();

/** Whether a request came over a connection of this server. */
export function isOurs(request: Request): boolean {
  return ours.has(request);
}

/** What a connection is served with. */
export interface HttpConnectionOptions {
  readonly handler: HttpHandler;
  readonly transport: HttpPeer["transport"];
  /** For clients that name no host. */
  readonly defaultHost: string;
}

/** A connection of an HTTP/1.1 client (RFC 9112): one request at a time, each answered before the next is looked at. */
export class HttpConnection {
  readonly #conn: StreamConn;
  readonly #options: HttpConnectionOptions;
  readonly #peer: HttpPeer;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  #isBusy = false;
  #isLast = false;
  // Of the request that is answered: aborts when nobody takes the answer any more.
  #client: AbortController | undefined;

  constructor(conn: StreamConn, options: HttpConnectionOptions) {
    this.#conn = conn;
    this.#options = options;
    const { host, port } = conn.remoteAddress;
    this.#peer = { host, port, transport: options.transport };
    this.#inbox = new Inbox(conn);
    this.#outbox = new Outbox(conn);
    this.#outbox.onFail = () => this.#leave();
  }

  /** Serves the connection until its end. Never rejects. */
  async run(): Promise<void> {
    try {
      for (let isFirst = true; !this.#isLast; isFirst = false) {
        const head = await this.#nextHead(isFirst ? FIRST_MS : REST_MS);
        if (!head) break;
        this.#isBusy = true;
        if (!await this.#serve(head)) break;
        this.#isBusy = false;
      }
    } catch (error) {
      if (error instanceof RequestError) await this.#refuse(error);
      else console.error("Unhandled error on an HTTP connection:", error);
    } finally {
      this.#conn.close();
    }
  }

  /** Ends it now when nobody waits for an answer, else after that answer. */
  closeWhenIdle(): void {
    this.#isLast = true;
    if (!this.#isBusy) this.#conn.close();
  }
  close(): void {
    this.#conn.close();
    this.#leave();
  }
  #leave(): void {
    this.#client?.abort(new DOMException("The client has gone", "AbortError"));
  }

  // `undefined`: the client has gone, or asks nothing.
  async #nextHead(restMs: number): Promise<RequestHead | undefined> {
    const isResting = this.#inbox.bytes.length === 0;
    let timer = setTimeout(() => this.#conn.close(), isResting ? restMs : HEAD_MS);
    try {
      if (isResting && !await this.#inbox.fill()) return undefined;
      if (isResting) {
        clearTimeout(timer);
        timer = setTimeout(() => this.#conn.close(), HEAD_MS);
      }
      this.#skipEmptyLines();
      let end = endOfHead(this.#inbox.bytes);
      while (end < 0) {
        const seen = this.#inbox.bytes.length;
        if (seen > MAX_HEAD_BYTES) throw new RequestError(431, "Request head is too long");
        if (!await this.#inbox.fill()) return undefined;
        if (seen === 0) this.#skipEmptyLines();
        end = endOfHead(this.#inbox.bytes, Math.max(0, seen - 3));
      }
      const head = parseHead(this.#inbox.bytes.subarray(0, end));
      this.#inbox.skip(end);
      return head;
    } finally {
      clearTimeout(timer);
    }
  }

  // Before a request they are none (RFC 9112 §2.2).
  #skipEmptyLines(): void {
    while (this.#inbox.bytes[0] === CR || this.#inbox.bytes[0] === LF) this.#inbox.skip(1);
  }

  // Whether another request may follow.
  async #serve(head: RequestHead): Promise<boolean> {
    const body = new IncomingBody(this.#inbox, head.body);
    if (head.waitsForContinue && !body.isDone) body.onWanted = () => this.#outbox.send(CONTINUE);
    const client = this.#client = new AbortController();
    if (body.isDone || !mayHaveBody(head)) void this.#watch(client);
    else body.onDone = () => void this.#watch(client);
    const response = await this.#answer(head, body, client.signal);
    const upgrade = upgradeOf(response);
    if (upgrade) {
      this.#client = undefined;
      await runUpgrade(upgrade, this.#conn, this.#inbox);
      return false;
    }
    // Who was not told to go on may send the body or leave it out.
    const isBodySure = body.onWanted === undefined;
    body.onWanted = undefined;
    const keepsAlive = head.keepsAlive && isBodySure && !this.#isLast &&
      response.headers.get("connection") !== "close";
    const { signal: leaving } = client;
    const lives = await sendAnswer(response, { head, outbox: this.#outbox, keepsAlive, leaving });
    this.#client = undefined;
    return await this.#passOver(body) && lives;
  }

  // Also behind requests that have come already, unless they are many: then writing tells that the client has gone.
  async #watch(client: AbortController): Promise<void> {
    while (this.#client === client && this.#inbox.bytes.length <= MAX_HEAD_BYTES) {
      if (!await this.#inbox.fill() && this.#client === client) return this.#leave();
    }
  }

  async #answer(head: RequestHead, body: IncomingBody, signal: AbortSignal): Promise<Response> {
    // Whether there is a server at all (RFC 9110 §9.3.7).
    if (head.method === "OPTIONS" && head.target === "*") {
      return new Response(null, { headers: { "content-length": "0" } });
    }
    let request: Request;
    try {
      request = this.#requestOf(head, body, signal);
      ours.add(request);
    } catch {
      return refusal(new RequestError(400, "Cannot read the request's address or method"));
    }
    try {
      const response = await this.#options.handler(request, this.#peer);
      return body.failure ? refusal(body.failure) : response;
    } catch (error) {
      if (body.failure) return refusal(body.failure);
      console.error("Unhandled error in an HTTP handler:", error);
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }

  #requestOf(head: RequestHead, body: IncomingBody, signal: AbortSignal): Request {
    const { method, target, host, headers } = head;
    const scheme = this.#options.transport === "tls" ? "https" : "http";
    if (!/^(\/|https?:\/\/)/i.test(target)) throw new TypeError("Address is not of HTTP");
    const url = target.startsWith("/") ? `${scheme}://${host || this.#options.defaultHost}${target}` : target;
    const init = { method, headers: headers as [string, string][], signal };
    if (body.isDone || !mayHaveBody(head)) return new Request(url, init);
    return new Request(url, { ...init, body: body.stream(), duplex: "half" } as RequestInit);
  }

  // Reads what nobody wanted of a body. Whether it came to its end.
  async #passOver(body: IncomingBody): Promise<boolean> {
    if (body.isDone) return true;
    const timer = setTimeout(() => this.#conn.close(), UNWANTED_MS);
    try {
      for (let left = UNWANTED_BYTES; left > 0;) {
        const bytes = await body.read();
        if (!bytes) return true;
        left -= bytes.length;
      }
    } catch {
      // It has gone, or sends what cannot be read.
    } finally {
      clearTimeout(timer);
    }
    return false;
  }

  // The client gets to read why before what it still sends would reset the connection.
  async #refuse(error: RequestError): Promise<void> {
    const leaving = new AbortController().signal;
    const head = { method: "GET", isCurrent: true };
    await sendAnswer(refusal(error), { head, outbox: this.#outbox, keepsAlive: false, leaving });
    const timer = setTimeout(() => this.#conn.close(), UNWANTED_MS);
    for (let left = UNWANTED_BYTES; left > 0 && await this.#inbox.fill();) {
      left -= this.#inbox.bytes.length;
      this.#inbox.skip(this.#inbox.bytes.length);
    }
    clearTimeout(timer);
  }
}

// Of others the web's `Request` has none, so that nobody reads it.
function mayHaveBody({ method }: RequestHead): boolean {
  return method !== "GET" && method !== "HEAD";
}

function refusal({ status, message }: RequestError): Response {
  return new Response(`${message}\n`, { status, headers: { connection: "close" } });
}
