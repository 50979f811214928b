import assert from "node:assert/strict";
import {
  type PluginContext,
  type Principal,
  type RouteHandler,
  type StreamHandle,
  systemPrincipal,
} from "../../core/mod.ts";
import { serveHass } from "./hass.ts";
import { type Answered, type Answering, serveHttp } from "./http.ts";
import type { Offer } from "./offer.ts";

const yard = { name: "yard" } as StreamHandle;

/** The routes of the module, and what they did. */
class Api implements Answering {
  readonly offers: Offer[] = [];
  readonly candidates: string[] = [];
  readonly closed: string[] = [];
  readonly patched: string[] = [];
  iceServers = [{ urls: ["stun:stun.example:3478"] }, { urls: ["turn:t.example"], username: "u", credential: 'p"w' }];
  principal: Principal = systemPrincipal;
  readonly #routes = new Map<string, RouteHandler>();

  constructor() {
    const add = (method: string) => (path: string, _options: unknown, handler: RouteHandler) =>
      this.#routes.set(`${method} ${path}`, handler);
    const ctx = {
      http: { get: add("GET"), post: add("POST"), patch: add("PATCH"), delete: add("DELETE"), any: add("*") },
      streams: {
        get: (name: string) => name === "yard" ? yard : undefined,
        control: { patch: (name: string, source: string) => this.patched.push(`${name} ${source}`) },
      },
    } as unknown as PluginContext;
    serveHttp(ctx, () => Promise.resolve(this), this.iceServers);
    serveHass(ctx, () => Promise.resolve(this));
  }

  accept(offer: Offer): Promise<Answered> {
    this.offers.push(offer);
    return Promise.resolve(this.#session);
  }
  find(id: string): Answered | undefined {
    return id === "s1" ? this.#session : undefined;
  }
  readonly #session: Answered = {
    id: "s1",
    answer: "v=0 answer",
    etag: '"e1"',
    addCandidate: (text) => this.candidates.push(text),
    amend: ({ credentials, candidates }) => {
      this.candidates.push(...candidates);
      return credentials && `a=ice-ufrag:for ${credentials.ufrag}`;
    },
    onCandidate: () => {},
    close: (reason) => this.closed.push(reason),
  };

  async ask(
    method: string,
    target: string,
    type?: string,
    body?: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const url = new URL(target, "http://here");
    const request = new Request(url, {
      method,
      ...(body === undefined ? {} : { body: new TextEncoder().encode(body) }),
      headers: { ...headers, ...(type === undefined ? {} : { "content-type": type }) },
    });
    const { pathname } = url;
    const handler = this.#routes.get(`${method} ${pathname}`) ?? this.#routes.get(`* ${pathname}`) ??
      this.#routes.get(`${method} /stream/*`)!;
    const peer = { host: "127.0.0.1", port: 1, transport: "tcp" } as const;
    const { principal } = this;
    const call = { request, url, query: url.searchParams, principal, peer, remoteAddr: "127.0.0.1:1" };
    return await handler(call);
  }
}

Deno.test("serveHttp answers WHEP with 201, a Location and the ICE servers", async () => {
  const api = new Api();
  const response = await api.ask("POST", "/api/webrtc?src=yard", "application/SDP; charset=utf-8", "v=0");
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("content-type"), "application/sdp");
  assert.equal(response.headers.get("location"), "webrtc?id=s1");
  assert.equal(
    response.headers.get("link"),
    '<stun:stun.example:3478>; rel="ice-server", ' +
      '<turn:t.example>; rel="ice-server"; username="u"; credential="p\\"w"; credential-type="password"',
  );
  assert.equal(await response.text(), "v=0 answer");
  const [offer] = api.offers;
  assert.deepEqual([offer!.sdp, offer!.formatName, offer!.target.role], ["v=0", "webrtc/whep", "either"]);
});

Deno.test("serveHttp tells the ICE servers before an offer too, logins only to who may make one", async () => {
  const api = new Api();
  const link = async (target: string) => (await api.ask("OPTIONS", target)).headers.get("link")!;
  assert.equal(await link("/api/webrtc"), '<stun:stun.example:3478>; rel="ice-server"');
  assert.match(await link("/api/webrtc?src=yard"), /<turn:t\.example>; rel="ice-server"; username="u"/);
  assert.match(await link("/api/webrtc?dst=yard"), /<turn:t\.example>/);
  api.principal = { ...systemPrincipal, can: () => false };
  assert.equal(await link("/api/webrtc?src=yard"), '<stun:stun.example:3478>; rel="ice-server"');
});

Deno.test("serveHttp answers JSON, forms and plain offers as the contract has it", async () => {
  const api = new Api();
  const json = await api.ask("POST", "/api/webrtc?src=yard", "application/json", '{"type":"offer","sdp":"v=0"}');
  assert.deepEqual([json.status, await json.json()], [200, { type: "answer", sdp: "v=0 answer" }]);
  const formType = "application/x-www-form-urlencoded";
  const form = await api.ask("POST", "/api/webrtc?src=yard", formType, `data=${btoa("v=0\r\n\xff>?")}`);
  assert.deepEqual([form.status, form.headers.get("content-type")], [200, formType]);
  assert.equal(atob(await form.text()), "v=0 answer");
  const plain = await api.ask("POST", "/api/webrtc?src=yard", "Text/Plain", "v=0");
  assert.deepEqual([plain.status, plain.headers.get("content-type")], [200, "text/plain"]);
  const none = await api.ask("POST", "/api/webrtc?src=yard", undefined, "v=0");
  assert.deepEqual([none.status, none.headers.get("content-type") ?? ""], [200, ""]);
  assert.deepEqual(api.offers.map(({ sdp }) => sdp), ["v=0", "v=0\r\n\xff>?", "v=0", "v=0"]);
  const names = ["webrtc/json", "webrtc/post", "webrtc/post", "webrtc/post"];
  assert.deepEqual(api.offers.map(({ formatName }) => formatName), names);
});

Deno.test("serveHttp takes WHIP whatever its type, closes sessions and adds candidates", async () => {
  const api = new Api();
  const response = await api.ask("POST", "/api/webrtc?dst=yard", "application/json", "v=0");
  assert.deepEqual([response.status, response.headers.get("location")], [201, "webrtc?id=s1"]);
  assert.equal(api.offers[0]!.target.role, "publisher");
  const fragment = "a=ice-ufrag:x\r\na=mid:0\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=end-of-candidates\r\n";
  const patch = await api.ask("PATCH", "/api/webrtc?id=s1", "application/trickle-ice-sdpfrag", fragment);
  assert.equal(patch.status, 204);
  assert.deepEqual(api.candidates, ["candidate:1 1 udp 1 10.0.0.1 5 typ host"]);
  assert.equal((await api.ask("DELETE", "/api/webrtc?id=s1")).status, 200);
  assert.equal(api.closed.length, 1);
});

Deno.test("serveHttp begins ICE anew for the session that is meant", async () => {
  const api = new Api();
  const created = await api.ask("POST", "/api/webrtc?src=yard", "application/sdp", "v=0");
  const etag = created.headers.get("etag")!;
  assert.equal(etag, '"e1"');
  const fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
  const patch = (match: string) =>
    api.ask("PATCH", "/api/webrtc?id=s1", "application/trickle-ice-sdpfrag", fragment, { "if-match": match });
  const answer = await patch(etag);
  assert.deepEqual([answer.status, answer.headers.get("etag")], [200, etag]);
  assert.equal(await answer.text(), "a=ice-ufrag:for abcd");
  assert.equal((await patch("*")).status, 200);
  assert.equal((await patch('"of before"')).status, 412);
});

Deno.test("serveHttp says what is wrong with a request", async () => {
  const api = new Api();
  const status = async (...args: Parameters<Api["ask"]>) => (await api.ask(...args)).status;
  assert.equal(await status("POST", "/api/webrtc", "application/sdp", "v=0"), 400);
  const unknown = await api.ask("POST", "/api/webrtc?src=none", "application/sdp", "v=0");
  assert.deepEqual([unknown.status, await unknown.text()], [404, "stream not found\n"]);
  assert.equal(await status("DELETE", "/api/webrtc"), 400);
  assert.equal(await status("DELETE", "/api/webrtc?id=none"), 404);
  assert.equal(await status("PATCH", "/api/webrtc"), 405);
  assert.equal(await status("GET", "/api/webrtc?src=yard"), 405);
  assert.equal(await status("OPTIONS", "/api/webrtc"), 204);
  for (const body of ["{", "[]", '{"type":"answer","sdp":"v=0"}', '{"sdp":5}']) {
    const asked = api.ask("POST", "/api/webrtc?src=yard", "application/json", body);
    await assert.rejects(asked, { code: "BAD_SOURCE", message: /^Cannot read the offer/ });
  }
  const form = api.ask("POST", "/api/webrtc?src=yard", "application/x-www-form-urlencoded", "data=%%%");
  await assert.rejects(form, { code: "BAD_SOURCE" });
});

Deno.test("serveHass answers as RTSPtoWebRTC does", async () => {
  const api = new Api();
  for (const path of ["/static", "/streams"]) {
    assert.deepEqual(await (await api.ask("GET", path)).json(), { status: 1, payload: {} });
  }
  const added = await api.ask(
    "POST",
    "/stream/any/add",
    "application/json",
    '{"name":"hall","channels":{"0":{"name":"ch1","url":"rtsp://cam/1"}}}',
  );
  assert.deepEqual([added.status, await added.json()], [200, { status: 1, payload: {} }]);
  assert.deepEqual(api.patched, ["hall rtsp://cam/1"]);
  assert.equal((await api.ask("POST", "/stream/any/add", "application/json", "{}")).status, 400);
  const form = `data=${encodeURIComponent(btoa("v=0"))}`;
  const answer = await api.ask("POST", "/stream/yard/channel/0/webrtc", "application/x-www-form-urlencoded", form);
  assert.equal(atob(await answer.text()), "v=0 answer");
  assert.equal(api.offers[0]!.formatName, "hass/webrtc");
  assert.equal((await api.ask("POST", "/stream/none/channel/0/webrtc", "", form)).status, 404);
});
