import { definePlugin, PLUGIN_API } from "../../core/mod.ts";
import { StaticFolder } from "./static_folder.ts";
import { folderUrl, wwwSchema } from "./options.ts";

/**
 * The built-in pages load nothing from elsewhere; they may be shown in frames of other pages (dashboards). Chromium asks
 * `connect-src` too for the picture that the player keeps as its poster.
 */
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
  "media-src 'self' blob: data: https: http:; connect-src 'self' data: ws: wss:; base-uri 'none'; form-action 'self'";

/** The web pages and the player, or the folder `api.static_dir` in their place. */
export default definePlugin({
  name: "www",
  api: PLUGIN_API,
  sections: ["api"],
  config: wwwSchema,
  setup(ctx) {
    const { static_dir: own, base_path: base } = ctx.config.api;
    const folder = own === ""
      ? new StaticFolder(new URL("../../www/", import.meta.url), { "content-security-policy": POLICY })
      : new StaticFolder(folderUrl(own));
    const prefix = `/${base.replace(/^\/+|\/+$/g, "")}/`.replace(/^\/\/$/, "/");
    ctx.http.get("/*", {
      summary: "The web pages and the player",
      // Whoever may come in at all: the pages show nothing that the API would not.
      needs: "watch",
      camera: () => null,
      responses: { "200": "The file", "304": "Not changed", "404": "No such file" },
    }, ({ request, url }) => folder.respond(url.pathname.slice(prefix.length), request.headers));
  },
});
