/** Talks to a server byte by byte, as no library would. */
import { Buffer } from "node:buffer";

/** Matches nothing: all is read, to the end. */
const NEVER = /(?!)/;

/** A connection that sends what it is told and keeps what comes. */
export class RawClient implements Disposable {
  /** What came so far, a character for each byte. */
  text = "";
  hasEnded = false;
  /** Resolves when the other side has ended the connection, however it did. */
  readonly ended: Promise<void>;
  readonly #conn: Deno.TcpConn;
  #wake: () => void = () => {};

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    this.ended = this.#read();
  }

  /** Connects to `host:port`. */
  static async connect(address: string): Promise<RawClient> {
    const [hostname = "", port] = address.split(":");
    return new RawClient(await Deno.connect({ hostname, port: Number(port) }));
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 << 10);
    try {
      for (let count = await this.#conn.read(buffer); count !== null; count = await this.#conn.read(buffer)) {
        this.text = (this.text + Buffer.from(buffer.buffer, 0, count).toString("latin1")).slice(-1 << 20);
        this.#wake();
      }
    } catch {
      // Reset, or closed by us.
    }
    this.hasEnded = true;
    this.#wake();
  }

  /** Sends; a server that has closed is no error: `hasEnded` tells. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    try {
      for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
    } catch {
      // Reading has found out, or will.
    }
  }

  /** Resolves with what came as soon as it matches or the connection ends; rejects after `timeoutMs`. */
  async until(pattern: RegExp | ((text: string) => boolean), timeoutMs = 5000): Promise<string> {
    const limit = performance.now() + timeoutMs;
    const isThere = typeof pattern === "function" ? pattern : (text: string) => pattern.test(text);
    while (!isThere(this.text) && !this.hasEnded) {
      const leftMs = limit - performance.now();
      if (leftMs <= 0) {
        throw new Error(`Nothing like ${pattern} within ${timeoutMs} ms, but ${this.text.slice(0, 500)}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.text;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** Sends bytes over a connection of their own; answers what came until the pattern matched or the server closed. */
export async function exchange(address: string, data: string | Uint8Array, pattern = NEVER): Promise<string> {
  using client = await RawClient.connect(address);
  await client.write(data);
  return await client.until(pattern);
}

/** The text of an HTTP request whose answer ends the connection. */
export function httpRequest(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = "",
): string {
  const length = body === "" && method === "GET" ? {} : { "Content-Length": String(body.length) };
  const all = { ...headers, ...length, Connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, "", body].join("\r\n");
}

/** The status of an HTTP or RTSP answer; 0: there is none. */
export function statusOf(answer: string): number {
  return Number(/^(?:HTTP|RTSP)\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);
}

/** A masked WebSocket frame of a client (RFC 6455 §5.2); the mask is zero. */
export function wsFrame(payload: string | Uint8Array, opcode = 1, isLast = true): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const size = bytes.length < 126
    ? [0x80 | bytes.length]
    : bytes.length < 65536
    ? [0xfe, bytes.length >> 8, bytes.length & 255]
    : [0xff, 0, 0, 0, 0, bytes.length >>> 24, bytes.length >> 16 & 255, bytes.length >> 8 & 255, bytes.length & 255];
  const head = [(isLast ? 0x80 : 0) | opcode, ...size, 0, 0, 0, 0];
  const frame = new Uint8Array(head.length + bytes.length);
  frame.set(head);
  frame.set(bytes, head.length);
  return frame;
}

/** The request that opens a WebSocket. */
export function wsRequest(path: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key];
  return [`GET ${path} HTTP/1.1`, ...lines, ...upgrade, "", ""].join("\r\n");
}
