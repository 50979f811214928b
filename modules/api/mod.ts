import { definePlugin, jsonResponse, type KernelService, PLUGIN_API, textResponse } from "../../core/mod.ts";
import { serveConfig } from "./config_routes.ts";

/** The program itself over HTTP: version, log, config, exit, restart, schemes (contract §3.3, §3.4, §3.8). */
export default definePlugin({
  name: "api",
  api: PLUGIN_API,
  requires: ["kernel"],
  setup(ctx) {
    const kernel = ctx.use<KernelService>("kernel")!;

    ctx.http.get(
      "/api",
      { summary: "Version, config file, RTSP listener", needs: "watch", camera: () => null },
      ({ request, url, principal }) => {
        const rtsp = kernel.rtsp();
        return jsonResponse({
          ...(principal.mayOperate && kernel.configPath !== undefined ? { config_path: kernel.configPath } : {}),
          host: request.headers.get("host") ?? url.host,
          lenswire: kernel.lenswireVersion,
          ...(kernel.isOpen ? { open: true } : {}),
          revision: kernel.revision,
          ...(rtsp ? { rtsp } : {}),
          version: kernel.version,
        });
      },
    );
    ctx.http.post(
      "/api/exit",
      { summary: "Ends the program", needs: "admin", query: { code: "0 to 125, default 0" } },
      ({ query }) => {
        const code = Number(query.get("code") ?? 0);
        if (!Number.isInteger(code) || code < 0 || code > 125) {
          return textResponse(400, "Code must be in the range [0, 125]");
        }
        kernel.exit(code);
        return new Response(null, { status: 200 });
      },
    );
    ctx.http.post("/api/restart", { summary: "Starts the program anew, the config read again", needs: "admin" }, () => {
      kernel.restart();
      return new Response(null, { status: 200 });
    });
    ctx.http.get(
      "/api/log",
      { summary: "The newest log lines as JSON, one a line", needs: "admin" },
      ({ principal }) =>
        new Response(kernel.log.jsonLines(principal), { headers: { "content-type": "application/jsonlines" } }),
    );
    ctx.http.delete("/api/log", { summary: "Clears the log in memory", needs: "admin" }, () => {
      kernel.log.clear();
      return new Response("OK", { headers: { "content-type": "text/plain; charset=utf-8" } });
    });
    ctx.http.get(
      "/api/schemes",
      { summary: "The schemes of all sources", needs: "watch" },
      () => jsonResponse(kernel.schemes()),
    );
    serveConfig(ctx as Parameters<typeof serveConfig>[0], kernel);
  },
});
