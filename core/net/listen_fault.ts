import { messageOf } from "../util/errors.ts";

/** Why nobody can listen at an address, to go into a line: `Cannot listen on :80: <why>`. A unix socket has no port. */
export function listenFault(error: unknown, port: number | undefined): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return `the ${port === undefined ? "path" : "port"} is in use by another program`;
  if (code === "EADDRNOTAVAIL") return "this machine does not have that address";
  if (code !== "EACCES") return messageOf(error);
  return port && port < 1024
    ? "ports below 1024 are for root and programs with the capability CAP_NET_BIND_SERVICE"
    : "the system does not permit it";
}
