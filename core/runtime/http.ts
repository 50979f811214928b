import { listenTcp, listenUnix } from "./deno.ts";
import { acceptUpgrade, type HttpHandler, isOurs, serveOn } from "./http/mod.ts";
import { serveHttps, upgradeHttps } from "./https.ts";
import type { HttpListenOptions, HttpServer, ServerSocket } from "./types.ts";

export { PushBody } from "./http/mod.ts";

/**
 * Serves HTTP/1.1, over TLS also h2, which only the runtime's own server speaks. `handler` must not reject. Goes on when the
 * system was out of descriptors.
 */
export function serveHttp(options: HttpListenOptions, handler: HttpHandler): HttpServer {
  const { host, port = 0, path, tls } = options;
  if (tls) return serveHttps({ ...options, tls }, handler);
  const listener = path === undefined ? listenTcp({ ...(host ? { host } : {}), port }) : listenUnix(path);
  return serveOn(listener, options, handler);
}

/** Answers a WebSocket upgrade: return `response` from the handler, then use `socket`. */
export function upgradeWebSocket(request: Request): { response: Response; socket: ServerSocket } {
  return isOurs(request) ? acceptUpgrade(request) : upgradeHttps(request);
}
