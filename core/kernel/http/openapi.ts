import type { SocketMessageType } from "./sockets.ts";
import type { Route } from "./router.ts";

const ALL_METHODS = ["get", "post", "put", "patch", "delete"];

/** Describes the routes as an OpenAPI 3.1 document. */
export function openApiDocument(
  routes: readonly Route[],
  messages: readonly SocketMessageType[],
  version: string,
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/\*$/, "{rest}");
    const methods = route.method === "*" ? ALL_METHODS : [route.method.toLowerCase()];
    for (const method of methods) {
      const operations = paths[path] ??= {};
      operations[method] ??= operationOf(route, path.endsWith("{rest}"));
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: "Lenswire", version },
    components: {
      securitySchemes: {
        basic: { type: "http", scheme: "basic" },
        token: { type: "http", scheme: "bearer", description: "The set-up token that the log shows at start" },
      },
    },
    security: [{}, { basic: [] }, { token: [] }],
    paths,
    "x-socket-messages": messages.map(({ type, needs, summary, owner }) => ({ type, needs, summary, plugin: owner })),
  };
}

function operationOf(route: Route, hasRest: boolean): Record<string, unknown> {
  const { summary, needs, query = {}, responses = { "200": "OK" } } = route.options;
  const parameters: unknown[] = Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  }));
  if (hasRest) parameters.push({ name: "rest", in: "path", required: true, schema: { type: "string" } });
  return {
    summary,
    tags: [route.owner],
    ...(parameters.length > 0 ? { parameters } : {}),
    responses: Object.fromEntries(Object.entries(responses).map(([status, description]) => [status, { description }])),
    "x-needs": needs,
  };
}

/** A page that lists the routes, complete in itself. */
export function apiPage(routes: readonly Route[], messages: readonly SocketMessageType[]): string {
  const routeRows = routes.map(({ method, path, owner, options }) => {
    const query = Object.entries(options.query ?? {}).map(([name, text]) => `<b>${escape(name)}</b> ${escape(text)}`);
    const responses = Object.entries(options.responses ?? {}).map(([code, text]) => `<b>${code}</b> ${escape(text)}`);
    const cells = [
      `<code>${method === "*" ? "any" : method}</code>`,
      `<code>${escape(path)}</code>`,
      `${escape(options.summary)}<br>${[...query, ...responses].join("<br>")}`,
      options.needs,
      escape(owner),
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}`).join("")}`;
  });
  const messageRows = messages.map(({ type, summary, needs, owner }) =>
    `<tr><td><code>${escape(type)}</code><td>${escape(summary)}<td>${needs}<td>${escape(owner)}`
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Lenswire API</title>
<meta name="viewport" content="width=device-width"><style>
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #8884}
</style><h1>Lenswire API</h1><p>The same for programs: <a href="openapi.json">openapi.json</a></p>
<table><tr><th>Method<th>Path<th>What it does<th>Needs<th>Plugin
${routeRows.join("\n")}
</table><h2>Messages of <code>/api/ws</code></h2><table><tr><th>Type<th>What it does<th>Needs<th>Plugin
${messageRows.join("\n")}
</table></html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
