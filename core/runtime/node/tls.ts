import { isIP } from "node:net";
import type { StreamConn, TlsClientOptions } from "../types.ts";
import { NodeConn } from "./conn.ts";
import { nodeTls } from "./secure.ts";
import { established } from "./tcp.ts";

/** Connects to a TLS port; the certificate is checked unless `insecure`. */
export async function connectTls(
  to: { host: string; port: number },
  options: TlsClientOptions = {},
): Promise<StreamConn> {
  const { insecure = false, serverName = to.host, signal } = options;
  signal?.throwIfAborted();
  const socket = nodeTls().connect({
    ...to,
    rejectUnauthorized: !insecure,
    // An address is no name, but certificates can be of one.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
  });
  socket.setNoDelay(true);
  await established(socket, "secureConnect", signal);
  return new NodeConn(socket);
}
