import { definePlugin, messageOf, PLUGIN_API } from "../../core/mod.ts";
import { type RtspConfig, rtspSchema } from "./options.ts";

/** What other modules are told of the server; the service `rtsp`. */
export interface RtspService {
  /** The addresses it listens at, as configured; empty: it is off. */
  readonly listen: readonly string[];
  /** The port of the first one, 0 when it is off. */
  readonly port: number;
  readonly default_query: string;
  readonly pkt_size: number;
}

/** RTSP cameras as sources, RTSP servers as sinks, and the RTSP server for players and publishers. */
export default definePlugin<RtspConfig>({
  name: "rtsp",
  api: PLUGIN_API,
  config: rtspSchema,
  async setup(ctx) {
    ctx.source(["rtsp", "rtsps", "rtspx"], {
      open: async (source, io) => await (await import("./producer.ts")).openCamera(source, io),
    });
    ctx.sink(["rtsp", "rtsps", "rtspx"], {
      open: async (sink, io) => await (await import("./push.ts")).openPush(sink, io),
    });
    const { listen, default_query, pkt_size } = ctx.config;
    const addresses = (typeof listen === "string" ? [listen] : listen).filter((address) => address !== "");
    const ports: number[] = [];
    if (addresses.length > 0) {
      const serve = (await import("./server.ts")).rtspServer(ctx);
      for (const address of addresses) {
        try {
          ports.push((await ctx.listen(address, serve)).address.port);
        } catch (error) {
          // The sources and the other addresses work without it.
          ctx.log.error(messageOf(error));
        }
      }
    }
    ctx.provide("rtsp", { listen: addresses, port: ports[0] ?? 0, default_query, pkt_size } satisfies RtspService);
  },
});
