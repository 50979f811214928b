/**
 * How this program knows itself when it is called. What a source's address leads to may be this program, by a redirect or
 * a name, and then the call would come from this machine, whose owner may do everything.
 */
import type { StreamConn } from "../runtime/types.ts";
import type { Peer } from "./types.ts";

const HEADER = "lenswire-self";

/** Goes with each HTTP request and WebSocket of this program. */
export const ownCallHeaders: Readonly<Record<string, string>> = { [HEADER]: crypto.randomUUID() };

/** Whether it is this program that sends a request. */
export function isOwnCall(headers: Peer["headers"]): boolean {
  return headers?.get(HEADER) === ownCallHeaders[HEADER];
}

// How many have that port: a port is free for another address at the same time.
const ports = new Map<number, number>();

function count(port: number, by: number): void {
  const sum = (ports.get(port) ?? 0) + by;
  if (sum > 0) ports.set(port, sum);
  else ports.delete(port);
}

/** Remembers a connection that this program made, until it is closed. */
export function asOwnCall<T extends StreamConn>(conn: T): T {
  const { port } = conn.localAddress;
  count(port, 1);
  const close = conn.close.bind(conn);
  let isOpen = true;
  conn.close = () => {
    if (isOpen) count(port, -1);
    isOpen = false;
    close();
  };
  return conn;
}

/** Whether a port of this machine is the near end of a connection that is remembered. */
export function isOwnCaller(port: number): boolean {
  return ports.has(port);
}
