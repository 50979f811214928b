import { heldSlab, leaveSlab, StreamError } from "../../core/mod.ts";

/** Header fields in the order and case they were written; names are found in any case. */
export class RtspHeaders {
  readonly #fields: [name: string, value: string][] = [];

  constructor(fields: readonly (readonly [string, string | undefined])[] = []) {
    for (const [name, value] of fields) if (value !== undefined) this.add(name, value);
  }
  add(name: string, value: string): void {
    this.#fields.push([name, value]);
  }
  /** The first value of a name. */
  get(name: string): string | undefined {
    const lower = name.toLowerCase();
    return this.#fields.find(([own]) => own.toLowerCase() === lower)?.[1];
  }
  all(name: string): string[] {
    const lower = name.toLowerCase();
    return this.#fields.filter(([own]) => own.toLowerCase() === lower).map(([, value]) => value);
  }
  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.#fields[Symbol.iterator]();
  }
}

/** A request of either side. */
export interface RtspRequest {
  readonly kind: "request";
  readonly method: string;
  /** The request line's URL as it stands. */
  readonly url: string;
  readonly headers: RtspHeaders;
  readonly body: string;
}

/** An answer of either side. */
export interface RtspResponse {
  readonly kind: "response";
  readonly status: number;
  readonly reason: string;
  readonly headers: RtspHeaders;
  readonly body: string;
}

export type RtspMessage = RtspRequest | RtspResponse;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function write(startLine: string, headers: RtspHeaders, body: string): Uint8Array {
  const bytes = encoder.encode(body);
  let text = `${startLine}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value.replace(/[\r\n]+/g, " ")}\r\n`;
  if (bytes.length === 0) return encoder.encode(`${text}\r\n`);
  const head = encoder.encode(`${text}Content-Length: ${bytes.length}\r\n\r\n`);
  const all = new Uint8Array(head.length + bytes.length);
  all.set(head);
  all.set(bytes, head.length);
  return all;
}

/** The bytes of a request; `Content-Length` is added when there is a body. */
export function writeRequest(method: string, url: string, headers: RtspHeaders, body = ""): Uint8Array {
  return write(`${method} ${url} RTSP/1.0`, headers, body);
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  454: "Session Not Found",
  455: "Method Not Valid in This State",
  459: "Aggregate Operation Not Allowed",
  461: "Unsupported transport",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** The bytes of an answer; `Content-Length` is added when there is a body. */
export function writeResponse(status: number, headers: RtspHeaders, body = ""): Uint8Array {
  return write(`RTSP/1.0 ${status} ${REASONS[status] ?? "Unknown"}`, headers, body);
}

/**
 * What a parser hands out, while it parses. Views stay valid, as slabs are never overwritten; but where one part of a slab
 * is held (`holdSlab`), whoever keeps another has to hold it too.
 */
export interface RtspSink {
  /** An interleaved frame without its four bytes of header: RTP on even channels, RTCP on odd ones. */
  onPacket(channel: number, packet: Uint8Array): void;
  onMessage(message: RtspMessage): void;
}

/** How much of a message is read before it is refused. */
export const HEADER_LIMIT_BYTES = 64 << 10;
export const BODY_LIMIT_BYTES = 1 << 20;

/** Slabs grow with the traffic: a connection that only says hello costs little. */
const FIRST_SLAB_BYTES = 2 << 10;
const LAST_SLAB_BYTES = 64 << 10;
/** There is always room for this much, so that few reads are short ones. */
const LEAST_ROOM_BYTES = 1 << 10;

/** What is believed after garbage: these bounds, and the version of RTP or RTCP. */
const RESYNC_CHANNELS = 20;
const RESYNC_PACKET_BYTES = 1500;
const RESYNC_LIMIT_BYTES = 64 << 10;

const DOLLAR = 0x24;
const CAPITAL_A = 0x41;
const CAPITAL_Z = 0x5a;
const UNDERSCORE = 0x5f;
const METHODS = [
  "OPTIONS",
  "DESCRIBE",
  "ANNOUNCE",
  "SETUP",
  "PLAY",
  "PAUSE",
  "TEARDOWN",
  "GET_PARAMETER",
  "SET_PARAMETER",
  "REDIRECT",
  "RECORD",
];
/** The first four letters of messages, as numbers. */
const STARTS = new Set(
  ["RTSP", ...METHODS.map((method) => method.slice(0, 4))].map((text) => four(encoder.encode(text), 0)),
);
/** What begins a message in the midst of garbage. */
const FULL_STARTS = ["RTSP/1.", ...METHODS.map((method) => `${method} `)].map((text) => encoder.encode(text));

function four(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/**
 * Cuts the byte stream of an RTSP connection into messages and interleaved frames. Read into `space()`, then call
 * `advance` with the count. After garbage it finds the next frame or message by itself; `advance` throws a `PROTOCOL`
 * error when that fails, or when a message passes its limits.
 */
export class RtspParser {
  readonly #sink: RtspSink;
  #slab = heldSlab(FIRST_SLAB_BYTES);
  #start = 0;
  #end = 0;
  // Bytes that what begins at `#start` takes, as far as is known.
  #need = 1;
  // Up to where the end of the header that begins at `#start` has been looked for.
  #scanned = 0;
  #skipped = 0;
  #isLost = false;
  /** Garbage is an error at once: nothing but messages is expected (a server before media flows). */
  isStrict = false;
  /** Times it had to look for the next frame. */
  resyncs = 0;

  constructor(sink: RtspSink) {
    this.#sink = sink;
  }

  /** Where the next bytes go. */
  space(): Uint8Array {
    const have = this.#end - this.#start;
    const room = Math.max(LEAST_ROOM_BYTES, this.#need - have);
    if (this.#slab.length - this.#end < room) {
      const size = Math.min(LAST_SLAB_BYTES, this.#slab.length * 2);
      const next = heldSlab(Math.max(size, have + room));
      next.set(this.#slab.subarray(this.#start, this.#end));
      leaveSlab(this.#slab.buffer);
      this.#slab = next;
      this.#scanned -= this.#start;
      this.#start = 0;
      this.#end = have;
    }
    return this.#slab.subarray(this.#end);
  }

  /** So many bytes were read into `space()`: hands out what is complete. */
  advance(count: number): void {
    this.#end += count;
    for (;;) {
      const bytes = this.#slab;
      const start = this.#start;
      const have = this.#end - start;
      if (have < 4) {
        this.#need = 4;
        return;
      }
      if (this.#isLost && !this.#resync()) return;
      if (this.#isLost) {
        this.#isLost = false;
        this.#skipped = 0;
        continue;
      }
      if (bytes[start] === DOLLAR) {
        const length = bytes[start + 2]! << 8 | bytes[start + 3]!;
        if (have < 4 + length) {
          this.#need = 4 + length;
          return;
        }
        this.#start = start + 4 + length;
        if (length > 0) this.#sink.onPacket(bytes[start + 1]!, bytes.subarray(start + 4, start + 4 + length));
      } else if (STARTS.has(four(bytes, start)) || (this.isStrict && beginsName(bytes, start))) {
        if (!this.#message()) return;
      } else if (bytes[start] === 10 || bytes[start] === 13) {
        this.#start++;
      } else {
        if (this.isStrict) throw new StreamError("PROTOCOL", "RTSP wrong input: expected a request");
        this.#isLost = true;
        this.resyncs++;
      }
    }
  }

  // Skips to what looks like a frame or a message; false: more bytes are needed.
  #resync(): boolean {
    const bytes = this.#slab;
    let at = this.#start;
    for (; at + 6 <= this.#end; at++) {
      const isStart = bytes[at] === DOLLAR ? this.#looksLikeFrame(at) : beginsMessage(bytes, at, this.#end);
      if (isStart) break;
    }
    this.#skipped += at - this.#start;
    this.#start = at;
    if (this.#skipped > RESYNC_LIMIT_BYTES) {
      throw new StreamError("PROTOCOL", `RTSP wrong input: ${this.#skipped} bytes of neither media nor messages`);
    }
    this.#need = 14;
    return at + 6 <= this.#end;
  }

  #looksLikeFrame(at: number): boolean {
    const bytes = this.#slab;
    const length = bytes[at + 2]! << 8 | bytes[at + 3]!;
    return bytes[at + 1]! < RESYNC_CHANNELS && length >= 8 && length <= RESYNC_PACKET_BYTES &&
      bytes[at + 4]! >> 6 === 2;
  }

  // Hands out the message at `#start`; false: it is not complete.
  #message(): boolean {
    const bytes = this.#slab;
    const headerEnd = this.#findHeaderEnd();
    if (headerEnd < 0) {
      if (this.#end - this.#start > HEADER_LIMIT_BYTES) {
        throw new StreamError("PROTOCOL", `Cannot read a message: its header passes ${HEADER_LIMIT_BYTES} bytes`);
      }
      this.#need = this.#end - this.#start + 1;
      return false;
    }
    const head = parseHead(decoder.decode(bytes.subarray(this.#start, headerEnd)));
    const announced = head?.headers.get("Content-Length")?.trim() ?? "";
    const length = /^\d+$/.test(announced) ? Number(announced) : 0;
    if (length > BODY_LIMIT_BYTES) {
      throw new StreamError(
        "PROTOCOL",
        `Cannot read a message: its body of ${length} bytes passes ${BODY_LIMIT_BYTES}`,
      );
    }
    if (this.#end < headerEnd + length) {
      this.#need = headerEnd + length - this.#start;
      // The header is found at once when the rest has come.
      this.#scanned = Math.max(this.#start, headerEnd - 4);
      return false;
    }
    this.#start = headerEnd + length;
    this.#scanned = 0;
    if (head) this.#sink.onMessage({ ...head, body: decoder.decode(bytes.subarray(headerEnd, headerEnd + length)) });
    else if (this.isStrict) throw new StreamError("PROTOCOL", "RTSP wrong input: expected a request");
    return true;
  }

  // Behind the empty line, or -1.
  #findHeaderEnd(): number {
    const bytes = this.#slab;
    let at = Math.max(this.#start, this.#scanned);
    for (;;) {
      at = bytes.indexOf(10, at);
      if (at < 0 || at >= this.#end) break;
      const next = at + 1 < this.#end ? bytes[at + 1] : undefined;
      if (next === 10) return at + 2;
      if (next === 13 && at + 2 < this.#end && bytes[at + 2] === 10) return at + 3;
      if (next === undefined || (next === 13 && at + 2 >= this.#end)) break;
      at++;
    }
    this.#scanned = Math.max(this.#start, this.#end - 3);
    return -1;
  }
}

// Among messages alone, four letters may begin a request whose method is not known.
function beginsName(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 4; i++) {
    const letter = bytes[i]!;
    if (letter !== UNDERSCORE && (letter < CAPITAL_A || letter > CAPITAL_Z)) return false;
  }
  return true;
}

function beginsMessage(bytes: Uint8Array, at: number, end: number): boolean {
  const first = bytes[at]!;
  return FULL_STARTS.some((start) => {
    if (start[0] !== first || at + start.length > end) return false;
    for (let i = 1; i < start.length; i++) if (start[i] !== bytes[at + i]) return false;
    return true;
  });
}

type Head = Omit<RtspRequest, "body"> | Omit<RtspResponse, "body">;

function parseHead(text: string): Head | undefined {
  const lines = text.split(/\r?\n/);
  const headers = new RtspHeaders(unfold(lines.slice(1)).map(splitField).filter((field) => field !== undefined));
  const start = lines[0]!.trim();
  const response = /^RTSP\/\d+\.\d+\s+(\d{3})(?:\s+(.*))?$/.exec(start);
  if (response) return { kind: "response", status: Number(response[1]), reason: response[2] ?? "", headers };
  const [, method, url, version] = /^([A-Z_]+)\s+(.*?)(\s+RTSP\/\d+\.\d+)?$/.exec(start) ?? [];
  if (method === undefined || url === undefined) return undefined;
  // The request line of another protocol looks alike.
  return version !== undefined || METHODS.includes(method) ? { kind: "request", method, url, headers } : undefined;
}

// A line that begins with a space goes on with the field before it.
function unfold(lines: readonly string[]): string[] {
  const unfolded: string[] = [];
  for (const line of lines) {
    if (/^[ \t]/.test(line) && unfolded.length > 0) unfolded[unfolded.length - 1] += ` ${line.trim()}`;
    else if (line !== "") unfolded.push(line);
  }
  return unfolded;
}

function splitField(line: string): [string, string] | undefined {
  const colon = line.indexOf(":");
  return colon <= 0 ? undefined : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}
