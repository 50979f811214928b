import {
  jsonResponse,
  type KernelService,
  mediasOfProbe,
  type PluginContext,
  type RouteHandler,
  type RouteRequest,
  StreamError,
  type StreamsControl,
} from "../../core/mod.ts";
import { answering, ok, sourceOf } from "./answers.ts";
import { Probe } from "./probe.ts";

/** The table of streams (contract §3.5, §3.6). */
export function serveStreams(ctx: PluginContext): void {
  const { streams } = ctx;
  const { control } = streams;
  // Values of variables and logins are shown to nobody (contract §1.4).
  const { mask } = ctx.use<KernelService>("kernel")!.log;

  const list = ({ principal }: RouteRequest) => jsonResponse(control.list(principal), { mask });
  /** Without a source, PUT and DELETE answer the list, as clients are used to. */
  const orList = (handler: RouteHandler): RouteHandler => (call) =>
    sourceOf(call.query) === "" ? list(call) : handler(call);
  /** What is changed but cannot be saved is no fault of the server. */
  const saving = (handler: RouteHandler): RouteHandler =>
    answering("REFUSED", 400, async (call) => {
      try {
        return await handler(call);
      } catch (error) {
        // Without a file there is nothing to be mended.
        if (error instanceof StreamError && error.cause) ctx.log.warn(error.message);
        throw error;
      }
    });

  const describe = (name: string, { principal }: RouteRequest): Response => {
    const stream = control.describe(name, principal);
    if (!stream) throw new StreamError("NOT_FOUND", "stream not found");
    return jsonResponse(stream, { pretty: true, mask });
  };

  const probe = async (call: RouteRequest): Promise<Response> => {
    const name = sourceOf(call.query);
    const medias = mediasOfProbe(call.query);
    if (medias.length === 0) return describe(name, call);
    const stream = streams.get(name, call.principal);
    if (!stream) throw new StreamError("NOT_FOUND", "stream not found");
    const consumer = new Probe(medias, call.remoteAddr, call.request.headers.get("user-agent") ?? "");
    using _ = await stream.attach(consumer, call.principal, call.request.signal);
    return describe(name, call);
  };

  ctx.http.get("/api/streams", {
    summary: "The streams with their producers and consumers; with a codec filter, dials the sources first",
    needs: "watch",
    query: { src: "One stream", "video, audio, microphone": "Codec filter of a probe" },
  }, orList(probe));
  ctx.http.put(
    "/api/streams",
    {
      summary: "Creates a stream or gives it other sources, and saves it",
      needs: "operate",
      query: { src: "Source, repeatable", name: "Stream name; default: the first source" },
    },
    orList(saving(async ({ query, principal }) => {
      const sources = query.getAll("src");
      await control.put(query.get("name") ?? sources[0]!, sources, principal);
      return ok();
    })),
  );
  ctx.http.patch(
    "/api/streams",
    {
      summary: "Sets a stream's source, an alias or a template's input, without saving",
      needs: "operate",
      query: { src: "Source", name: "Stream name" },
    },
    orList(({ query, principal }) => {
      const name = query.get("name");
      if (!name) throw new StreamError("BAD_SOURCE", 'Query needs the stream\'s "name"');
      control.patch(name, sourceOf(query), principal);
      return ok();
    }),
  );
  ctx.http.delete(
    "/api/streams",
    {
      summary: "Removes a stream, also from the config",
      needs: "operate",
      query: { src: "Stream name" },
    },
    orList(saving(async ({ query, principal }) => {
      await control.remove(sourceOf(query), principal);
      return ok();
    })),
  );
  ctx.http.post("/api/streams", {
    summary: "Plays a source to a camera's speaker, or publishes a stream",
    needs: "operate",
    query: { dst: "Camera to play to, or URL to publish to", src: "Source to play, or stream to publish" },
  }, (call) => postTo(control, call, describe));

  ctx.http.get(
    "/api/streams.dot",
    {
      summary: "The graph of connections, for Graphviz",
      needs: "watch",
      camera: () => null,
      query: { src: "Stream, repeatable" },
    },
    ({ query, principal }) => {
      const graph = mask(control.dot(query.getAll("src"), principal));
      return new Response(graph, { headers: { "content-type": "text/vnd.graphviz" } });
    },
  );
}

async function postTo(
  control: StreamsControl,
  call: RouteRequest,
  describe: (name: string, call: RouteRequest) => Response,
): Promise<Response> {
  const { query, principal, request } = call;
  const dst = query.get("dst");
  const src = sourceOf(query);
  if (dst === null) {
    throw new StreamError("BAD_SOURCE", 'Query needs "dst": a camera to play to, or a URL to publish to');
  }
  if (control.describe(dst, principal)) {
    await control.play(dst, src, principal, request.signal);
    return describe(dst, call);
  }
  if (!control.describe(src, principal)) throw new StreamError("NOT_FOUND", "stream not found");
  await control.publish(src, dst, principal);
  return ok();
}
