/** Walks over every route and message that the program has, with everybody who may come. */
import assert from "node:assert/strict";
import * as core from "../core/mod.ts";
import type { Need } from "../core/mod.ts";
import { Kernel } from "../core/kernel/kernel.ts";
import { builtIns } from "../modules/builtin.ts";

/** Somebody who comes: what shows who it is, and what it may. */
interface Role {
  readonly headers: Readonly<Record<string, string>>;
  readonly holds: readonly Need[];
}

const ALL: readonly Need[] = ["watch", "listen", "talk", "snapshot", "playback", "publish", "operate", "admin"];
const LOCAL: readonly Need[] = ["watch", "listen", "talk", "snapshot", "publish"];

/** Where there are users. */
const USERS: Readonly<Record<string, Role>> = {
  stranger: { headers: { "x-forwarded-for": "8.8.8.8" }, holds: [] },
  viewer: { headers: login("viewer"), holds: ["watch", "listen", "talk", "snapshot", "playback"] },
  operator: { headers: login("operator"), holds: ALL.filter((need) => need !== "admin") },
  admin: { headers: login("admin"), holds: ALL },
};

const BROWSER = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)", connection: "keep-alive" };

/** Where there are none; the proxy on this machine is listed. */
const PLACES: Readonly<Record<string, Role>> = {
  stranger: { headers: { "x-forwarded-for": "8.8.8.8" }, holds: [] },
  "program at home": { headers: { "x-forwarded-for": "192.168.1.9" }, holds: [...LOCAL, "operate"] },
  "browser at home": { headers: { "x-forwarded-for": "192.168.1.9", ...BROWSER }, holds: LOCAL },
  "page of another site, by the owner's browser": {
    headers: { ...BROWSER, origin: "http://evil.example" },
    holds: ALL.filter((need) => need !== "admin" && need !== "operate"),
  },
  owner: { headers: {}, holds: ALL },
};

function login(name: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`${name}:pw`)}`, "x-forwarded-for": "8.8.8.8" };
}

const LISTENERS = `api: {listen: "127.0.0.1:0"}, rtsp: {listen: "127.0.0.1:0"}, log: {output: ""}`;
const config = `{${LISTENERS},
  access: {users: [{name: viewer, password: pw, cameras: [yard, none-such]}, {name: operator, password: pw, role: operator},
    {name: admin, password: pw, role: admin}]},
  streams: {yard: "demo:", bed: "demo:"},
}`;
const openConfig = `{${LISTENERS}, access: {trusted_proxies: ["127.0.0.1"]}, streams: {yard: "demo:", bed: "demo:"}}`;

/** What each module's routes and messages need. A new one has its entry here, or the test fails. */
const TABLE: Readonly<Record<string, Readonly<Record<string, Need>>>> = {
  kernel: {
    "GET /api/docs": "watch",
    "GET /api/events": "watch",
    "GET /api/openapi.json": "watch",
    "GET /api/ws": "watch",
    "GET /metrics": "operate",
  },
  api: {
    "GET /api": "watch",
    "GET /api/config": "admin",
    "PATCH /api/config": "admin",
    "POST /api/config": "admin",
    "GET /api/config/problems": "admin",
    "POST /api/exit": "admin",
    "DELETE /api/log": "admin",
    "GET /api/log": "admin",
    "POST /api/restart": "admin",
    "GET /api/schemes": "watch",
  },
  streams: {
    "DELETE /api/preload": "operate",
    "GET /api/preload": "watch",
    "PUT /api/preload": "operate",
    "DELETE /api/streams": "operate",
    "GET /api/streams": "watch",
    "PATCH /api/streams": "operate",
    "POST /api/streams": "operate",
    "PUT /api/streams": "operate",
    "GET /api/streams.dot": "watch",
  },
  mp4: {
    "GET /api/frame.mp4": "snapshot",
    "GET /api/stream.mp4": "watch",
    mp4: "watch",
    mse: "watch",
  },
  webrtc: {
    "* /api/webrtc": "public",
    "DELETE /api/webrtc": "watch",
    "PATCH /api/webrtc": "watch",
    "POST /api/webrtc": "watch",
    "GET /api/webrtc/stats": "operate",
    "* /static": "watch",
    "* /streams": "watch",
    "POST /stream/*": "watch",
    // An offer may watch, talk or publish: attaching asks what it needs.
    "webrtc/offer": "public",
    "webrtc/candidate": "public",
    webrtc: "public",
  },
  www: { "GET /*": "watch" },
};

/** Routes with this method and path end the program, or do not answer at once. */
const HARMFUL = new Set(["POST /api/exit", "POST /api/restart"]);

Deno.test("Every route and message is in the table", async () => {
  await using kernel = await Kernel.start({ configs: [config], builtIns, core: () => Promise.resolve(core) });
  const { port } = kernel.addresses[0]!;
  const document = await (await fetch(`http://127.0.0.1:${port}/api/openapi.json`, { headers: login("admin") })).json();
  const messages = document["x-socket-messages"] as { type: string; needs: Need; plugin: string }[];
  const found: Record<string, Record<string, Need>> = {};
  for (const { method, path, options, owner } of kernel.router.routes()) {
    (found[owner] ??= {})[`${method} ${path}`] = options.needs;
  }
  for (const { type, needs, plugin } of messages) (found[plugin] ??= {})[type] = needs;
  assert.deepEqual(found, TABLE);
});

for (const [where, text, roles] of [["with users", config, USERS], ["without users", openConfig, PLACES]] as const) {
  Deno.test(`Every route admits exactly those who hold what it needs, ${where}`, async () => {
    await using kernel = await Kernel.start({ configs: [text], builtIns, core: () => Promise.resolve(core) });
    assert.deepEqual(kernel.host.names().sort(), builtIns.map(({ name }) => name).sort());
    for (const [role, who] of Object.entries(roles)) {
      for (const route of kernel.router.routes()) {
        const { method, path, options: { needs } } = route;
        for (const asked of method === "*" ? ["GET", "POST"] : [method]) {
          // A route for all methods leaves those to others that have their own.
          const found = kernel.router.find(asked, path);
          if (found.kind === "route" && found.route === route) await knock(kernel, role, who, asked, path, needs);
        }
      }
    }
  });
}

async function knock(
  kernel: Kernel,
  role: string,
  { headers, holds }: Role,
  method: string,
  path: string,
  needs: Need,
): Promise<void> {
  if (HARMFUL.has(`${method} ${path}`)) return;
  const isCameraRight = !["public", "operate", "admin"].includes(needs);
  // With a camera right and no camera in the query, whoever is let in at all reaches the route, which asks again.
  const isAllowed = isCameraRight ? holds.length > 0 : needs === "public" || holds.includes(needs);
  // A page of another site changes nothing, whatever it may see.
  const isForeign = "origin" in headers && method !== "GET";
  // Without a query a route does nothing but complain; it must only let the right ones in.
  const concrete = path.replace(/\*$/, "index") + (path.includes("/api/stream") ? "?src=none-such" : "");
  const status = await statusOf(kernel, method, concrete, headers);
  assert.equal(status !== 401 && status !== 403, isAllowed && !isForeign, `${role} ${method} ${path}: ${status}`);
}

async function statusOf(
  kernel: Kernel,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const controller = new AbortController();
  const { signal } = controller;
  const url = `http://127.0.0.1:${kernel.addresses[0]!.port}${path}`;
  const response = await fetch(url, { method, headers, signal, redirect: "manual" });
  controller.abort();
  return response.status;
}

Deno.test("Every route with a camera right keeps a viewer away from the cameras of others", async () => {
  await using kernel = await Kernel.start({ configs: [config], builtIns, core: () => Promise.resolve(core) });
  const { stranger, viewer } = USERS as { stranger: Role; viewer: Role };
  for (const { method, path, options } of kernel.router.routes()) {
    if (
      ["public", "operate", "admin"].includes(options.needs) ||
      options.camera?.(new URLSearchParams("src=bed")) === null
    ) continue;
    const asked = method === "*" ? "GET" : method;
    const concrete = path.replace(/\*$/, "index");
    assert.equal(await statusOf(kernel, asked, `${concrete}?src=bed`, viewer.headers), 403, `${asked} ${path}`);
    assert.equal(await statusOf(kernel, asked, `${concrete}?src=yard`, stranger.headers), 401, `${asked} ${path}`);
    const own = await statusOf(kernel, asked, `${concrete}?src=yard`, viewer.headers);
    assert.equal(own !== 403, viewer.holds.includes(options.needs), `${asked} ${path}: ${own}`);
  }
});

Deno.test("Every message of /api/ws needs a right, and keeps a viewer away from the cameras of others", async () => {
  await using kernel = await Kernel.start({ configs: [config], builtIns, core: () => Promise.resolve(core) });
  const { port } = kernel.addresses[0]!;
  const document = await (await fetch(`http://127.0.0.1:${port}/api/openapi.json`, { headers: login("admin") })).json();
  const all = document["x-socket-messages"] as { type: string; needs: Need }[];
  const messages = all.filter(({ needs }) => needs !== "public");
  assert.ok(messages.length > 0);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/ws?src=bed`, { headers: USERS.viewer!.headers });
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
