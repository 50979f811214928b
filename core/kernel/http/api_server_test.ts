import assert from "node:assert/strict";
import { Access } from "../../access/access.ts";
import { type AccessSettings, defaultAccessSettings } from "../../access/settings.ts";
import type { Need } from "../../access/types.ts";
import type { HttpPeer } from "../../runtime/types.ts";
import { StreamError, type StreamErrorCode } from "../../util/errors.ts";
import { silentLogger } from "../testing.ts";
import { ApiHandler } from "./api_server.ts";
import { limitBody } from "./body_limit.ts";
import { jsonResponse, jsonText } from "./responses.ts";
import { Router } from "./router.ts";

const LAN: HttpPeer = { host: "192.168.1.9", port: 5000, transport: "tcp" };
const OWNER: HttpPeer = { host: "127.0.0.1", port: 5000, transport: "tcp" };

function setUp(settings: Partial<AccessSettings> = {}, routerOptions?: ConstructorParameters<typeof Router>[0]) {
  const router = new Router(routerOptions);
  const access = new Access({ ...defaultAccessSettings, ...settings }, { token: "tok" });
  const handler = new ApiHandler({
    router,
    access,
    log: silentLogger,
    mask: (text) => text.replaceAll("hunter2", "***"),
  });
  const ask = (path: string, init: RequestInit = {}, peer: HttpPeer = OWNER) =>
    handler.handle(new Request(`http://localhost:1984${path}`, init), peer);
  return { router, ask };
}

Deno.test("ApiHandler answers errors as text with a newline", async () => {
  const { router, ask } = setUp();
  const statuses: readonly [StreamErrorCode, number][] = [
    ["NOT_FOUND", 404],
    ["UNAUTHORIZED", 403],
    ["UNTRUSTED_SOURCE", 400],
    ["BAD_SOURCE", 400],
    ["UNSUPPORTED_SCHEME", 400],
    ["BUSY", 409],
    ["OFFLINE", 500],
    ["NO_COMMON_CODEC", 500],
  ];
  for (const [code] of statuses) {
    router.add("GET", `/api/${code}`, { summary: "", needs: "public" }, () => {
      throw new StreamError(code, "streams: hunter2 failed");
    }, "test");
  }
  for (const [code, status] of statuses) {
    const response = await ask(`/api/${code}`);
    assert.equal(response.status, status, code);
    assert.equal(await response.text(), "streams: *** failed\n");
    assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  }
  router.add("GET", "/api/far", { summary: "", needs: "public" }, () => {
    throw new StreamError("UNAUTHORIZED", "streams: the camera refused", { cause: new Error("401") });
  }, "test");
  assert.equal((await ask("/api/far")).status, 500);
  router.add(
    "GET",
    "/api/bug",
    { summary: "", needs: "public" },
    () => Promise.reject(new TypeError("x is not a function")),
    "test",
  );
  assert.equal((await ask("/api/bug")).status, 500);
  assert.equal((await ask("/api/none")).status, 404);
  assert.equal((await ask("/api/bug", { method: "POST" })).status, 405);
});

Deno.test("ApiHandler asks for a login in go2rtc's words", async () => {
  const { router, ask } = setUp({
    api: { ...defaultAccessSettings.api, username: "admin", password: "pw", origin: "*" },
  });
  router.add("GET", "/api", { summary: "", needs: "watch" }, () => jsonResponse({}), "test");
  router.add("GET", "/free", { summary: "", needs: "public" }, () => new Response("free"), "test");
  const denied = await ask("/api", {}, LAN);
  assert.equal(denied.status, 401);
  assert.equal(await denied.text(), "Unauthorized\n");
  assert.equal(denied.headers.get("www-authenticate"), 'Basic realm="go2rtc"');
  assert.equal(denied.headers.get("access-control-allow-origin"), "*");
  assert.equal((await ask("/nowhere", {}, LAN)).status, 401);
  assert.equal(await (await ask("/free", {}, LAN)).text(), "free");
  const allowed = await ask("/api", { headers: { authorization: `Basic ${btoa("admin:pw")}` } }, LAN);
  assert.equal(await allowed.text(), "{}\n");
});

Deno.test("ApiHandler answers preflights and sends CORS headers only where any origin may ask", async () => {
  const preflight = {
    method: "OPTIONS",
    headers: { origin: "http://x.com", "access-control-request-method": "PATCH" },
  };
  const { router, ask } = setUp({ api: { ...defaultAccessSettings.api, username: "a", password: "b", origin: "*" } });
  const answer = await ask("/api/streams", preflight, LAN);
  assert.equal(answer.status, 204);
  assert.match(answer.headers.get("access-control-allow-methods")!, /PATCH/);
  assert.equal(answer.headers.get("access-control-allow-headers"), "Authorization, Content-Type, If-Match");
  router.add("GET", "/moved", { summary: "", needs: "public" }, () => Response.redirect("http://h/"), "test");
  assert.equal((await ask("/moved")).headers.get("access-control-allow-origin"), "*");
  const closed = setUp();
  closed.router.add("GET", "/api", { summary: "", needs: "watch" }, () => jsonResponse({}), "test");
  assert.equal((await closed.ask("/api", {}, LAN)).headers.get("access-control-allow-origin"), null);
  assert.equal((await closed.ask("/api", preflight, LAN)).status, 405);
});

Deno.test("ApiHandler keeps the token of a link in a cookie", async () => {
  const { router, ask } = setUp();
  router.add("GET", "/*", { summary: "", needs: "admin" }, () => new Response("page"), "test");
  const response = await ask("/?token=tok", {}, { ...LAN, host: "8.8.8.8" });
  assert.equal(response.headers.get("set-cookie"), "lenswire_token=tok; Path=/; HttpOnly; SameSite=Strict");
  const later = await ask("/", { headers: { cookie: "lenswire_token=tok" } }, { ...LAN, host: "8.8.8.8" });
  assert.equal(later.status, 200);
  assert.equal(later.headers.get("set-cookie"), null);
  assert.equal((await ask("/?token=old", {}, { ...LAN, host: "8.8.8.8" })).status, 403);
});

Deno.test("ApiHandler checks a camera right against the stream that is meant", async () => {
  const { router, ask } = setUp({ users: [{ name: "v", password: "p", cameras: ["yard"] }] });
  const ok = () => new Response("ok");
  router.add("GET", "/api/frame", { summary: "", needs: "snapshot" }, ok, "test");
  router.add("GET", "/api/other", { summary: "", needs: "watch", camera: (query) => query.get("cam") }, ok, "test");
  router.add("POST", "/api/push", { summary: "", needs: "publish" }, ok, "test");
  const headers = { authorization: `Basic ${btoa("v:p")}` };
  const status = async (path: string, method = "GET") => (await ask(path, { headers, method }, LAN)).status;
  assert.equal(await status("/api/frame?src=yard"), 200);
  assert.equal(await status("/api/frame?src=bed"), 403);
  assert.equal(await status("/api/other?src=bed&cam=yard"), 200);
  assert.equal(await status("/api/other?cam=bed"), 403);
  assert.equal(await status("/api/push?dst=yard", "POST"), 403);
});

Deno.test("ApiHandler limits bodies unless media is pushed", async () => {
  const { router, ask } = setUp();
  const length = async ({ request }: { request: Request }) =>
    new Response(String((await request.arrayBuffer()).byteLength));
  const add = (path: string, needs: Need, maxBodyBytes?: number) =>
    router.add("POST", path, { summary: "", needs, ...(maxBodyBytes ? { maxBodyBytes } : {}) }, length, "test");
  add("/api/small", "admin", 10);
  add("/api/push", "publish");
  const streamed = (size: number) => ({
    method: "POST",
    body: new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(size));
        controller.close();
      },
    }),
  });
  assert.equal(await (await ask("/api/small", streamed(10))).text(), "10");
  assert.equal((await ask("/api/small", streamed(11))).status, 413);
  assert.equal(
    (await ask("/api/small", { method: "POST", body: "x".repeat(11), headers: { "content-length": "11" } })).status,
    413,
  );
  assert.equal(await (await ask("/api/push", streamed(5 << 20))).text(), String(5 << 20));
});

Deno.test("limitBody() waits for a body that stalls no longer than its limit", async () => {
  const stalled = () => new Request("http://h/", { method: "POST", body: new ReadableStream() });
  // The limit's own timer keeps no program running.
  const running = setInterval(() => {}, 1000);
  await assert.rejects(limitBody(stalled(), 10, 20).text(), { status: 408, message: /did not come within 0\.02 s/ });
  clearInterval(running);
  assert.equal(await limitBody(new Request("http://h/", { method: "POST", body: "here" }), 10, 20).text(), "here");
});

Deno.test("ApiHandler answers HEAD without a body, and sends pages to the folder of the base path", async () => {
  const { router, ask } = setUp({}, { basePath: "/rtc" });
  router.add("GET", "/*", { summary: "", needs: "public" }, () => new Response("page"), "test");
  const head = await ask("/rtc/", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.body, null);
  const moved = await ask("/rtc?a=b");
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get("location"), "/rtc/?a=b");
});

Deno.test("jsonText() escapes as the contract has it", () => {
  assert.equal(jsonText({ a: "<b>&" }), '{"a":"\\u003cb\\u003e\\u0026"}\n');
  assert.equal(jsonText({ a: 1 }, { pretty: true }), '{\n  "a": 1\n}\n');
  assert.equal(jsonText(undefined), "null\n");
});
