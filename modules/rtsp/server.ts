import type { Peer, PluginContext, StreamConn } from "../../core/mod.ts";
import type { RtspConfig } from "./options.ts";
import { ServerSession } from "./server_session.ts";
import { UdpPorts } from "./udp_ports.ts";

/** Serves players and publishers; answers what serves one connection. */
export function rtspServer(
  ctx: PluginContext<RtspConfig>,
): (conn: StreamConn, peer: Peer, signal: AbortSignal) => Promise<void> {
  const ports = new UdpPorts();
  ctx.defer(() => ports[Symbol.dispose]());
  const parts = {
    config: ctx.config,
    streams: ctx.streams,
    identify: ctx.identify,
    log: ctx.log,
    ports,
  };
  return (conn, peer, signal) => new ServerSession(conn, peer, parts).run(signal);
}
