import {
  asOwnCall,
  ByteReader,
  connectTcp,
  connectTls,
  LoginClient,
  redactUrls,
  slab,
  type StreamConn,
  StreamError,
  writeAll,
} from "../../core/mod.ts";
import { decode, SOFTWARE } from "./options.ts";

/** The largest frame that is read; RTSP over WebSocket sends a packet or a few in each. */
const MAX_FRAME_BYTES = 1 << 20;
const MAX_HEADER_LINES = 100;

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/**
 * Connects to a WebSocket whose binary messages are one byte stream (contract §5.2: `#transport=ws://…`). The login of its
 * URL is shown as Basic or Digest when it is asked for.
 */
export async function connectWebSocket(text: string, signal: AbortSignal): Promise<StreamConn> {
  const url = new URL(text);
  const login = url.username === ""
    ? undefined
    : new LoginClient({ username: decode(url.username), password: decode(url.password) });
  for (;;) {
    const conn = await dial(url, signal);
    const stop = () => conn.close();
    signal.addEventListener("abort", stop, { once: true });
    try {
      const reader = new ByteReader(conn);
      await writeAll(conn, upgradeRequest(url, login?.authorize("GET", url.pathname + url.search)));
      const answer = await readAnswer(reader);
      if (answer.status === 101) return new WebSocketConn(conn, reader);
      conn.close();
      if (answer.status === 401 && login?.challenge(answer.headers.get("www-authenticate") ?? []) === "answer") {
        continue;
      }
      const code = answer.status === 401 ? "UNAUTHORIZED" : "REFUSED";
      const hint = answer.status === 401 ? "check its user and password" : "check the address of #transport";
      throw new StreamError(code, `rtsp: WebSocket ${redactUrls(text)} answered ${answer.status}: ${hint}`);
    } catch (error) {
      conn.close();
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

async function dial(url: URL, signal: AbortSignal): Promise<StreamConn> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isAddress = host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
  if (url.protocol === "ws:") return asOwnCall(await connectTcp({ host, port: Number(url.port || 80) }, { signal }));
  return asOwnCall(await connectTls({ host, port: Number(url.port || 443) }, { signal, insecure: isAddress }));
}

function upgradeRequest(url: URL, authorization: string | undefined): Uint8Array {
  const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: binary",
    `User-Agent: ${SOFTWARE}`,
    ...(authorization ? [`Authorization: ${authorization}`] : []),
  ];
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}

async function readAnswer(reader: ByteReader): Promise<Answer> {
  const start = await reader.readLine();
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(start)?.[1];
  if (!status) throw new StreamError("PROTOCOL", "rtsp: the other side of #transport does not speak HTTP");
  const headers = new Map<string, string[]>();
  for (let count = 0;; count++) {
    const line = await reader.readLine();
    if (line === "") return { status: Number(status), headers };
    if (count > MAX_HEADER_LINES) {
      throw new StreamError("PROTOCOL", "rtsp: the other side of #transport sends no end of headers");
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    headers.set(name, [...headers.get(name) ?? [], line.slice(colon + 1).trim()]);
  }
}

const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** The payloads of binary frames as one byte stream (RFC 6455 §5). */
class WebSocketConn implements StreamConn {
  readonly localAddress;
  readonly remoteAddress;
  readonly #conn: StreamConn;
  readonly #reader: ByteReader;
  // Of the frame that is being read.
  #left = 0;
  #mask: Uint8Array | undefined;
  #maskAt = 0;
  // Frames go out one after the other, whole.
  #sending: Promise<void> = Promise.resolve();

  constructor(conn: StreamConn, reader: ByteReader) {
    this.#conn = conn;
    this.#reader = reader;
    this.localAddress = conn.localAddress;
    this.remoteAddress = conn.remoteAddress;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#left === 0) if (!(await this.#nextFrame())) return null;
    const bytes = await this.#reader.readSome(Math.min(this.#left, buffer.length));
    if (!bytes) return null;
    buffer.set(bytes);
    if (this.#mask) { for (let i = 0; i < bytes.length; i++) buffer[i]! ^= this.#mask[this.#maskAt++ & 3]!; }
    this.#left -= bytes.length;
    return bytes.length;
  }

  // Reads up to the next payload of media; false: the other side has closed.
  async #nextFrame(): Promise<boolean> {
    const head = await this.#reader.readSome(1);
    if (!head) return false;
    const opcode = head[0]! & 15;
    const second = (await this.#reader.readExactly(1))[0]!;
    let length = second & 127;
    if (length === 126) {
      const bytes = await this.#reader.readExactly(2);
      length = bytes[0]! << 8 | bytes[1]!;
    } else if (length === 127) {
      const bytes = await this.#reader.readExactly(8);
      const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
      length = view.getUint32(0) > 0 ? Infinity : view.getUint32(4);
    }
    const isControl = opcode >= 8;
    if (length > (isControl ? 125 : MAX_FRAME_BYTES)) {
      throw new StreamError("PROTOCOL", "rtsp: a WebSocket frame passes its limit");
    }
    this.#mask = second & 128 ? await this.#reader.readExactly(4) : undefined;
    this.#maskAt = 0;
    if (opcode === BINARY || opcode === CONTINUATION) {
      this.#left = length;
      return true;
    }
    const payload = await this.#reader.readExactly(length);
    if (opcode === CLOSE) return false;
    if (opcode === PING) await this.#send(PONG, payload);
    else if (opcode !== PONG) {
      throw new StreamError("PROTOCOL", "rtsp: the WebSocket sends text, expected binary messages");
    }
    return true;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#send(BINARY, bytes);
    return bytes.length;
  }

  #send(opcode: number, payload: Uint8Array): Promise<void> {
    const frame = maskedFrame(opcode, payload);
    const sent = this.#sending.then(() => writeAll(this.#conn, frame));
    // Who waits for this frame is told; the next one finds out by itself.
    this.#sending = sent.catch(() => {});
    return sent;
  }

  close(): void {
    this.#conn.close();
  }
}

function maskedFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const frame = slab(2 + extended + 4 + length);
  const view = new DataView(frame.buffer, frame.byteOffset);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, length);
  else if (extended === 8) view.setUint32(6, length);
  const mask = crypto.getRandomValues(new Uint8Array(4));
  const at = 2 + extended + 4;
  frame.set(mask, at - 4);
  for (let i = 0; i < length; i++) frame[at + i] = payload[i]! ^ mask[i & 3]!;
  return frame;
}
