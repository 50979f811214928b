import type { RequestHead } from "./head.ts";
import type { Outbox } from "./outbox.ts";
import { PushBody } from "./push_body.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** What clients show of a status; HTTP needs no more of it than its number. */
const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  304: "Not Modified",
  307: "Temporary Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

const encoder = new TextEncoder();

/** How an answer goes out. */
export interface AnswerOptions {
  readonly head: Pick<RequestHead, "method" | "isCurrent">;
  readonly outbox: Outbox;
  /** Whether the connection is to live on afterwards. */
  readonly keepsAlive: boolean;
  /** Aborts when the client has gone. */
  readonly leaving: AbortSignal;
}

/** Sends an answer, its body as fast as the client takes it. Answers whether the connection can live on. Never rejects. */
export async function sendAnswer(response: Response, options: AnswerOptions): Promise<boolean> {
  const { body } = response;
  try {
    // What asks for the head alone takes a body for the next answer.
    if (options.head.method === "HEAD") void body?.cancel().catch(() => {});
    if (!body || options.head.method === "HEAD") return await sendWithout(response, options);
    const pushed = PushBody.of(body);
    return pushed ? await sendPushed(response, pushed, options) : await sendPulled(response, body.getReader(), options);
  } catch {
    // The body failed: the client sees it cut off, not complete.
    return false;
  }
}

async function sendWithout(response: Response, { head, outbox, keepsAlive }: AnswerOptions): Promise<boolean> {
  const { status, headers } = response;
  const hasLength = status >= 200 && status !== 204 && status !== 304 && head.method !== "HEAD" &&
    !headers.has("content-length");
  outbox.send(encodeHead(response, head, keepsAlive, hasLength ? ["content-length: 0"] : []));
  await outbox.drained();
  return keepsAlive;
}

async function sendPushed(response: Response, body: PushBody, options: AnswerOptions): Promise<boolean> {
  const { head, outbox, leaving } = options;
  const isChunked = head.isCurrent;
  const keepsAlive = options.keepsAlive && isChunked;
  outbox.send(encodeHead(response, head, keepsAlive, isChunked ? ["transfer-encoding: chunked"] : []));
  await body.pipe(outbox, isChunked, leaving);
  if (leaving.aborted) return false;
  return await finish(isChunked, keepsAlive, options);
}

async function sendPulled(response: Response, reader: Reader, options: AnswerOptions): Promise<boolean> {
  const { head, outbox, leaving } = options;
  // Whoever makes the body learns that nobody takes it.
  const stop = () => void reader.cancel().catch(() => {});
  try {
    let next = reader.read();
    const first = await soon(next);
    if (first && !first.done) next = reader.read();
    const isWhole = first?.done || (first && (await soon(next))?.done);
    // What is there as a whole also reaches a client that has only said that it asks no more.
    if (!isWhole && leaving.aborted) stop();
    leaving.addEventListener("abort", stop, { once: true });
    const hasLength = response.headers.has("content-length");
    const isChunked = !isWhole && !hasLength && head.isCurrent;
    const keepsAlive = options.keepsAlive && (isWhole || hasLength || isChunked);
    const bytes = first?.value ?? new Uint8Array(0);
    const length = isWhole && !hasLength ? [`content-length: ${bytes.length}`] : [];
    const headBytes = encodeHead(response, head, keepsAlive, isChunked ? ["transfer-encoding: chunked"] : length);
    if (isWhole) {
      outbox.send(joined(headBytes, bytes));
      await outbox.drained();
      return keepsAlive;
    }
    outbox.send(headBytes);
    if (first) await sendPiece(bytes, isChunked, outbox);
    for (let piece = await next; !piece.done; piece = await reader.read()) {
      await sendPiece(piece.value, isChunked, outbox);
      // The end of reading tells it too, but later: a body that is never short of bytes would not let that come.
      if (outbox.hasFailed) return false;
    }
    return !leaving.aborted && await finish(isChunked, keepsAlive, options);
  } finally {
    if (outbox.hasFailed) stop();
    leaving.removeEventListener("abort", stop);
  }
}

function sendPiece(bytes: Uint8Array, isChunked: boolean, outbox: Outbox): Promise<void> {
  if (bytes.length > 0) {
    if (isChunked) outbox.send(encoder.encode(`${bytes.length.toString(16)}\r\n`));
    outbox.send(bytes);
    if (isChunked) outbox.send(encoder.encode("\r\n"));
  }
  return outbox.drained();
}

async function finish(isChunked: boolean, keepsAlive: boolean, { outbox }: AnswerOptions): Promise<boolean> {
  if (isChunked) outbox.send(encoder.encode("0\r\n\r\n"));
  await outbox.drained();
  return keepsAlive;
}

/** What a promise has without waiting for anything outside: then the length of a body is known. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = new Promise<undefined>((resolve) => timer = setTimeout(resolve, 0, undefined));
  try {
    return await Promise.race([promise, later]);
  } catch {
    // Whoever waits for it is told.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function encodeHead(
  response: Response,
  head: AnswerOptions["head"],
  keepsAlive: boolean | undefined,
  more: readonly string[],
): Uint8Array {
  const { status } = response;
  const lines = [`HTTP/1.1 ${status} ${response.statusText || REASONS[status] || ""}`, `date: ${date()}`];
  for (const [name, value] of response.headers) if (name !== "connection") lines.push(`${name}: ${value}`);
  if (!keepsAlive) lines.push("connection: close");
  else if (!head.isCurrent) lines.push("connection: keep-alive");
  lines.push(...more);
  return latin1(`${lines.join("\r\n")}\r\n\r\n`);
}

let dateText = "";
let dateSecond = 0;

function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) dateText = new Date(second * 1000).toUTCString();
  dateSecond = second;
  return dateText;
}

// Header values hold no other letters.
function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
