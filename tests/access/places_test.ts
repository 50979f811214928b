/** Who may do what from where, with no config of access: each peer sends what the program or browser it stands for sends. */
import assert from "node:assert/strict";
import { needs } from "../support/programs.ts";
import { httpRequest, statusOf, wsFrame, wsRequest } from "../support/raw.ts";
import { HOME_HOST, openWorld, type Peer, SERVER_AT_HOME, SERVER_IN_INTERNET, type World } from "./world.ts";

const CONFIG = 'streams:\n  cam: "demo:"\n  yard:\n';

/** Home Assistant's client, as aiohttp sends it. */
const HOME_ASSISTANT = { "User-Agent": "HomeAssistant/2026.1.0 aiohttp/3.13.0 Python/3.13", Accept: "*/*" };
const CHROME = { "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36" };
const DASHBOARD = "http://homeassistant.local:8123";

interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

type Row = readonly [Ask, number];

async function walk(world: World, who: string, peer: Peer, host: string, rows: readonly Row[]): Promise<void> {
  const address = `${host}:${world.httpPort}`;
  for (const [{ method = "GET", path, headers = {}, body = "" }, expected] of rows) {
    const text = httpRequest(method, path, { Host: address, ...headers }, body);
    // An answer may have no end: its first line is enough.
    const answer = await peer.ask(address, text, "\\r\\n\\r\\n");
    assert.equal(statusOf(answer), expected, `${who}: ${method} ${path}: ${answer.slice(0, 300)}`);
  }
}

/** What a socket answers to a wish to see the camera: the status of the upgrade, and the first message. */
async function watch(peer: Peer, address: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const request = wsRequest("/api/ws?src=cam", { Host: address, ...headers });
  const wish = String.fromCharCode(...wsFrame('{"type":"mse","value":"avc1.640029"}'));
  const answer = await peer.ask(address, request + wish, '"type":"(mse|error)"|^HTTP/1.1 4');
  return `${statusOf(answer)} ${/"type":"(\w+)"/.exec(answer)?.[1] ?? ""}`;
}

function rtsp(method: string, url: string, sequence: number, more: readonly string[] = [], body = ""): string {
  const length = body === "" ? [] : [`Content-Length: ${body.length}`];
  return [`${method} ${url} RTSP/1.0`, `CSeq: ${sequence}`, ...more, ...length, "", body].join("\r\n");
}

const SDP = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", "m=audio 0 RTP/AVP 8", "a=control:a", ""].join("\r\n");

/** Publishes as ffmpeg does; answers the statuses. */
async function publish(peer: Peer, address: string, stream: string): Promise<string> {
  const url = `rtsp://${address}/${stream}`;
  const transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record";
  const requests = rtsp("ANNOUNCE", url, 1, ["Content-Type: application/sdp"], SDP) +
    rtsp("SETUP", `${url}/a`, 2, [transport]) + rtsp("RECORD", url, 3, ["Session: 1"]);
  const answer = await peer.ask(address, requests, "CSeq: 3");
  return [...answer.matchAll(/RTSP\/1\.0 (\d+)/g)].map(([, status]) => status).join(" ");
}

async function describe(peer: Peer, address: string): Promise<number> {
  return statusOf(await peer.ask(address, rtsp("DESCRIBE", `rtsp://${address}/cam`, 1), "\\r\\n\\r\\n"));
}

Deno.test(await needs("A server without users lets each peer do what its place allows", "netns"), async (t) => {
  await using world = await openWorld({ config: CONFIG });
  const { home, internet, machine, server, httpPort, rtspPort } = world;
  const own = `${SERVER_AT_HOME}:${httpPort}`;

  await t.step("Home Assistant on another host uses and changes streams, and no more", async () => {
    await walk(world, "Home Assistant", home, SERVER_AT_HOME, [
      [{ path: "/api", headers: HOME_ASSISTANT }, 200],
      [{ path: "/api/streams", headers: HOME_ASSISTANT }, 200],
      [{ path: "/api/schemes", headers: HOME_ASSISTANT }, 200],
      [{ path: "/api/frame.mp4?src=cam", headers: HOME_ASSISTANT }, 200],
      [{ method: "PUT", path: "/api/streams?name=porch&src=rtsp://10.9.9.9/1", headers: HOME_ASSISTANT }, 200],
      [{ method: "PUT", path: "/api/streams?name=evil&src=exec:id", headers: HOME_ASSISTANT }, 400],
      [{ method: "PUT", path: "/api/preload?src=cam", headers: HOME_ASSISTANT }, 200],
      [{ method: "DELETE", path: "/api/preload?src=cam", headers: HOME_ASSISTANT }, 200],
      [{ method: "DELETE", path: "/api/streams?src=porch", headers: HOME_ASSISTANT }, 200],
      [{ path: "/metrics", headers: HOME_ASSISTANT }, 200],
      [{ path: "/api/config", headers: HOME_ASSISTANT }, 403],
      [{ path: "/api/log", headers: HOME_ASSISTANT }, 403],
      [{ method: "PATCH", path: "/api/config", headers: HOME_ASSISTANT, body: "streams: {a: null}" }, 403],
      [{ method: "POST", path: "/api/exit", headers: HOME_ASSISTANT }, 403],
      [{ method: "POST", path: "/api/restart", headers: HOME_ASSISTANT }, 403],
    ]);
    assert.equal(await watch(home, own, HOME_ASSISTANT), "101 mse");
  });

  await t.step("A browser at home watches, and changes nothing", async () => {
    const page = { ...CHROME, Origin: `http://${own}` };
    await walk(world, "browser", home, SERVER_AT_HOME, [
      [{ path: "/", headers: CHROME }, 200],
      [{ path: "/api/streams", headers: { ...CHROME, Referer: `http://${own}/` } }, 200],
      [{ path: "/api/stream.mp4?src=cam", headers: CHROME }, 200],
      [{ method: "PUT", path: "/api/streams?name=a&src=rtsp://10.9.9.9/1", headers: page }, 403],
      [{ method: "DELETE", path: "/api/streams?src=cam", headers: page }, 403],
      [{ path: "/api/config", headers: { ...CHROME, Referer: `http://${own}/config.html` } }, 403],
    ]);
    assert.equal(await watch(home, own, page), "101 mse");
  });

  await t.step("Pages of other sites reach the cameras at most, through the browser of somebody at home", async () => {
    const evil = { ...CHROME, Origin: "http://evil.example", Referer: "http://evil.example/" };
    await walk(world, "another site's page", home, SERVER_AT_HOME, [
      [{ path: "/api/frame.mp4?src=cam", headers: { ...CHROME, Referer: `${DASHBOARD}/` } }, 200],
      [{ path: "/api/stream.mp4?src=rtsp://10.9.9.9/1", headers: CHROME }, 403],
      [{ path: "/api/stream.mp4?src=rtsp://10.9.9.9/1&name=cam", headers: CHROME }, 403],
      [{ method: "POST", path: "/api/streams?src=cam&dst=rtsp://10.9.9.9/1", headers: evil }, 403],
      [{ method: "POST", path: "/api/exit", headers: { ...CHROME, Origin: "null" } }, 403],
      // DNS rebinding: the site's own name leads here.
      [{ path: "/api/streams", headers: { ...CHROME, Host: `evil.example:${httpPort}` } }, 403],
      [{ path: "/", headers: { Host: `evil.example:${httpPort}` } }, 403],
      [{ path: "/api/streams", headers: { ...CHROME, Host: `cameras.lan:${httpPort}` } }, 200],
    ]);
    assert.equal(await watch(home, own, { ...CHROME, Origin: DASHBOARD }), "403 ");
    assert.equal(await watch(home, own, { ...CHROME, Origin: "null" }), "403 ");
  });

  await t.step("RTSP is for the home too: play, and publish to declared streams", async () => {
    const address = `${SERVER_AT_HOME}:${rtspPort}`;
    assert.equal(await describe(home, address), 200);
    assert.equal(await publish(home, address, "yard"), "200 200 200");
    assert.equal(await publish(home, address, "nowhere"), "404");
  });

  await t.step("The internet gets nothing", async () => {
    const asked = [HOME_ASSISTANT, CHROME, { Host: "localhost" }, { Host: own }, { Authorization: "Basic YTpi" }];
    const paths = ["/", "/api", "/api/streams", "/api/stream.mp4?src=cam", "/api/openapi.json", "/none"];
    const rows = asked.flatMap((headers) => paths.map((path): Row => [{ path, headers }, 403]));
    await walk(world, "the internet", internet, SERVER_IN_INTERNET, rows);
    assert.equal(await watch(internet, `${SERVER_IN_INTERNET}:${httpPort}`, {}), "403 ");
    const address = `${SERVER_IN_INTERNET}:${rtspPort}`;
    assert.equal(await describe(internet, address), 404);
    assert.equal(await publish(internet, address, "yard"), "404");
  });

  await t.step("A proxy on the machine is not the owner, and vouches for nobody until it is listed", async () => {
    const local = `127.0.0.1:${httpPort}`;
    const config = { path: "/api/config" };
    await walk(world, "the machine", machine, "127.0.0.1", [
      [config, 200],
      [{ ...config, headers: { Host: "localhost" } }, 200],
      [{ ...config, headers: { Host: "cams.example.com" } }, 403],
      [{ ...config, headers: { "X-Forwarded-For": "203.0.113.9" } }, 403],
      [{ path: "/api", headers: { "X-Forwarded-For": "203.0.113.9" } }, 403],
      [{ path: "/api", headers: { "X-Forwarded-For": "127.0.0.1, 203.0.113.9" } }, 403],
      [{ path: "/api", headers: { Forwarded: "for=127.0.0.1", "CF-Connecting-IP": "203.0.113.9" } }, 403],
      [{ path: "/api", headers: { Via: "1.1 tunnel" } }, 403],
      [{ path: "/api", headers: { "X-Forwarded-For": HOME_HOST } }, 200],
      [{ ...config, headers: { "X-Forwarded-For": HOME_HOST } }, 403],
      [{ ...config, headers: { "X-Forwarded-For": "127.0.0.1" } }, 403],
      [{ method: "DELETE", path: "/api/streams?src=x", headers: { "X-Forwarded-For": HOME_HOST } }, 403],
    ]);
    const body = 'access: {trusted_proxies: ["127.0.0.1"]}';
    const held = await machine.ask(local, httpRequest("PATCH", "/api/config", { Host: local }, body));
    assert.equal(statusOf(held), 409, held);
    assert.match(held, /"access.trusted_proxies": to decide who may do what/);
    const log = await machine.ask(local, httpRequest("GET", "/api/log", { Host: local }));
    const token = /\?token=(\S+)/.exec(server.output())![1]!;
    assert.equal(statusOf(log), 200);
    assert.ok(!log.includes(token), "the log shows the set-up token to one who may not have it");
    const rest = server.output().length;
    // What is stored already is what is wished for, so that only a change of it is a change.
    const own = { Host: local, Authorization: `Bearer ${token}` };
    const saved = await machine.ask(
      local,
      httpRequest("PATCH", "/api/config", own, body.replace("]", ', "10.8.0.1"]')),
    );
    assert.equal(statusOf(saved), 200, saved);
    await server.line(/config changed sections=access/);
    assert.ok(server.output().length > rest);
    await walk(world, "a listed proxy", machine, "127.0.0.1", [
      [{ method: "DELETE", path: "/api/streams?src=x", headers: { "X-Forwarded-For": HOME_HOST } }, 200],
      [{ path: "/api", headers: { "X-Forwarded-For": "203.0.113.9" } }, 403],
      [{ path: "/api", headers: { "X-Forwarded-For": `${HOME_HOST}, 203.0.113.9` } }, 403],
      [{ ...config, headers: { "X-Forwarded-For": "127.0.0.1" } }, 403],
    ]);
  });
});

const WITH_USERS = "A server with users asks each peer for a login, and lets it do what that allows";

Deno.test(await needs(WITH_USERS, "netns"), async () => {
  const config = `${CONFIG}access:\n  users:\n    - {name: anna, password: pw, cameras: [yard]}\n`;
  await using world = await openWorld({ config });
  const { home, internet, machine, server, httpPort, rtspPort } = world;
  const anna = { Authorization: `Basic ${btoa("anna:pw")}` };
  const wrong = `Basic ${btoa("anna:no")}`;
  for (const [peer, host] of [[home, SERVER_AT_HOME], [internet, SERVER_IN_INTERNET]] as const) {
    await walk(world, host, peer, host, [
      [{ path: "/api" }, 401],
      [{ path: "/" }, 401],
      [{ path: "/api/streams", headers: anna }, 200],
      [{ path: "/api/streams", headers: { ...anna, Host: "cams.example.com" } }, 200],
      [{ path: "/api/stream.mp4?src=cam", headers: anna }, 403],
      [{ path: "/api/config", headers: anna }, 403],
    ]);
    const address = `${host}:${rtspPort}`;
    assert.equal(await describe(peer, address), 401);
    assert.equal(await publish(peer, address, "yard"), "401 401 401");
    // A wrong one costs the connection: the next guess needs another.
    const guess = rtsp("DESCRIBE", `rtsp://${address}/yard`, 1, [`Authorization: ${wrong}`]);
    assert.deepEqual((await peer.ask(address, guess + guess)).match(/RTSP\/1\.0 \d+/g), ["RTSP/1.0 401"]);
  }
  await walk(world, "the machine", machine, "127.0.0.1", [[{ path: "/api/config" }, 200]]);
  const request = httpRequest("GET", "/api", { Host: "x", Authorization: wrong });
  const answer = await home.ask(`${SERVER_AT_HOME}:${httpPort}`, request);
  assert.match(answer, /^HTTP\/1\.1 401 .*\r\n\r\nUnauthorized\n$/s);
  await server.line(/WRN \[api\] Refused a wrong name or password, .* path=\/api remote=192\.168\.77\.2/);
  await server.line(/WRN \[rtsp\] refused a wrong password peer=192\.168\.77\.2/);
});
