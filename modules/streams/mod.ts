import { definePlugin, PLUGIN_API } from "../../core/mod.ts";
import { servePreloads } from "./preload_routes.ts";
import { serveStreams } from "./stream_routes.ts";

/** The table of streams over HTTP. */
export default definePlugin({
  name: "streams",
  api: PLUGIN_API,
  setup(ctx) {
    serveStreams(ctx);
    servePreloads(ctx);
  },
});
