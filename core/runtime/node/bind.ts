import * as net from "node:net";
import type { AddressInfo, Server } from "node:net";
import { getSystemErrorMap } from "node:util";
import type { SocketAddress } from "../types.ts";
import { errorWithCode, isAddressInUse } from "./errors.ts";

/** A bound socket inside Node. */
interface Handle {
  /** 0, or a negative error number: also that of the bind, which is told late. */
  getsockname(out: Record<string, unknown>): number;
  close(): void;
}

// What `listen()` calls itself after a turn of the event loop: callers are told of a failure within the call.
const createHandle = (net as unknown as {
  _createServerHandle(host: string, port: number, family: 4 | 6): Handle | number;
})._createServerHandle;

/** Has a server listen at an IP address or a unix socket; throws when that is taken or not of this machine. */
export function listenAt(server: Server, where: { host?: string; port?: number; path?: string }): SocketAddress {
  const { host, port = 0, path } = where;
  let failure: unknown;
  // Node tells of what fails here after this call.
  server.once("error", (error: Error) => failure = error);
  server.listen(path ?? (host ? bound(host, port) : boundToAll(port)));
  if (!server.listening) {
    throw failure ?? errorWithCode("EADDRINUSE", `Cannot listen on ${path ?? `${host ?? ""}:${port}`}`);
  }
  if (path !== undefined) return { host: "", port: 0, path };
  const bind = server.address() as AddressInfo;
  return { host: bind.address, port: bind.port };
}

// "::" takes IPv4 too; a machine without IPv6 listens on IPv4 alone.
function boundToAll(port: number): Handle {
  try {
    return bound("::", port);
  } catch (error) {
    if (isAddressInUse(error)) throw error;
    return bound("0.0.0.0", port);
  }
}

function bound(host: string, port: number): Handle {
  const literal = host.toLowerCase() === "localhost" ? "127.0.0.1" : host;
  const family = net.isIP(literal);
  if (family !== 4 && family !== 6) throw errorWithCode("EADDRNOTAVAIL", `"${host}" is no IP address`);
  const handle = createHandle(literal, port, family);
  if (typeof handle === "number") throw systemError(handle, host, port);
  const status = handle.getsockname({});
  if (status === 0) return handle;
  handle.close();
  throw systemError(status, host, port);
}

function systemError(status: number, host: string, port: number): Error {
  const [code, message] = getSystemErrorMap().get(status) ?? [`E${-status}`, "unknown error"];
  return errorWithCode(code, `${message} (${code} at ${host}:${port})`);
}
