import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import type { ServerSocket } from "../types.ts";
import { WebSocketLink } from "./websocket_link.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

interface Upgrade {
  readonly link: WebSocketLink;
  readonly acceptKey: string;
  readonly protocol: string | undefined;
}

const upgrades = new WeakMap<Response, Upgrade>();

/** Answers a WebSocket upgrade: return `response` from the handler, then use `socket`. */
export function upgradeWebSocket(request: Request): { response: Response; socket: ServerSocket } {
  const { headers } = request;
  const key = headers.get("sec-websocket-key");
  const isUpgrade = /\bupgrade\b/i.test(headers.get("connection") ?? "");
  if (!isUpgrade || headers.get("upgrade")?.toLowerCase() !== "websocket" || key === null) {
    throw new TypeError("Request is no WebSocket upgrade");
  }
  const link = new WebSocketLink("server");
  const acceptKey = createHash("sha1").update(key + GUID).digest("base64");
  const protocol = headers.get("sec-websocket-protocol")?.split(",")[0]?.trim();
  // The web's own constructor refuses this status, which tells everyone to leave the answer as it is.
  const response = Object.defineProperty(new Response(null), "status", { value: 101 });
  upgrades.set(response, { link, acceptKey, protocol });
  return { response, socket: link };
}

/** Sends the answer of an upgrade and opens its socket; false: it is an ordinary answer. */
export function completeUpgrade(response: Response, socket: Socket, head: Uint8Array): boolean {
  const upgrade = upgrades.get(response);
  if (!upgrade) return false;
  const { link, acceptKey, protocol } = upgrade;
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptKey}`,
    ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  link.open(socket, head);
  return true;
}
