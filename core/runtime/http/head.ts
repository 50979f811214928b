/** The head of a request (RFC 9112 §3, §5), as strictly as proxies in front of us need it to be read. */
export interface RequestHead {
  readonly method: string;
  /** As sent: a path with a query, a whole URL, or `*`. */
  readonly target: string;
  /** Whether the client speaks HTTP/1.1, not 1.0. */
  readonly isCurrent: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly host: string | undefined;
  /** The body's size in bytes, or `chunked`; 0: there is none. */
  readonly body: number | "chunked";
  readonly keepsAlive: boolean;
  /** The client waits for "100 Continue" before it sends the body. */
  readonly waitsForContinue: boolean;
}

/** A request that cannot be taken. */
export class RequestError extends Error {
  readonly status: 400 | 408 | 431 | 501 | 505;

  constructor(status: RequestError["status"], message: string) {
    super(message);
    this.status = status;
  }
}

/** What a head may hold. */
export const MAX_HEAD_BYTES: number = 64 << 10;
const MAX_HEADERS = 200;

const CR = 13;
const LF = 10;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
// A name or an address, and a port: what else stands here would move into the path or a login of the whole address.
const HOST = /^(?:\[[0-9A-Za-z:.%~_-]+\]|[0-9A-Za-z.~_!$&'()*+,;=%-]*)(?::\d*)?$/;
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;

/** Where the head at the start of `bytes` ends, its empty line included; -1: not yet. */
export function endOfHead(bytes: Uint8Array, from = 0): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** Reads a head, up to and with its empty line. Throws a `RequestError`. */
export function parseHead(bytes: Uint8Array): RequestHead {
  const lines = latin1(bytes).split("\n").map((line) => line.endsWith("\r") ? line.slice(0, -1) : line);
  const { method, target, isCurrent } = requestLine(lines[0]!);
  const headers = lines.slice(1, -2).map(headerOf);
  if (headers.length > MAX_HEADERS) throw new RequestError(431, `Cannot take more than ${MAX_HEADERS} headers`);
  const host = single(headers, "host");
  if (host === undefined && isCurrent) throw new RequestError(400, "Header Host is missing");
  if (host !== undefined && !HOST.test(host)) throw new RequestError(400, "Cannot read header Host");
  const connection = listOf(headers, "connection");
  return {
    method,
    target,
    isCurrent,
    headers,
    host,
    body: bodyOf(headers, isCurrent),
    keepsAlive: isCurrent ? !connection.includes("close") : connection.includes("keep-alive"),
    waitsForContinue: isCurrent && listOf(headers, "expect").includes("100-continue"),
  };
}

function requestLine(line: string): Pick<RequestHead, "method" | "target" | "isCurrent"> {
  const parts = line.split(" ");
  const [method = "", target = "", version = ""] = parts;
  const isHttp = /^HTTP\/\d\.\d$/.test(version);
  if (parts.length !== 3 || !isHttp || !TOKEN.test(method) || !TARGET.test(target)) {
    throw new RequestError(400, "Cannot read the request line");
  }
  if (!version.startsWith("HTTP/1.")) throw new RequestError(505, `Cannot speak ${version}, only HTTP/1.1`);
  return { method, target, isCurrent: version !== "HTTP/1.0" };
}

function headerOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon));
  const value = trimmed(line.slice(colon + 1));
  // A space before the colon, or a line that goes on, may be read otherwise by a proxy: both are refused.
  if (!TOKEN.test(name) || !VALUE.test(value)) throw new RequestError(400, "Cannot read a header line");
  return [name.toLowerCase(), value];
}

function bodyOf(headers: RequestHead["headers"], isCurrent: boolean): number | "chunked" {
  const codings = valuesOf(headers, "transfer-encoding");
  const lengths = new Set(valuesOf(headers, "content-length").flatMap((value) => value.split(",").map(trimmed)));
  if (codings.length > 0) {
    // Who believes which of the two is how requests are smuggled past a proxy (RFC 9112 §6.1).
    if (lengths.size > 0) throw new RequestError(400, "Headers Content-Length and Transfer-Encoding contradict");
    if (!isCurrent) throw new RequestError(400, "Header Transfer-Encoding is not of HTTP/1.0");
    // Also as an empty header, or in a list of one: who reads that otherwise sees another body.
    const coding = codings.join();
    if (coding.toLowerCase() !== "chunked") throw new RequestError(501, `Cannot read transfer encoding "${coding}"`);
    return "chunked";
  }
  const [length = "0"] = lengths;
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) throw new RequestError(400, "Cannot read header Content-Length");
  return Number(length);
}

function valuesOf(headers: RequestHead["headers"], name: string): string[] {
  return headers.filter(([one]) => one === name).map(([, value]) => value);
}

function listOf(headers: RequestHead["headers"], name: string): string[] {
  return valuesOf(headers, name).flatMap((value) => value.toLowerCase().split(",")).map(trimmed)
    .filter((one) => one !== "");
}

// What HTTP has for white space, each looked at once: a regular expression tries anew at every one of many in a row.
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (text[start] === " " || text[start] === "\t") start++;
  while (end > start && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(start, end);
}

function single(headers: RequestHead["headers"], name: string): string | undefined {
  const values = valuesOf(headers, name);
  if (values.length > 1) throw new RequestError(400, `Header ${name} is there twice`);
  return values[0];
}

// `TextDecoder` takes "latin1" for Windows-1252.
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}
