import assert from "node:assert/strict";
import { Router } from "./router.ts";

const options = { summary: "", needs: "public" } as const;
const handler = () => new Response();

function pathOf(router: Router, method: string, path: string): string {
  const found = router.find(method, path);
  return found.kind === "route" ? `${found.route.method} ${found.route.path}` : found.kind;
}

Deno.test("Router finds exact paths first, then the longest wildcard", () => {
  const router = new Router();
  router.add("GET", "/api/streams", options, handler, "a");
  router.add("PUT", "/api/streams", options, handler, "a");
  router.add("*", "/onvif/*", options, handler, "a");
  router.add("GET", "/*", options, handler, "www");
  const table: readonly [string, string, string][] = [
    ["GET", "/api/streams", "GET /api/streams"],
    ["HEAD", "/api/streams", "GET /api/streams"],
    ["PUT", "/api/streams", "PUT /api/streams"],
    ["DELETE", "/api/streams", "method"],
    ["GET", "/api/streams/", "GET /*"],
    ["POST", "/onvif/device_service", "* /onvif/*"],
    ["GET", "/onvif", "GET /*"],
    ["GET", "/", "GET /*"],
    ["POST", "/", "method"],
  ];
  for (const [method, path, expected] of table) {
    assert.equal(pathOf(router, method, path), expected, `${method} ${path}`);
  }
  assert.deepEqual(router.find("DELETE", "/api/streams"), { kind: "method", allowed: ["GET", "HEAD", "PUT"] });
  assert.equal(pathOf(new Router(), "GET", "/"), "none");
});

Deno.test("Router puts the base path before api and pages only", () => {
  const router = new Router({ basePath: "rtc/" });
  for (const path of ["api", "/api/ws", "/*", "/onvif/*", "/streams"]) router.add("GET", path, options, handler, "a");
  assert.deepEqual(router.routes().map(({ path }) => path), [
    "/onvif/*",
    "/rtc/*",
    "/rtc/api",
    "/rtc/api/ws",
    "/streams",
  ]);
});

Deno.test("Router registers what allow_paths lists, and nothing else", () => {
  const router = new Router({ basePath: "/rtc", allowPaths: ["/rtc/api", "/", "/onvif/"] });
  for (const path of ["/api", "/api/config", "/*", "/onvif/*"]) router.add("GET", path, options, handler, "a");
  assert.deepEqual(router.routes().map(({ path }) => path), ["/onvif/*", "/rtc/*", "/rtc/api"]);
});

Deno.test("Router names both plugins that claim a route", () => {
  const router = new Router();
  const undo = router.add("GET", "/api/x", options, handler, "one");
  router.add("POST", "/api/x", options, handler, "two");
  assert.throws(
    () => router.add("GET", "/api/x", options, handler, "two"),
    /"\/api\/x" is claimed by plugins "one" and "two"/,
  );
  assert.throws(() => router.add("*", "/api/x", options, handler, "two"), /plugins "one" and "two"/);
  assert.throws(() => router.add("GET", "/api/x", options, handler, "one"), /plugin "one" twice/);
  undo();
  router.add("GET", "/api/x", options, handler, "two");
  assert.equal(pathOf(router, "GET", "/api/x"), "GET /api/x");
});

Deno.test("Router forgets a route that is undone", () => {
  const router = new Router();
  for (const path of ["/api/x", "/x/*"]) router.add("GET", path, options, handler, "a")();
  assert.equal(router.routes().length, 0);
  assert.equal(pathOf(router, "GET", "/x/y"), "none");
});
