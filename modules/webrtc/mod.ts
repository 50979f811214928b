import { definePlugin, jsonResponse, PLUGIN_API } from "../../core/mod.ts";
import { type OpenSource, sourceStats } from "./client/open_sources.ts";
import { serveHass } from "./hass.ts";
import { serveHttp } from "./http.ts";
import { IceTransport } from "./ice_transport.ts";
import { LazyAccel } from "./lazy_accel.ts";
import { iceServersOf, type WebRtcConfig, webRtcSchema } from "./options.ts";
import { serveSockets } from "./signalling_ws.ts";

/** Browsers and other WebRTC peers as viewers and publishers, all on one port, and WebRTC servers as sources. */
export default definePlugin<WebRtcConfig>({
  name: "webrtc",
  api: PLUGIN_API,
  config: webRtcSchema,
  async setup(ctx) {
    const { listen, candidates, filters, limits } = ctx.config;
    const iceServers = iceServersOf(ctx.config.ice_servers);
    const accel = new LazyAccel(ctx.config.accel);
    const transport = await IceTransport.open({
      listen,
      candidates,
      filters,
      serverUrls: iceServers.flatMap(({ urls }) => urls),
      log: ctx.log,
      openListener: (address, serve) => ctx.listen(address, serve, "listen tcp"),
      batchOf: accel.batchOf,
    });
    ctx.defer(async () => {
      accel[Symbol.dispose]();
      transport[Symbol.dispose]();
      await transport.released;
    });
    const host = listen.replace(/:?\d*(\/\w+)?$/, "");
    const [udp] = transport.udpAddresses;
    if (udp) ctx.log.info("listen udp", { addr: `${host}:${udp.port}` });

    // What a session needs is loaded when the first peer comes.
    let opening: Promise<import("./engine.ts").Engine> | undefined;
    const engine = () => {
      opening ??= import("./engine.ts").then(async ({ Engine }) => {
        const engine = await Engine.open({ transport, accel: accel.open(), limits, iceServers, log: ctx.log });
        ctx.defer(() => engine.close("the server stops"));
        if (ctx.signal.aborted) engine.close("the server stops");
        return engine;
      }).catch((error) => {
        opening = undefined;
        throw error;
      });
      return opening;
    };
    serveHttp(ctx, engine, iceServers);
    serveHass(ctx, engine);
    serveSockets(ctx, engine);
    const sources = new Set<OpenSource>();
    ctx.defer(async () => void await Promise.all(Array.from(sources, ({ peer }) => peer.released)));
    ctx.http.get("/api/webrtc/stats", { summary: "The peers, and what was dropped", needs: "operate" }, async () => {
      const shown = { accel: accel.summary ?? "not needed yet", transport: transport.stats };
      const sessions = opening ? (await opening).stats() : [];
      return jsonResponse({ ...shown, sessions, sources: sourceStats(sources) }, { pretty: true });
    });
    ctx.metrics.gauge("webrtc_sessions", "WebRTC peers that are connected or connecting", () => [
      { value: transport.stats.sessions },
    ]);
    const openTransport = ({ isLocal }: { isLocal: boolean }) =>
      // One for each source: two ports can carry one session only, and a server has one port for all.
      IceTransport.open({
        listen: "",
        candidates: [],
        // Contract §6.1: the server's filters are the sources' where neither has a port of its own.
        filters: { ...(listen === "" ? filters : {}), ...(isLocal ? { loopback: true } : {}) },
        serverUrls: [],
        log: ctx.log,
        openListener: ctx.listen,
      });
    ctx.source("webrtc", {
      open: async (source, io) => {
        const { openWebRtcSource } = await import("./client/mod.ts");
        return await openWebRtcSource(source, io, { openTransport, iceServers, accel: accel.open(), sources });
      },
    });
    ctx.provide("webrtc", { addCandidate: (address: string) => transport.addCandidate(address), engine });
  },
});
