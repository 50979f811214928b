import {
  jsonResponse,
  type KernelService,
  messageOf,
  type PluginContext,
  type RouteRequest,
  StreamError,
  textResponse,
} from "../../core/mod.ts";

/** `/api/config`: the config file as it is, replaced as a whole, or merged into (contract §3.4). */
export function serveConfig(ctx: PluginContext, kernel: KernelService): void {
  const whenEnabled = (handler: (call: RouteRequest) => Promise<Response>) => async (call: RouteRequest) => {
    if (kernel.configPath === undefined) return textResponse(410, "config file disabled");
    return await handler(call);
  };
  ctx.http.get(
    "/api/config",
    {
      summary: "The config file",
      needs: "admin",
      responses: { 404: "There is no file yet", 410: "No config file is in use" },
    },
    whenEnabled(async () => {
      try {
        return new Response(await kernel.config.text(), { headers: { "content-type": "application/yaml" } });
      } catch (error) {
        if (!(error instanceof StreamError) || error.code !== "NOT_FOUND") throw error;
        return textResponse(404, "There is no config file yet, saving makes one");
      }
    }),
  );
  ctx.http.get(
    "/api/config/problems",
    { summary: "What is wrong with the config now, one line each", needs: "admin" },
    () => jsonResponse(kernel.config.problems()),
  );
  ctx.http.post(
    "/api/config",
    {
      summary: "Replaces the config file; changed streams are applied at once",
      needs: "admin",
      responses: { 409: "Stored, but the keys that it names are not applied", 500: "The body is no YAML" },
    },
    whenEnabled(async ({ request, principal }) => {
      return answer(await write(500, await request.text(), (text) => kernel.config.replace(text, principal)));
    }),
  );
  ctx.http.patch(
    "/api/config",
    {
      summary: "Merges YAML or JSON into the config file, comments kept",
      needs: "admin",
      responses: { 400: "The body cannot be merged", 409: "Stored, but the keys that it names are not applied" },
    },
    whenEnabled(async ({ request, principal }) => {
      return answer(await write(400, await request.text(), (text) => kernel.config.merge(text, principal)));
    }),
  );
}

async function write(
  badStatus: number,
  text: string,
  save: (text: string) => Promise<readonly string[]>,
): Promise<readonly string[] | Response> {
  try {
    return await save(text);
  } catch (error) {
    if (error instanceof SyntaxError) return textResponse(badStatus, messageOf(error));
    throw error;
  }
}

function answer(result: readonly string[] | Response): Response {
  if (result instanceof Response) return result;
  if (result.length === 0) return new Response(null, { status: 200 });
  const keys = result.map((key) => `"${key}"`).join(", ");
  return textResponse(
    409,
    `Saved, and applied but for ${keys}: to decide who may do what and what runs commands, open the link that the program printed at its start and save again`,
  );
}
