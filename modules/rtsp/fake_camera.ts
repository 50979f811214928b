/** A camera for tests, written from the device's side: it reads requests as text and answers what the test says. */
import { listenTcp, type StreamConn, type StreamListener, type TlsIdentity, writeAll } from "../../core/mod.ts";

/** A request as the camera reads it. */
export interface CameraRequest {
  readonly method: string;
  readonly url: string;
  /** Line by line, as it came. */
  readonly lines: readonly string[];
  /** A header's value; names in the exact case of the standard. */
  header(name: string): string | undefined;
}

/** What a camera says to a request: an answer's text, `"close"`, or nothing at all. */
export type Script = (request: CameraRequest, camera: FakeCamera) => string | undefined;

/** An answer with its number; a body gets its length. */
export function answer(
  request: CameraRequest,
  status: string,
  headers: readonly string[] = [],
  body = "",
): string {
  const length = body === "" ? [] : [`Content-Length: ${new TextEncoder().encode(body).length}`];
  return [`RTSP/1.0 ${status}`, `CSeq: ${request.header("CSeq")}`, ...headers, ...length, "", body].join("\r\n");
}

/** The lines of an SDP. */
export function sdp(...medias: readonly string[]): string {
  return ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=Camera", "t=0 0", ...medias, ""].join("\r\n");
}

export const PCMA_LINES = ["m=audio 0 RTP/AVP 8", "a=control:track2"];
export const VP8_LINES = ["m=video 0 RTP/AVP 97", "a=rtpmap:97 VP8/90000", "a=control:track1"];
export const SPEAKER_LINES = ["m=audio 0 RTP/AVP 8", "a=sendonly", "a=control:track3"];

/** A camera that does all that is asked of it: the base of scripts that do one thing otherwise. */
export function obedient(description: string): Script {
  return (request) => {
    switch (request.method) {
      case "DESCRIBE":
        return answer(request, "200 OK", ["Content-Type: application/sdp"], description);
      case "SETUP":
        return answer(request, "200 OK", [`Transport: ${request.header("Transport")}`, "Session: 42;timeout=60"]);
      default:
        return answer(request, "200 OK", ["Session: 42"]);
    }
  };
}

/** An interleaved RTP packet. */
export function rtpFrame(
  channel: number,
  { sequence, timestamp, payload, payloadType = 97, marker = true }: {
    sequence: number;
    timestamp: number;
    payload: Uint8Array;
    payloadType?: number;
    marker?: boolean;
  },
): Uint8Array {
  const frame = new Uint8Array(16 + payload.length);
  const view = new DataView(frame.buffer);
  frame.set([0x24, channel]);
  view.setUint16(2, 12 + payload.length);
  frame.set([0x80, (marker ? 0x80 : 0) | payloadType], 4);
  view.setUint16(6, sequence);
  view.setUint32(8, timestamp);
  view.setUint32(12, 0x1234);
  frame.set(payload, 16);
  return frame;
}

/** One VP8 keyframe's packet, 16x16. */
export function vp8Payload(): Uint8Array {
  return Uint8Array.of(0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0, 1, 2, 3);
}

export class FakeCamera implements AsyncDisposable {
  readonly requests: CameraRequest[] = [];
  /** Interleaved packets that came, by channel. */
  readonly packets: { readonly channel: number; readonly packet: Uint8Array }[] = [];
  /** Answers to requests of ours. */
  readonly answers: string[] = [];
  connections = 0;
  /** It reads nothing until this resolves. */
  busy: Promise<void> = Promise.resolve();
  readonly #listener: StreamListener;
  readonly #script: Script;
  readonly #conns = new Set<StreamConn>();
  readonly #serving: Promise<void>;
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];
  #newest: StreamConn | undefined;

  constructor(script: Script, tls?: TlsIdentity) {
    this.#script = script;
    this.#listener = listenTcp({ host: "127.0.0.1", port: 0, ...(tls ? { tls } : {}) });
    this.#serving = this.#accept();
  }

  get port(): number {
    return this.#listener.address.port;
  }
  /** Connections that are open. */
  get open(): number {
    return this.#conns.size;
  }
  /** The camera's address as a source has it. */
  source(options = "", login = ""): string {
    return `rtsp://${login}127.0.0.1:${this.port}/live?a=1${options}`;
  }

  methods(): string[] {
    return this.requests.map(({ method }) => method);
  }

  /** Resolves when the condition is met, which is looked at whenever something comes. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }));
  }

  #look(): void {
    const met = this.#waiting.filter(({ isMet }) => isMet());
    this.#waiting = this.#waiting.filter((one) => !met.includes(one));
    for (const { resolve } of met) resolve();
  }

  async send(bytes: Uint8Array | string): Promise<void> {
    await writeAll(this.#newest!, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  async #accept(): Promise<void> {
    const open = new Set<Promise<void>>();
    for (;;) {
      try {
        const conn = await this.#listener.accept();
        this.connections++;
        this.#newest = conn;
        this.#conns.add(conn);
        open.add(this.#serve(conn));
      } catch {
        break;
      }
    }
    await Promise.all(open);
  }

  async #serve(conn: StreamConn): Promise<void> {
    let bytes = new Uint8Array(0);
    const buffer = new Uint8Array(64 << 10);
    try {
      for (;;) {
        await this.busy;
        const count = await conn.read(buffer);
        if (count === null) break;
        const joined = new Uint8Array(bytes.length + count);
        joined.set(bytes);
        joined.set(buffer.subarray(0, count), bytes.length);
        bytes = await this.#take(conn, joined);
        this.#look();
      }
    } catch {
      // The client has gone.
    }
    conn.close();
    this.#conns.delete(conn);
    this.#look();
  }

  async #take(conn: StreamConn, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      if (bytes[0] === 0x24) {
        const end = bytes.length < 4 ? Infinity : 4 + (bytes[2]! << 8 | bytes[3]!);
        if (bytes.length < end) return bytes;
        this.packets.push({ channel: bytes[1]!, packet: bytes.slice(4, end) });
        bytes = bytes.slice(end);
        continue;
      }
      const text = new TextDecoder().decode(bytes);
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return bytes;
      const lines = text.slice(0, end).split("\r\n");
      const length = Number(lines.find((line) => line.startsWith("Content-Length: "))?.slice(16) ?? 0);
      if (bytes.length < end + 4 + length) return bytes;
      bytes = bytes.slice(end + 4 + length);
      if (lines[0]!.startsWith("RTSP/")) {
        this.answers.push(lines.join("\n"));
        continue;
      }
      const [method = "", url = ""] = lines[0]!.split(" ");
      const request: CameraRequest = {
        method,
        url,
        lines,
        header: (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2),
      };
      this.requests.push(request);
      const said = this.#script(request, this);
      if (said === "close") {
        conn.close();
        return bytes;
      }
      if (said !== undefined) await writeAll(conn, new TextEncoder().encode(said));
    }
  }

  /** Breaks all connections off. */
  drop(): void {
    for (const conn of this.#conns) conn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.drop();
    await this.#serving;
  }
}
