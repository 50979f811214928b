import { jsonResponse, type PluginContext } from "../../core/mod.ts";
import { answering, ok, sourceOf } from "./answers.ts";

/** The streams that are kept connected (contract §3.7). */
export function servePreloads(ctx: PluginContext): void {
  const { control } = ctx.streams;
  ctx.http.get(
    "/api/preload",
    { summary: "The streams that are kept connected", needs: "watch" },
    ({ principal }) => jsonResponse(control.preloads(principal)),
  );
  ctx.http.put(
    "/api/preload",
    {
      summary: "Keeps a stream connected, and saves that",
      needs: "operate",
      query: { src: "Stream name", "video, audio, microphone": "Codec filter" },
    },
    answering("NOT_FOUND", 500, async ({ query, principal }) => {
      await control.preload(sourceOf(query), query, principal);
      return ok();
    }),
  );
  ctx.http.delete(
    "/api/preload",
    {
      summary: "Lets a stream go again",
      needs: "operate",
      query: { src: "Stream name" },
    },
    answering("NOT_FOUND", 500, async ({ query, principal }) => {
      await control.unpreload(sourceOf(query), principal);
      return ok();
    }),
  );
}
