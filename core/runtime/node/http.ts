import { type HttpHandler, serveOn } from "../http/mod.ts";
import type { HttpListenOptions, HttpServer } from "../types.ts";
import { listenTcp, listenUnix } from "./tcp.ts";

export { acceptUpgrade as upgradeWebSocket, PushBody } from "../http/mod.ts";

/** Serves HTTP/1.1. `handler` must not reject. Goes on when the system was out of descriptors. */
export function serveHttp(options: HttpListenOptions, handler: HttpHandler): HttpServer {
  const { host, port = 0, path, tls } = options;
  const listener = path !== undefined
    ? listenUnix(path)
    : listenTcp({ ...(host ? { host } : {}), port, ...(tls ? { tls } : {}) });
  return serveOn(listener, options, handler);
}
