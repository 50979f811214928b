/** What holds for all routes: logins, other sites, prefixes, lists of routes; and the errors of the WebSocket. */
import assert from "node:assert/strict";
import { type Server, startServer } from "../support/server.ts";
import { MseClient } from "./mse_client.ts";

const STREAMS = 'streams:\n  cam: "demo:"\n  empty:\n';

/** A server whose section `api` has more than an address. */
async function apiServer(section: string): Promise<Server & { readonly base: string }> {
  const listeners = 'rtsp: {listen: ""}\nwebrtc: {listen: ""}\n';
  const server = await startServer({
    isBare: true,
    config: `api:\n  listen: 127.0.0.1:0\n${section}${listeners}${STREAMS}`,
  });
  const port = /\[api\] listen addr=127\.0\.0\.1:(\d+)/.exec(server.output())![1];
  return { ...server, base: `http://127.0.0.1:${port}` };
}

async function status(url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, { redirect: "manual", ...init });
  await response.body?.cancel();
  return response.status;
}

const basic = (login: string) => ({ headers: { authorization: `Basic ${btoa(login)}` } });

Deno.test("The API asks for its login, of this machine too when it is told so", async () => {
  await using server = await apiServer("  username: admin\n  password: 'p@ss'\n  local_auth: true\n");
  const refused = await fetch(`${server.base}/api/streams`);
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get("www-authenticate"), 'Basic realm="go2rtc"');
  await refused.body?.cancel();
  assert.equal(await status(`${server.base}/`), 401);
  assert.equal(await status(`${server.base}/api/streams`, basic("admin:wrong")), 401);
  assert.equal(await status(`${server.base}/api/streams`, basic("admin:p@ss")), 200);
  assert.equal(await status(`${server.base}/api/config`, basic("admin:p@ss")), 200);
});

Deno.test("The API asks this machine for no login by default", async () => {
  await using server = await apiServer("  username: admin\n  password: 'p@ss'\n");
  assert.equal(await status(`${server.base}/api/config`), 200);
  // A proxy on this machine is not its owner.
  assert.equal(await status(`${server.base}/api/config`, { headers: { "x-forwarded-for": "192.168.1.9" } }), 401);
});

Deno.test("Pages of other sites may ask when the config says so, and not otherwise", async () => {
  const other = { headers: { origin: "http://cards.example", "sec-fetch-site": "cross-site" } };
  await using open = await apiServer("  origin: '*'\n");
  const answer = await fetch(`${open.base}/api/streams`, other);
  await answer.body?.cancel();
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.match(answer.headers.get("access-control-allow-methods")!, /GET, POST, PUT.*DELETE, OPTIONS/);
  assert.equal(answer.headers.get("access-control-allow-headers"), "Authorization, Content-Type, If-Match");
  await using closed = await apiServer("");
  assert.equal(await status(`${closed.base}/api/restart`, { method: "POST", ...other }), 403);
});

Deno.test("Routes have the prefix, and only those of the list are there", async () => {
  await using server = await apiServer("  base_path: /rtc\n  allow_paths: [/rtc/api, /rtc/api/streams]\n");
  assert.equal(await status(`${server.base}/rtc/api`), 200);
  assert.equal(await status(`${server.base}/rtc/api/streams`), 200);
  for (const path of ["/api", "/rtc/api/config", "/rtc/api/schemes", "/rtc/"]) {
    assert.equal(await status(server.base + path), 404, path);
  }
});

Deno.test("The kernel's own routes have the prefix, too", async () => {
  await using server = await apiServer("  base_path: /rtc\n");
  assert.equal(await status(`${server.base}/rtc/metrics`), 200);
  assert.equal(await status(`${server.base}/metrics`), 404);
});

Deno.test("Pages are served, and nothing outside their folder", async () => {
  await using server = await apiServer("");
  assert.equal(await status(`${server.base}/`), 200);
  const index = await fetch(`${server.base}/index.html`, { redirect: "manual" });
  await index.body?.cancel();
  assert.deepEqual([index.status, index.headers.get("location")], [301, "./"]);
  for (const name of ["stream.html", "video-rtc.js", "video-stream.js"]) {
    assert.equal(await status(`${server.base}/${name}`), 200, name);
  }
  assert.equal(await status(`${server.base}/..%2fmain.ts`), 404);
});

Deno.test("Without a config file nothing can be saved, which is said", async () => {
  await using server = await startServer({
    hasNoConfig: true,
    args: ["-config", '{api: {listen: "127.0.0.1:0"}, rtsp: {listen: ""}, webrtc: {listen: ""}}'],
  });
  const port = /\[api\] listen addr=127\.0\.0\.1:(\d+)/.exec(server.output())![1];
  const config = await fetch(`http://127.0.0.1:${port}/api/config`);
  assert.deepEqual([config.status, await config.text()], [410, "config file disabled\n"]);
  const put = await fetch(`http://127.0.0.1:${port}/api/streams?name=x&src=demo:`, { method: "PUT" });
  assert.deepEqual([put.status, await put.text()], [400, "config file disabled\n"]);
  // It is there all the same.
  assert.equal(await status(`http://127.0.0.1:${port}/api/streams?src=x`), 200);
});

Deno.test("/api/ws answers each request that fails, in the words that clients show", async () => {
  await using server = await startServer({ config: STREAMS });
  const cases = [
    { query: "src=none-such", value: "avc1.640029", want: /^mse: stream not found$/ },
    { query: "src=empty", value: "avc1.640029", want: /^mse: streams: / },
    { query: "src=cam", value: "hvc1.1.6.L153.B0", want: /^mse: streams: codecs not matched: .*H264.* => .*H265/ },
  ];
  for (const { query, value, want } of cases) {
    await using client = new MseClient(server.api, query, { type: "mse", value });
    const { type, value: text } = await client.until(() => client.texts[0]);
    assert.equal(type, "error");
    assert.match(text, want);
    assert.ok(client.isOpen, "the socket stays open");
  }
});

Deno.test("/api/ws ignores messages that it does not know, and sends media from the header on", async () => {
  await using server = await startServer({ config: STREAMS });
  await using client = new MseClient(server.api, "src=cam", { type: "nonsense", value: "" });
  await using other = new MseClient(server.api, "src=cam");
  await other.more(5);
  assert.deepEqual(client.texts, []);
  assert.ok(client.isOpen);
  assert.match(other.texts[0]!.value, /^video\/mp4; codecs="avc1\.4D\w{4},mp4a\.40\.2"$/i);
  assert.deepEqual(other.pieces.slice(0, 3).map(({ hasHeader }) => hasHeader), [true, false, false]);
  assert.ok(other.pieces[1]!.hasKeyframe);
});

Deno.test("/api/frame.mp4 and /api/stream.mp4 have the headers of files", async () => {
  await using server = await startServer({ config: STREAMS });
  const frame = await server.fetch("/api/frame.mp4?src=cam&filename=yard.mp4");
  const bytes = await frame.arrayBuffer();
  assert.equal(frame.headers.get("content-length"), String(bytes.byteLength));
  assert.match(frame.headers.get("content-type")!, /^video\/mp4; codecs="avc1\.\w{6}"$/);
  assert.equal(frame.headers.get("content-disposition"), 'attachment; filename="yard.mp4"');
  for (const path of ["/api/frame.mp4?src=none", "/api/stream.mp4?src=none"]) {
    const missing = await server.fetch(path);
    assert.deepEqual([missing.status, await missing.text()], [404, "stream not found\n"]);
  }
  const unmatched = await server.fetch("/api/stream.mp4?src=cam&video=h265&audio=opus");
  assert.equal(unmatched.status, 500);
  assert.match(await unmatched.text(), /^streams: codecs not matched: /);
});
