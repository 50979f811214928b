/** Where something is on the server under test. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
  /** What follows the port in a URL. */
  readonly path: string;
}

const MAX_HEAD_BYTES = 64 << 10;

/** A text protocol on a connection of our own, before media flows: RTSP and HTTP look alike. */
export class Dialog {
  readonly conn: Deno.TcpConn;
  readonly #url: string;
  #sequence = 0;
  #session = "";
  /** What came behind the last answer. */
  rest: Uint8Array = new Uint8Array(0);

  private constructor(conn: Deno.TcpConn, url: string) {
    this.conn = conn;
    this.#url = url;
  }

  static async open({ hostname, port, path }: Target): Promise<Dialog> {
    const conn = await Deno.connect({ hostname, port });
    conn.setNoDelay(true);
    return new Dialog(conn, `rtsp://${hostname}:${port}${path}`);
  }

  /** One RTSP request and its answer's body; `suffix` goes behind the URL. */
  async ask(method: string, suffix = "", headers: readonly string[] = [], body = ""): Promise<string> {
    const lines = [
      `${method} ${this.#url}${suffix} RTSP/1.0`,
      `CSeq: ${++this.#sequence}`,
      ...(this.#session ? [`Session: ${this.#session}`] : []),
      ...headers,
      ...(body ? [`Content-Length: ${body.length}`] : []),
    ];
    const answer = await this.exchange(lines, body);
    this.#session ||= /^Session:\s*([^;\r\n]+)/im.exec(answer.head)?.[1] ?? "";
    return answer.body;
  }

  /** A request as RTSP that nobody waits for the answer of. */
  tell(method: string): Promise<void> {
    const session = this.#session ? `Session: ${this.#session}\r\n` : "";
    return this.write(`${method} ${this.#url} RTSP/1.0\r\nCSeq: ${++this.#sequence}\r\n${session}\r\n`);
  }

  /** Any request and its answer, whose status must be one of success. */
  async exchange(lines: readonly string[], body = ""): Promise<{ head: string; body: string }> {
    await this.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
    const { head, body: answer } = await this.#answer();
    if (!/^\S+ (?:101|2\d\d)/.test(head)) {
      throw new Error(`${lines[0]}: answered "${head.split("\r\n")[0]}" ${answer.trim()}`);
    }
    return { head, body: answer };
  }

  async write(message: string | Uint8Array): Promise<void> {
    let bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
    while (bytes.length > 0) bytes = bytes.subarray(await this.conn.write(bytes));
  }

  async #answer(): Promise<{ head: string; body: string }> {
    const buffer = new Uint8Array(MAX_HEAD_BYTES);
    const decoder = new TextDecoder("latin1");
    let end = 0;
    for (;;) {
      const text = decoder.decode(buffer.subarray(0, end));
      const cut = text.indexOf("\r\n\r\n");
      if (cut >= 0) {
        const length = Number(/^Content-Length:\s*(\d+)/im.exec(text.slice(0, cut))?.[1] ?? 0);
        if (end >= cut + 4 + length) {
          this.rest = buffer.slice(cut + 4 + length, end);
          return { head: text.slice(0, cut), body: text.slice(cut + 4, cut + 4 + length) };
        }
      }
      const count = await this.conn.read(buffer.subarray(end));
      if (!count) throw new Error("The server closed the connection before it had answered");
      end += count;
    }
  }

  close(): void {
    try {
      this.conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
