/** Walks over every route and message that the program has, with everybody who may come. */
import assert from "node:assert/strict";
import * as core from "../core/mod.ts";
import type { Need } from "../core/mod.ts";
import { Kernel } from "../core/kernel/kernel.ts";
import { builtIns } from "../modules/builtin.ts";

/** What the roles hold; the routes of this list are walked with each. */
const ROLES: Readonly<Record<string, { headers: Record<string, string>; holds: readonly Need[] }>> = {
  stranger: { headers: { "x-forwarded-for": "8.8.8.8" }, holds: [] },
  viewer: { headers: login("viewer"), holds: ["watch", "listen", "talk", "snapshot", "playback"] },
  operator: {
    headers: login("operator"),
    holds: ["watch", "listen", "talk", "snapshot", "playback", "publish", "operate"],
  },
  admin: {
    headers: login("admin"),
    holds: ["watch", "listen", "talk", "snapshot", "playback", "publish", "operate", "admin"],
  },
};

function login(name: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`${name}:pw`)}`, "x-forwarded-for": "8.8.8.8" };
}

const config = `{
  api: {listen: "127.0.0.1:0"}, rtsp: {listen: "127.0.0.1:0"}, log: {output: ""},
  access: {users: [{name: viewer, password: pw, cameras: [yard]}, {name: operator, password: pw, role: operator},
    {name: admin, password: pw, role: admin}]},
  streams: {yard: "demo:", bed: "demo:"},
}`;

/** Routes with this method and path end the program, or do not answer at once. */
const HARMFUL = new Set(["POST /api/exit", "POST /api/restart"]);

Deno.test("Every route admits exactly those who hold what it needs", async () => {
  await using kernel = await Kernel.start({ configs: [config], builtIns, core: () => Promise.resolve(core) });
  const { port } = kernel.addresses[0]!;
  const routes = kernel.router.routes();
  assert.ok(routes.length >= 15, "the built-in modules bring routes");
  const loaded = kernel.host.names().sort();
  assert.deepEqual(loaded, builtIns.map(({ name }) => name).sort());
  const ask = async (role: string, method: string, path: string): Promise<number> => {
    const controller = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: ROLES[role]!.headers,
      signal: controller.signal,
      redirect: "manual",
    });
    controller.abort();
    return response.status;
  };
  for (const { method, path, options } of routes) {
    const methods = method === "*" ? ["GET", "POST"] : [method];
    const concrete = path.replace(/\*$/, "index");
    for (const asked of methods) {
      if (HARMFUL.has(`${asked} ${path}`)) continue;
      for (const [role, { holds }] of Object.entries(ROLES)) {
        const isAllowed = options.needs === "public" || holds.includes(options.needs);
        const what = `${role} ${asked} ${path} (${options.needs})`;
        // Without a query no camera is meant, so a route does nothing but complain; it must only let the right ones in.
        const status = await ask(role, asked, `${concrete}${path.includes("/api/stream") ? "?src=none-such" : ""}`);
        const isIn = status !== 401 && status !== 403;
        const isCameraRight = !["public", "operate", "admin"].includes(options.needs);
        if (isAllowed && role === "viewer" && isCameraRight) continue;
        // With a camera right and no camera in the query, whoever is let in at all reaches the route, which asks again.
        if (isCameraRight && role !== "stranger") continue;
        assert.equal(isIn, isAllowed, `${what}: ${status}`);
      }
    }
  }
});

Deno.test("Every route with a camera right keeps a viewer away from the cameras of others", async () => {
  await using kernel = await Kernel.start({ configs: [config], builtIns, core: () => Promise.resolve(core) });
  const { port } = kernel.addresses[0]!;
  const status = async (role: string, method: string, path: string) => {
    const controller = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: ROLES[role]!.headers,
      signal: controller.signal,
    });
    controller.abort();
    return response.status;
  };
  for (const { method, path, options } of kernel.router.routes()) {
    if (
      ["public", "operate", "admin"].includes(options.needs) ||
      options.camera?.(new URLSearchParams("src=bed")) === null
    ) continue;
    const asked = method === "*" ? "GET" : method;
    const concrete = path.replace(/\*$/, "index");
    assert.equal(await status("viewer", asked, `${concrete}?src=bed`), 403, `${asked} ${path}`);
    assert.equal(await status("stranger", asked, `${concrete}?src=yard`), 401, `${asked} ${path}`);
    const { holds } = ROLES.viewer!;
    const own = await status("viewer", asked, `${concrete}?src=yard`);
    assert.equal(own !== 403, holds.includes(options.needs), `${asked} ${path}: ${own}`);
  }
});

Deno.test("Every message of /api/ws needs a right, and keeps a viewer away from the cameras of others", async () => {
  await using kernel = await Kernel.start({ configs: [config], builtIns, core: () => Promise.resolve(core) });
  const { port } = kernel.addresses[0]!;
  const document = await (await fetch(`http://127.0.0.1:${port}/api/openapi.json`, { headers: login("admin") })).json();
  const messages = document["x-socket-messages"] as { type: string; needs: Need }[];
  assert.ok(messages.length > 0);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/ws?src=bed`, { headers: ROLES.viewer!.headers });
  const answers: { type: string; value: string }[] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  socket.onmessage = ({ data }) => {
    answers.push(JSON.parse(data));
    if (answers.length === messages.length) resolve();
  };
  socket.onopen = () => {
    for (const { type } of messages) socket.send(JSON.stringify({ type }));
  };
  await done;
  for (const { type, value } of answers) {
    assert.equal(type, "error");
    assert.match(value, /which user viewer does not have$/);
  }
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
  socket.onclose = () => onClosed();
  socket.close();
  await closed;
});
