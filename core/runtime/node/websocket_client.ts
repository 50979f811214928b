import { randomBytes } from "node:crypto";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { Inbox } from "../http/inbox.ts";
import { acceptKey } from "../http/upgrade.ts";
import { WebSocketLink } from "../http/websocket.ts";
import { NodeConn } from "./conn.ts";
import { nodeHttps } from "./secure.ts";

/** What a connection is made with, as Deno's `WebSocket` takes it. */
interface ClientOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: string | readonly string[];
}

/** The web's `WebSocket`, with headers: text and binary messages (as `ArrayBuffer`), no extensions. */
export class WebSocketClient extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly url: string;
  binaryType = "arraybuffer";
  #readyState: 0 | 1 | 2 | 3 = WebSocketClient.CONNECTING;
  readonly #link = new WebSocketLink("client");
  readonly #request: ClientRequest;

  constructor(url: string | URL, options: ClientOptions | string | readonly string[] = {}) {
    super();
    const target = new URL(url);
    this.url = target.href;
    const { headers = {}, protocols = [] } = typeof options === "string" || Array.isArray(options)
      ? { protocols: options as string | readonly string[] }
      : options as ClientOptions;
    const key = randomBytes(16).toString("base64");
    const offered = [protocols].flat().join(", ");
    const isSecure = target.protocol === "wss:" || target.protocol === "https:";
    const address = new URL(target.href.replace(/^ws/, "http"));
    this.#request = (isSecure ? nodeHttps().request : request)(address, {
      headers: {
        ...headers,
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-key": key,
        "sec-websocket-version": "13",
        ...(offered === "" ? {} : { "sec-websocket-protocol": offered }),
      },
    });
    this.#link.onMessage = (message) => this.#onMessage(message);
    this.#link.onClose = () => this.#onClose();
    this.#request.on("upgrade", (answer, socket, head) => void this.#onUpgrade(answer, socket as Socket, head, key));
    this.#request.on("response", (answer) => {
      answer.resume();
      this.#fail(`the server answered ${answer.statusCode} ${answer.statusMessage}`);
    });
    this.#request.on("error", (error) => this.#fail(error.message));
    this.#request.end();
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }
  get bufferedAmount(): number {
    return this.#link.bufferedAmount;
  }

  // Never rejects.
  async #onUpgrade(answer: IncomingMessage, socket: Socket, head: Uint8Array, key: string): Promise<void> {
    const conn = new NodeConn(socket);
    if (answer.headers["sec-websocket-accept"] !== await acceptKey(key)) {
      conn.close();
      return this.#fail("the server is no WebSocket server");
    }
    if (this.#readyState !== WebSocketClient.CONNECTING) return conn.close();
    this.#readyState = WebSocketClient.OPEN;
    this.#link.onOpen = () => this.dispatchEvent(new Event("open"));
    socket.setTimeout(0);
    socket.setNoDelay(true);
    await this.#link.run(conn, new Inbox(conn, head));
  }

  #onMessage(message: string | Uint8Array): void {
    this.dispatchEvent(new MessageEvent("message", { data: typeof message === "string" ? message : message.buffer }));
  }

  #fail(message: string): void {
    if (this.#readyState === WebSocketClient.CLOSED) return;
    this.dispatchEvent(Object.assign(new Event("error"), { message }));
    this.#link.end();
    this.#request.destroy();
  }

  #onClose(): void {
    this.#readyState = WebSocketClient.CLOSED;
    const { closeCode: code } = this.#link;
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason: "", wasClean: code !== 1006 }));
  }

  send(message: string | Uint8Array | ArrayBuffer): void {
    this.#link.send(message instanceof ArrayBuffer ? new Uint8Array(message) : message);
  }

  close(code = 1000, reason = ""): void {
    if (this.#readyState === WebSocketClient.CONNECTING) return this.#fail("the attempt was given up");
    if (this.#readyState === WebSocketClient.OPEN) {
      this.#readyState = WebSocketClient.CLOSING;
      this.#link.close(code, reason);
    }
  }
}
