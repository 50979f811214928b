import type { ServerSocket, StreamConn } from "../types.ts";
import type { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { WebSocketLink } from "./websocket.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A WebSocket that was agreed to and is to be opened. */
export interface Upgrade {
  readonly link: WebSocketLink;
  readonly key: string;
  readonly protocol: string | undefined;
}

const upgrades = new WeakMap<Response, Upgrade>();

/** Answers a WebSocket upgrade of this server: return `response` from the handler, then use `socket`. */
export function acceptUpgrade(request: Request): { response: Response; socket: ServerSocket } {
  const { headers } = request;
  const key = headers.get("sec-websocket-key");
  const isUpgrade = /\bupgrade\b/i.test(headers.get("connection") ?? "");
  if (!isUpgrade || headers.get("upgrade")?.toLowerCase() !== "websocket" || key === null) {
    throw new TypeError("Request is no WebSocket upgrade");
  }
  const link = new WebSocketLink("server");
  const protocol = headers.get("sec-websocket-protocol")?.split(",")[0]?.trim();
  // The web's own constructor refuses this status, which tells everyone to leave the answer as it is.
  const response = Object.defineProperty(new Response(null), "status", { value: 101 });
  upgrades.set(response, { link, key, protocol });
  return { response, socket: link };
}

/** The WebSocket that an answer agrees to. */
export function upgradeOf(response: Response): Upgrade | undefined {
  return upgrades.get(response);
}

/** Sends the answer of an upgrade and runs its socket until that has ended. Never rejects. */
export async function runUpgrade({ link, key, protocol }: Upgrade, conn: StreamConn, inbox: Inbox): Promise<void> {
  const head = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${await acceptKey(key)}`,
    ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
  ].join("\r\n");
  const outbox = new Outbox(conn);
  outbox.send(new TextEncoder().encode(`${head}\r\n\r\n`));
  await outbox.drained();
  if (outbox.hasFailed) link.end();
  else await link.run(conn, inbox);
}

/** What a server answers to a client's key (RFC 6455 §4.2.2). */
export async function acceptKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + GUID));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
