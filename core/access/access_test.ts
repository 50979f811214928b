import assert from "node:assert/strict";
import { asOwnCall, ownCallHeaders } from "./own_calls.ts";
import { Access, type AccessRequest } from "./access.ts";
import { type AccessSettings, defaultAccessSettings } from "./settings.ts";
import type { Need, Peer, Principal } from "./types.ts";

const TOKEN = "set-up-token";

function accessOf(settings: Partial<AccessSettings> = {}, now?: () => number): Access {
  return new Access({ ...defaultAccessSettings, ...settings }, {
    token: TOKEN,
    hostname: "nvr.example",
    interfaces: () => [{ name: "eth0", address: "203.0.113.1", family: "IPv4", cidr: "203.0.113.1/24" }],
    ...(now ? { now } : {}),
  });
}

function peerOf(host: string, headers: HeadersInit = {}): Peer {
  return { host, port: 50000, transport: host === "" ? "unix" : "tcp", headers: new Headers(headers) };
}

function requestOf(
  host: string,
  more: { headers?: Record<string, string>; method?: string; url?: string } = {},
): AccessRequest {
  const url = new URL(more.url ?? "http://192.168.1.1:1984/api");
  const headers = new Headers(more.headers);
  return {
    peer: { ...peerOf(host), headers },
    method: more.method ?? "GET",
    query: url.searchParams,
    host: headers.get("host") ?? url.host,
    headers,
  };
}

const basic = (name: string, password: string) => ({ authorization: `Basic ${btoa(`${name}:${password}`)}` });
const LOCALHOST = "http://localhost:1984/api";
const NEEDS: readonly Need[] = ["watch", "listen", "talk", "snapshot", "playback", "publish", "operate", "admin"];

function held(access: Access, principal: Principal): string {
  return NEEDS.filter((need) => access.check(principal, need, "yard") === undefined).join(" ");
}

const CAMERA = "watch listen talk snapshot playback publish";
const LOCAL = "watch listen talk snapshot publish";

Deno.test("Access without users goes by where a request comes from", () => {
  const access = accessOf({ hosts: ["cams.example.com"], localNetworks: ["100.64.0.0/10"] });
  const browser = { origin: "http://192.168.1.1:1984" };
  const table: readonly [string, AccessRequest, string | number][] = [
    ["this machine", requestOf("127.0.0.1", { url: LOCALHOST }), `${CAMERA} operate admin`],
    ["this machine, IPv6", requestOf("::1", { url: "http://[::1]:1984/" }), `${CAMERA} operate admin`],
    ["unix socket", requestOf("", { url: "http://localhost/" }), `${CAMERA} operate admin`],
    ["this machine by a foreign name", requestOf("127.0.0.1", { url: "http://evil.com/" }), 403],
    ["this machine by its own name", requestOf("127.0.0.1", { url: "http://nvr.example:1984/" }), `${LOCAL} operate`],
    ["local program", requestOf("192.168.1.9"), `${LOCAL} operate`],
    ["local browser", requestOf("192.168.1.9", { headers: browser }), LOCAL],
    ["local fetch metadata", requestOf("192.168.1.9", { headers: { "sec-fetch-mode": "cors" } }), LOCAL],
    ["on-link public address", requestOf("203.0.113.20"), `${LOCAL} operate`],
    ["listed network", requestOf("100.64.1.1"), `${LOCAL} operate`],
    ["internet", requestOf("8.8.8.8"), 403],
    ["rebinding", requestOf("192.168.1.9", { url: "http://evil.com:1984/" }), 403],
    ["known name", requestOf("192.168.1.9", { url: "http://cams.example.com/" }), `${LOCAL} operate`],
    ["single label", requestOf("192.168.1.9", { url: "http://nvr:1984/" }), `${LOCAL} operate`],
    ["mDNS name", requestOf("192.168.1.9", { url: "http://nvr.local/" }), `${LOCAL} operate`],
    ["login nobody set", requestOf("192.168.1.9", { headers: basic("a", "b") }), `${LOCAL} operate`],
    ["token in the query", requestOf("8.8.8.8", { url: `http://evil.com/?token=${TOKEN}` }), `${CAMERA} operate admin`],
    [
      "token as bearer",
      requestOf("8.8.8.8", { headers: { authorization: `Bearer ${TOKEN}` } }),
      `${CAMERA} operate admin`,
    ],
    [
      "token as cookie",
      requestOf("8.8.8.8", { headers: { cookie: `a=b; lenswire_token=${TOKEN}` } }),
      `${CAMERA} operate admin`,
    ],
    ["wrong token", requestOf("8.8.8.8", { url: "http://h/?token=wrong" }), 403],
  ];
  for (const [what, request, expected] of table) {
    const { principal, denial } = access.enter(request);
    assert.equal(denial?.status ?? held(access, principal), expected, what);
    if (denial) assert.equal(held(access, principal), "", what);
  }
});

Deno.test("Access trusts an owner with the token or a password only", () => {
  const access = accessOf({ api: { ...defaultAccessSettings.api, username: "admin", password: "pw" } });
  const isTrusted = (request: AccessRequest) => access.enter(request).principal.isTrusted;
  assert.equal(isTrusted(requestOf("127.0.0.1", { url: LOCALHOST })), false);
  assert.equal(isTrusted(requestOf("8.8.8.8", { headers: basic("admin", "pw") })), true);
  assert.equal(isTrusted(requestOf("8.8.8.8", { url: `http://h/?token=${TOKEN}` })), true);
  assert.equal(
    accessOf({ trustApi: true }).enter(requestOf("127.0.0.1", { url: LOCALHOST })).principal.isTrusted,
    true,
  );
  assert.equal(accessOf({ trustApi: true }).enter(requestOf("192.168.1.2")).principal.isTrusted, false);
});

Deno.test("Access does not take this program for the owner of the machine when it is led back to itself", () => {
  const access = accessOf();
  const asked = access.enter(requestOf("127.0.0.1", { url: LOCALHOST, headers: ownCallHeaders }));
  assert.match(asked.denial!.message, /leads back to this program/);
  const address = { host: "127.0.0.1", port: 50000 };
  const never = () => Promise.reject(new Error("not here"));
  const conn = asOwnCall({ localAddress: address, remoteAddress: address, read: never, write: never, close() {} });
  const rtsp = () =>
    held(access, access.identify({ host: "127.0.0.1", port: 50000, transport: "tcp" }, undefined, "rtsp")!);
  assert.equal(rtsp(), LOCAL);
  conn.close();
  assert.equal(rtsp(), `${CAMERA} operate admin`);
});

Deno.test("Access keeps who is in through a change, whoever guesses at the same address meanwhile", () => {
  const users = [{ name: "ann", password: "right" }];
  const access = accessOf({ users });
  const ann = access.enter(requestOf("192.168.1.9", { headers: basic("ann", "right") })).principal;
  const player: Peer = { host: "192.168.1.9", port: 1, transport: "tcp" };
  const watching = access.identify(player, { username: "ann", password: "right" }, "rtsp")!;
  for (let i = 0; i < 20; i++) access.enter(requestOf("192.168.1.9", { headers: basic("ann", `guess ${i}`) }));
  const refused = access.enter(requestOf("192.168.1.9", { headers: basic("ann", "right") }));
  assert.equal(refused.denial?.status, 429);
  access.configure({ ...defaultAccessSettings, users, hosts: ["cams.example.com"] });
  assert.deepEqual([ann, watching].map((principal) => access.isLetIn(principal)), [true, true]);
  access.configure({ ...defaultAccessSettings, users: [{ name: "bob", password: "right" }] });
  assert.deepEqual([ann, watching].map((principal) => access.isLetIn(principal)), [false, false]);
});

Deno.test("Access judges what comes through a proxy by the farthest address", () => {
  const plain = accessOf();
  const trusting = accessOf({ trustedProxies: ["127.0.0.1", "192.168.1.2", "unix"] });
  const through = (peer: string, headers: Record<string, string>) => requestOf(peer, { url: LOCALHOST, headers });
  const table: readonly [string, Access, AccessRequest, string | number][] = [
    ["unknown proxy names nobody", plain, through("127.0.0.1", { via: "1.1 x" }), 403],
    ["unknown proxy, internet", plain, through("127.0.0.1", { "x-forwarded-for": "8.8.8.8" }), 403],
    ["unknown proxy, local", plain, through("127.0.0.1", { "x-forwarded-for": "192.168.1.7" }), LOCAL],
    ["unknown proxy, faked", plain, through("127.0.0.1", { "x-forwarded-for": "127.0.0.1, 8.8.8.8" }), 403],
    ["unknown proxy claims this machine", plain, through("127.0.0.1", { "x-forwarded-for": "127.0.0.1" }), LOCAL],
    ["tunnel", plain, through("127.0.0.1", { "cf-connecting-ip": "8.8.8.8", "cf-ray": "1" }), 403],
    ["odd header", plain, through("127.0.0.1", { "x-forwarded-whatever": "1" }), 403],
    ["unknown proxy at the unix socket", plain, through("", { "x-forwarded-for": "8.8.8.8" }), 403],
    ["known proxy, local", trusting, through("127.0.0.1", { "x-forwarded-for": "192.168.1.7" }), `${LOCAL} operate`],
    [
      "known proxy, internet",
      trusting,
      through("127.0.0.1", { forwarded: 'for="[2001:db8::1]:443";proto=https' }),
      403,
    ],
    ["known proxies in a row", trusting, through("127.0.0.1", { "x-forwarded-for": "8.8.8.8, 192.168.1.2" }), 403],
    ["client faked the first", trusting, through("127.0.0.1", { "x-forwarded-for": "192.168.1.7, 8.8.8.8" }), 403],
    [
      "client faked the other header",
      trusting,
      through("127.0.0.1", { forwarded: "for=10.0.0.1", "x-forwarded-for": "8.8.8.8" }),
      403,
    ],
    ["hidden client", trusting, through("127.0.0.1", { forwarded: "for=unknown" }), 403],
    [
      "known proxy claims this machine",
      trusting,
      through("127.0.0.1", { "x-forwarded-for": "127.0.0.1" }),
      `${LOCAL} operate`,
    ],
    ["known proxy at the unix socket", trusting, through("", { "x-forwarded-for": "10.1.1.1" }), `${LOCAL} operate`],
  ];
  for (const [what, access, request, expected] of table) {
    const { principal, denial } = access.enter(request);
    assert.equal(denial?.status ?? held(access, principal), expected, what);
  }
  const text = trusting.describe(peerOf("127.0.0.1", { "x-forwarded-for": "192.168.1.7" }));
  assert.equal(text, "127.0.0.1:50000 forwarded 192.168.1.7");
  assert.equal(plain.describe(peerOf("fe80::1")), "[fe80::1]:50000");
});

Deno.test("Access does not take a browser that comes through a proxy without headers for one on this machine", () => {
  const browser = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)" };
  const socket = { ...browser, upgrade: "websocket" };
  const through = (headers: Record<string, string>) => requestOf("127.0.0.1", { url: LOCALHOST, headers });
  const table: readonly [string, AccessRequest, string | number][] = [
    ["browser", through({ ...browser, connection: "keep-alive" }), `${CAMERA} operate admin`],
    ["its socket", through({ ...socket, connection: "keep-alive, Upgrade" }), `${CAMERA} operate admin`],
    ["nginx", through({ ...browser, connection: "close" }), 403],
    ["nginx with keepalive, HAProxy", through(browser), 403],
    ["nginx with a fixed upgrade", through({ ...browser, connection: "upgrade" }), 403],
    ["program", through({ "user-agent": "Python-urllib/3.11", connection: "close" }), `${CAMERA} operate admin`],
    ["browser at the unix socket", requestOf("", { url: LOCALHOST, headers: browser }), 403],
    ["browser elsewhere", requestOf("192.168.1.9", { headers: browser }), LOCAL],
  ];
  for (const [what, request, expected] of table) {
    const { principal, denial } = accessOf().enter(request);
    assert.equal(denial?.status ?? held(accessOf(), principal), expected, what);
  }
  assert.match(accessOf().enter(through(browser)).denial!.message, /does not say for whom.*X-Forwarded-For/);
  const api = { ...defaultAccessSettings.api, username: "admin", password: "pw" };
  const known = through({ ...browser, ...basic("admin", "pw"), connection: "close" });
  assert.equal(accessOf({ api }).enter(known).denial?.status, 403, "with a login too, so that it is noticed");
  assert.equal(accessOf({ open: true }).enter(through(browser)).denial, undefined);
  // Over TLS it may be HTTP/2, which has no such header.
  const tls = { ...through(browser), peer: { ...peerOf("127.0.0.1", browser), transport: "tls" as const } };
  assert.equal(accessOf().enter(tls).denial, undefined);
});

Deno.test("Access lets in with its role who has logged in at a proxy that asks for logins", () => {
  const users = [{ name: "anna", password: "pw" }];
  const access = accessOf({
    loginProxies: { "172.30.32.2": "admin", "10.0.0.0/24": "viewer", unix: "operator" },
    users,
  });
  const ingress = { "x-forwarded-for": "8.8.8.8, 172.30.32.1", "x-ingress-path": "/api/hassio_ingress/abc" };
  const host = "http://home.example.org/";
  const table: readonly [string, AccessRequest, string | number][] = [
    ["from the Internet", requestOf("172.30.32.2", { url: host, headers: ingress }), `${CAMERA} operate admin`],
    ["role", requestOf("10.0.0.7", { url: host, headers: ingress }), "watch listen talk snapshot playback"],
    ["unix socket", requestOf("", { url: host, headers: ingress }), `${CAMERA} operate`],
    ["not from the proxy", requestOf("172.30.32.3", { url: host, headers: ingress }), 401],
    ["the proxy's own request", requestOf("172.30.32.2", { url: host }), 401],
    [
      "a user there",
      requestOf("10.0.0.7", { headers: { ...ingress, ...basic("anna", "pw") } }),
      "watch listen talk snapshot playback",
    ],
    [
      "page of another site",
      requestOf("172.30.32.2", { url: host, headers: { ...ingress, origin: "http://evil.com" } }),
      CAMERA,
    ],
  ];
  for (const [what, request, expected] of table) {
    const { principal, denial } = access.enter(request);
    assert.equal(denial?.status ?? held(access, principal), expected, what);
  }
  const { principal } = access.enter(table[0]![1]);
  assert.equal(principal.name, "admin 172.30.32.1");
});

Deno.test("Access asks for a login as soon as there are users, as go2rtc does", () => {
  const api = { ...defaultAccessSettings.api, username: "admin", password: "pw" };
  const access = accessOf({ api });
  const strict = accessOf({ api: { ...api, localAuth: true } });
  const table: readonly [string, Access, AccessRequest, string | number][] = [
    ["local without login", access, requestOf("192.168.1.9"), 401],
    [
      "local with login",
      access,
      requestOf("192.168.1.9", { headers: basic("admin", "pw") }),
      `${CAMERA} operate admin`,
    ],
    ["wrong password", access, requestOf("192.168.1.9", { headers: basic("admin", "no") }), 401],
    ["wrong name", access, requestOf("192.168.1.9", { headers: basic("root", "pw") }), 401],
    [
      "internet with login",
      access,
      requestOf("8.8.8.8", { headers: basic("admin", "pw"), url: "http://any.com/" }),
      `${CAMERA} operate admin`,
    ],
    ["this machine", access, requestOf("127.0.0.1", { url: LOCALHOST }), `${CAMERA} operate admin`],
    [
      "this machine, wrong login",
      access,
      requestOf("127.0.0.1", { url: LOCALHOST, headers: basic("x", "y") }),
      `${CAMERA} operate admin`,
    ],
    [
      "proxy on this machine",
      access,
      requestOf("127.0.0.1", { url: LOCALHOST, headers: { "x-forwarded-for": "192.168.1.3" } }),
      401,
    ],
    ["rebinding to this machine", access, requestOf("127.0.0.1", { url: "http://evil.com/" }), 401],
    ["unix socket", access, requestOf("", { url: "http://localhost/" }), `${CAMERA} operate admin`],
    ["local_auth", strict, requestOf("127.0.0.1", { url: LOCALHOST }), 401],
    ["local_auth, unix socket", strict, requestOf("", { url: "http://localhost/" }), 401],
    [
      "local_auth with login",
      strict,
      requestOf("", { url: "http://x/", headers: basic("admin", "pw") }),
      `${CAMERA} operate admin`,
    ],
  ];
  for (const [what, one, request, expected] of table) {
    const { principal, denial } = one.enter(request);
    assert.equal(denial?.status ?? held(one, principal), expected, what);
  }
  assert.equal(access.enter(requestOf("192.168.1.9")).denial?.message, "Unauthorized");
});

Deno.test("Access gives users the rights of their role for their cameras", () => {
  const access = accessOf({
    users: [
      { name: "anna", password: "1", role: "viewer", cameras: ["yard", "door*"] },
      { name: "otto", password: "2", role: "operator" },
      { name: "root", password: "3", role: "admin" },
      { name: "cam", password: "4", rights: ["publish"], cameras: ["yard"] },
    ],
  });
  const enter = (name: string, password: string) =>
    access.enter(requestOf("8.8.8.8", { headers: basic(name, password) })).principal;
  assert.equal(held(access, enter("anna", "1")), "watch listen talk snapshot playback");
  assert.equal(held(access, enter("otto", "2")), `${CAMERA} operate`);
  assert.equal(held(access, enter("root", "3")), `${CAMERA} operate admin`);
  assert.equal(held(access, enter("cam", "4")), "publish");
  assert.equal(enter("anna", "1").can("watch", "door 2"), true);
  assert.equal(enter("anna", "1").can("watch", "bedroom"), false);
  assert.equal(access.check(enter("anna", "1"), "watch", "bedroom")?.status, 403);
  assert.equal(access.check(enter("anna", "1"), "watch", null), undefined);
  assert.equal(enter("root", "3").isTrusted, true);
  assert.equal(enter("otto", "2").isTrusted, false);
});

Deno.test("Access.check() answers every need of every role", () => {
  const access = accessOf({ users: [{ name: "v", password: "p" }, { name: "o", password: "p", role: "operator" }] });
  const of = (host: string, headers: Record<string, string> = {}) =>
    access.enter(requestOf(host, { headers, url: LOCALHOST }));
  const expected: readonly [string, Principal, string][] = [
    ["nobody", of("8.8.8.8").principal, ""],
    ["viewer", of("8.8.8.8", basic("v", "p")).principal, "watch listen talk snapshot playback"],
    ["operator", of("8.8.8.8", basic("o", "p")).principal, `${CAMERA} operate`],
    ["owner", of("127.0.0.1").principal, `${CAMERA} operate admin`],
  ];
  for (const [what, principal, rights] of expected) {
    for (const need of NEEDS) {
      assert.equal(
        access.check(principal, need, "yard") === undefined,
        rights.split(" ").includes(need),
        `${what} ${need}`,
      );
    }
    assert.equal(access.check(principal, "public", "yard"), undefined);
  }
});

Deno.test("Access open lets everybody do everything, as go2rtc does", () => {
  const access = accessOf({ open: true });
  const { principal } = access.enter(requestOf("8.8.8.8", { method: "POST", headers: { origin: "http://evil.com" } }));
  assert.equal(held(access, principal), `${CAMERA} operate admin`);
  assert.equal(principal.isTrusted, false);
  const closed = accessOf({ open: true, api: { ...defaultAccessSettings.api, username: "a", password: "b" } });
  assert.equal(closed.enter(requestOf("8.8.8.8")).denial?.status, 401);
});

Deno.test("Access lets pages of other sites change nothing", () => {
  const access = accessOf();
  const anyOrigin = accessOf({ api: { ...defaultAccessSettings.api, origin: "*" } });
  const from = (headers: Record<string, string>, method = "POST") =>
    requestOf("127.0.0.1", { url: LOCALHOST, headers, method });
  const table: readonly [string, Access, AccessRequest, string | number][] = [
    ["own page", access, from({ origin: "http://localhost:1984" }), `${CAMERA} operate admin`],
    [
      "own page by fetch metadata",
      access,
      from({ origin: "http://x", "sec-fetch-site": "same-origin" }),
      `${CAMERA} operate admin`,
    ],
    ["typed by hand", access, from({ "sec-fetch-site": "none" }, "GET"), `${CAMERA} operate admin`],
    ["other site", access, from({ origin: "http://evil.com" }), 403],
    ["other port", access, from({ origin: "http://localhost:8123" }), 403],
    ["sandboxed page", access, from({ origin: "null" }), 403],
    ["other site without origin", access, from({ "sec-fetch-site": "cross-site" }), 403],
    ["picture in another site", access, from({ "sec-fetch-site": "cross-site" }, "GET"), CAMERA],
    ["cookie from another site", access, from({ origin: "http://evil.com", cookie: `lenswire_token=${TOKEN}` }), 403],
    [
      "bearer from another site",
      access,
      from({ origin: "http://evil.com", authorization: `Bearer ${TOKEN}` }),
      `${CAMERA} operate admin`,
    ],
    ["other site where any may", anyOrigin, from({ origin: "http://evil.com" }), CAMERA],
  ];
  for (const [what, one, request, expected] of table) {
    const { principal, denial } = one.enter(request);
    assert.equal(denial?.status ?? held(one, principal), expected, what);
  }
});

Deno.test("Access lets no picture or link in another site's page change anything, also where browsers say little", () => {
  const access = accessOf();
  const guarded = accessOf({ api: { ...defaultAccessSettings.api, username: "admin", password: "pw" } });
  const browser = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)" };
  const own = { ...browser, referer: "http://192.168.1.1:1984/config.html" };
  const other = { ...browser, referer: "http://evil.com/" };
  const known = basic("admin", "pw");
  const table: readonly [string, Access, Record<string, string>, string][] = [
    ["program", access, { "user-agent": "HomeAssistant/2026.1" }, `${LOCAL} operate`],
    ["browser that may be sent by anybody", access, browser, LOCAL],
    ["browser sent by our own page", access, own, LOCAL],
    ["browser sent by another site's page", access, other, LOCAL],
    ["known program", guarded, known, `${CAMERA} operate admin`],
    ["known browser, our own page", guarded, { ...own, ...known }, `${CAMERA} operate admin`],
    ["known browser, another site's page", guarded, { ...other, ...known }, CAMERA],
  ];
  for (const [what, one, headers, expected] of table) {
    const { principal } = one.enter(requestOf("192.168.1.9", { headers }));
    assert.equal(held(one, principal), expected, what);
  }
  const { principal } = guarded.enter(requestOf("192.168.1.9", { headers: { ...browser, ...known } }));
  assert.deepEqual(
    [principal.isAdmin, principal.mayOperate, principal.isTrusted],
    [true, false, false],
    "a known browser that may be sent by anybody sees all and changes nothing",
  );
});

Deno.test("Access makes those who guess passwords wait", () => {
  let now = 0;
  const access = accessOf({ users: [{ name: "anna", password: "right" }] }, () => now);
  const attempt = (password: string) => access.enter(requestOf("8.8.8.8", { headers: basic("anna", password) })).denial;
  for (let i = 0; i < 11; i++) assert.equal(attempt(`wrong${i}`)?.status, 401);
  assert.equal(attempt("right")?.status, 429);
  assert.equal(attempt("right")?.retryAfterSeconds, 2);
  assert.equal(access.enter(requestOf("8.8.4.4", { headers: basic("anna", "right") })).denial, undefined);
  now = 2000;
  assert.equal(attempt("right"), undefined);
});

Deno.test("Access.identify() knows peers of other protocols by login and address", () => {
  const open = accessOf();
  const withLogin = accessOf({ services: { rtsp: { username: "cam", password: "pw" } } });
  const withApi = accessOf({ api: { ...defaultAccessSettings.api, username: "a", password: "b", localAuth: true } });
  const withUsers = accessOf({ users: [{ name: "anna", password: "pw", cameras: ["yard"] }] });
  const login = { username: "cam", password: "pw" };
  const bare = (host: string): Peer => ({ host, port: 1, transport: "tcp" });
  const table: readonly [string, Access, Peer, typeof login | undefined, string | undefined][] = [
    ["local", open, bare("192.168.1.4"), undefined, LOCAL],
    ["this machine", open, bare("127.0.0.1"), undefined, `${CAMERA} operate admin`],
    ["internet", open, bare("8.8.8.8"), undefined, ""],
    ["tunnel", open, { ...bare("127.0.0.1"), isRemote: true }, undefined, ""],
    ["login nobody set", open, bare("192.168.1.4"), login, LOCAL],
    ["local, login needed", withLogin, bare("192.168.1.4"), undefined, undefined],
    ["right login", withLogin, bare("192.168.1.4"), login, "watch listen publish"],
    ["right login, internet", withLogin, bare("8.8.8.8"), login, "watch listen publish"],
    ["wrong login", withLogin, bare("192.168.1.4"), { ...login, password: "no" }, undefined],
    ["this machine needs none", withLogin, bare("127.0.0.1"), undefined, `${CAMERA} operate admin`],
    ["login of the API only", withApi, bare("192.168.1.4"), undefined, LOCAL],
    ["login of the API shown", withApi, bare("8.8.8.8"), { username: "a", password: "b" }, `${CAMERA} operate admin`],
    ["login of the API only, internet", withApi, bare("8.8.8.8"), undefined, undefined],
    ["local_auth, this machine", withApi, bare("127.0.0.1"), undefined, LOCAL],
    ["users, local without login", withUsers, bare("192.168.1.4"), undefined, undefined],
    ["user", withUsers, bare("8.8.8.8"), { username: "anna", password: "pw" }, "watch listen talk snapshot playback"],
  ];
  for (const [what, access, peer, shown, expected] of table) {
    const principal = access.identify(peer, shown, "rtsp");
    assert.equal(principal && held(access, principal), expected, what);
  }
  assert.equal(withLogin.identify(bare("192.168.1.4"), login, "rtmp")?.name, "local 192.168.1.4");
});

Deno.test("Access.configure() holds from the next request on", () => {
  const access = accessOf();
  assert.equal(access.enter(requestOf("192.168.1.9")).denial, undefined);
  access.configure({ ...defaultAccessSettings, users: [{ name: "a", password: "b" }] });
  assert.equal(access.enter(requestOf("192.168.1.9")).denial?.status, 401);
});

Deno.test("Access.configure() holds at once for those who are in", () => {
  const anna = { name: "anna", password: "pw" };
  const settings = { ...defaultAccessSettings, users: [anna] };
  const access = accessOf(settings);
  const headers = basic("anna", "pw");
  const byHttp = access.enter(requestOf("8.8.8.8", { headers })).principal;
  const byRtsp = access.identify(
    { host: "8.8.8.8", port: 1, transport: "tcp" },
    { ...anna, username: "anna" },
    "rtsp",
  )!;
  const both = () => [byHttp, byRtsp].map((one) => access.isLetIn(one) && held(access, one));
  assert.deepEqual(both(), ["watch listen talk snapshot playback", "watch listen talk snapshot playback"]);
  assert.equal(access.configure({ ...settings }), false);
  assert.equal(access.configure({ ...settings, users: [{ ...anna, role: "admin", cameras: ["yard"] }] }), true);
  assert.deepEqual(both(), [`${CAMERA} operate admin`, `${CAMERA} operate admin`]);
  access.configure({ ...settings, users: [{ name: "bob", password: "pw" }] });
  assert.deepEqual(both(), [false, false]);
  assert.deepEqual([held(access, byHttp), byHttp.name, byRtsp.isTrusted], ["", "user anna", false]);
  access.configure({ ...settings, users: [{ ...anna, cameras: ["bed"] }] });
  assert.deepEqual(both(), ["", ""]);
});
