import { jsonResponse, type PluginContext, textResponse } from "../../core/mod.ts";
import { type Answering, MAX_SDP_BYTES, offerOf, sdpOfForm } from "./http.ts";

const OK = { status: 1, payload: {} };

/** The routes of RTSPtoWebRTC, which older Home Assistant integrations use (contract §3.10). */
export function serveHass(ctx: PluginContext, answering: () => Promise<Answering>): void {
  const quiet = { needs: "watch", camera: () => null } as const;
  for (const path of ["/static", "/streams"]) {
    ctx.http.any(path, { summary: "Says that the program is there (RTSPtoWebRTC)", ...quiet }, () => jsonResponse(OK));
  }
  ctx.http.post("/stream/*", {
    summary: "Adds a stream (…/add), or answers an offer (…/channel/0/webrtc) (RTSPtoWebRTC)",
    ...quiet,
    responses: { 400: "The body cannot be read", 404: "There is no such stream" },
    maxBodyBytes: MAX_SDP_BYTES * 2,
  }, async (call) => {
    const { url, request, principal } = call;
    // The name is taken as it stands in the path (contract §3.10).
    const [, name = "", rest = ""] = /\/stream\/([^/]*)\/?(.*)$/.exec(url.pathname) ?? [];
    if (rest === "add") {
      const { name, source } = addition(await request.text());
      if (!name || !source) return textResponse(400, 'Expected {"name": "…", "channels": {"0": {"url": "…"}}}');
      ctx.streams.control.patch(name, source, principal);
      return jsonResponse(OK);
    }
    if (rest !== "channel/0/webrtc") return textResponse(404, "404 page not found");
    const stream = ctx.streams.get(name, principal);
    if (!stream) return textResponse(404, "stream not found");
    const sdp = sdpOfForm(await request.text());
    const { answer } = await (await answering()).accept(offerOf(call, stream, "viewer", "hass/webrtc", sdp));
    return new Response(btoa(answer), { headers: { "content-type": "text/plain; charset=utf-8" } });
  });
}

function addition(text: string): { name?: string; source?: string } {
  try {
    const { name, channels } = JSON.parse(text) as { name?: string; channels?: { "0"?: { url?: string } } };
    const source = channels?.["0"]?.url;
    return typeof name === "string" && typeof source === "string" ? { name, source } : {};
  } catch {
    // Not JSON: the caller says what was expected.
    return {};
  }
}
