/** HTTP/1.1 and WebSockets over any byte stream: what every viewer's bytes pass through. */
export { serveOn } from "./server.ts";
export { acceptUpgrade } from "./upgrade.ts";
export { PushBody } from "./push_body.ts";
export { type HttpHandler, isOurs } from "./connection.ts";
