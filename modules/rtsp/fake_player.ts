/** A player for tests: sends what it is told, word by word, and keeps what comes. */
import { connectTcp, type StreamConn, writeAll } from "../../core/mod.ts";
import { RtspParser, type RtspResponse } from "./message.ts";

export class FakePlayer implements Disposable {
  readonly packets: { readonly channel: number; readonly packet: Uint8Array }[] = [];
  readonly responses: RtspResponse[] = [];
  /** The order in which things came: `200`, `rtp 0`, `rtcp 1`. */
  readonly order: string[] = [];
  hasEnded = false;
  readonly ended: Promise<void>;
  readonly #conn: StreamConn;
  #sequence = 0;
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];
  #isReading = true;

  private constructor(conn: StreamConn) {
    this.#conn = conn;
    this.ended = this.#read();
  }

  static async connect(port: number): Promise<FakePlayer> {
    return new FakePlayer(await connectTcp({ host: "127.0.0.1", port }));
  }

  async #read(): Promise<void> {
    const parser = new RtspParser({
      onPacket: (channel, packet) => {
        this.packets.push({ channel, packet });
        this.order.push(`${channel & 1 ? "rtcp" : "rtp"} ${channel}`);
      },
      onMessage: (message) => {
        if (message.kind !== "response") return;
        this.responses.push(message);
        this.order.push(String(message.status));
      },
    });
    try {
      while (this.#isReading) {
        const count = await this.#conn.read(parser.space());
        if (count === null) break;
        parser.advance(count);
        this.#look();
      }
    } catch {
      // Closed from either side.
    }
    this.hasEnded = true;
    this.#look();
  }

  #look(): void {
    const met = this.#waiting.filter(({ isMet }) => isMet());
    this.#waiting = this.#waiting.filter((one) => !met.includes(one));
    for (const { resolve } of met) resolve();
  }

  /** Resolves when the condition is met, which is looked at whenever something comes. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }));
  }

  send(bytes: Uint8Array | string): Promise<void> {
    return writeAll(this.#conn, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  /** Sends a request and waits for its answer. */
  async ask(method: string, url: string, headers: readonly string[] = [], body = ""): Promise<RtspResponse> {
    const sequence = String(++this.#sequence);
    const length = body === "" ? [] : [`Content-Length: ${body.length}`];
    await this.send([`${method} ${url} RTSP/1.0`, `CSeq: ${sequence}`, ...headers, ...length, "", body].join("\r\n"));
    const find = () => this.responses.find((response) => response.headers.get("CSeq") === sequence);
    await this.until(() => find() !== undefined || this.hasEnded);
    const response = find();
    if (!response) throw new Error(`The server closed instead of answering ${method}`);
    return response;
  }

  /** DESCRIBE, SETUP of all tracks over TCP, PLAY. */
  async play(url: string): Promise<RtspResponse> {
    const description = await this.ask("DESCRIBE", url);
    for (const [, control] of description.body.matchAll(/a=control:(\S+)/g)) {
      await this.ask("SETUP", `${url}/${control}`, ["Transport: RTP/AVP/TCP;unicast;interleaved=90-91"]);
    }
    await this.ask("PLAY", url);
    return description;
  }

  on(channel: number): Uint8Array[] {
    return this.packets.filter((one) => one.channel === channel).map(({ packet }) => packet);
  }

  [Symbol.dispose](): void {
    this.#isReading = false;
    this.#conn.close();
  }
}
