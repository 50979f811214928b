/** How sources reach servers that are not simply there: by relays and by connections. */
import assert from "node:assert/strict";
import { codec } from "../../../core/mod.ts";
import { TestCamera, TestEngine } from "../engine_testing.ts";
import { FakeTurnServer } from "../turn/turn_testing.ts";
import { FakeCamera, FakeServer, PICTURE, SourceOpener, withoutCandidates } from "./client_testing.ts";
import { sourceStats } from "./open_sources.ts";

interface Shown {
  readonly path: string;
  readonly local: string;
  readonly rtt_ms: number;
  readonly stream: string;
  readonly url: string;
}

function shown(sources: SourceOpener): Shown {
  return sourceStats(sources.sources)[0] as unknown as Shown;
}

function testCamera(): TestCamera {
  return new TestCamera({ kind: "video", direction: "recvonly", codecs: [codec("VP8")] });
}

/** A WHEP server with a camera behind it. */
function whepServer(camera: FakeCamera, headers: Readonly<Record<string, string>> = {}): FakeServer {
  return new FakeServer(async ({ method, body }) => {
    if (method === "POST") {
      return new Response(await camera.answer(body), { status: 201, headers: { location: "/session/1", ...headers } });
    }
    for (const [, line] of body.matchAll(/^a=(candidate:.*)\r$/gm)) await camera.addCandidate(line!);
    return new Response(null, { status: 204 });
  });
}

for (const transport of ["udp", "tcp"] as const) {
  Deno.test(`A source that may use relays only plays through one that is reached over ${transport}`, async () => {
    await using camera = new FakeCamera();
    using relay = new FakeTurnServer();
    using sources = new SourceOpener();
    sources.iceServers = [relay.entry(transport)];
    await using server = whepServer(camera);
    {
      await using watched = await sources.watch(`webrtc:http://${server.host}/whep#ice=relay`);
      assert.deepEqual(await watched.first("video"), PICTURE);
      const { path, local, rtt_ms, stream, url } = shown(sources);
      assert.match(path, /^udp 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ (host|prflx)$/);
      assert.equal(local, "relay");
      assert.ok(rtt_ms > 0 && rtt_ms < 1000);
      assert.deepEqual([stream, url], ["cam", `http://${server.host}/whep`]);
      const offered = server.got[0]!.body.match(/^a=candidate:.*$/gm)!;
      assert.match(offered.join(), /^a=candidate:\d+ 1 udp \d+ 127\.0\.0\.1 \d+ typ relay raddr 0\.0\.0\.0 rport 0$/);
      await relay.until(() => relay.asked.includes("CHANNEL_BIND"));
      assert.equal(relay.size, 1);
    }
    await sources.released();
    assert.equal(relay.size, 0);
    assert.equal(sources.leftovers, 0);
    assert.deepEqual(sourceStats(sources.sources), []);
  });
}

Deno.test("A source that is reached directly gives its relay back at once", async () => {
  await using it = await TestEngine.open(testCamera());
  using relay = new FakeTurnServer();
  using sources = new SourceOpener();
  sources.iceServers = [relay.entry()];
  await using server = new FakeServer(async ({ body }) =>
    new Response((await it.engine.accept(it.offer(body))).answer, { status: 201 })
  );
  const source = await sources.open(`webrtc:http://${server.host}/api/webrtc?src=cam`);
  assert.match(server.got[0]!.body, / typ relay /);
  assert.equal(shown(sources).local, "host");
  await relay.until(() => relay.asked.includes("REFRESH"));
  assert.equal(relay.size, 0);
  source.close();
  await sources.released();
});

Deno.test("A WHEP source uses the relay that the answer names, and tells of it by PATCH", async () => {
  await using camera = new FakeCamera();
  using relay = new FakeTurnServer();
  using sources = new SourceOpener();
  const { urls: [url], username, credential } = relay.entry();
  await using server = whepServer(camera, {
    etag: '"7"',
    link: `<${url}>; rel="ice-server"; username="${username}"; credential="${credential}"; credential-type="password"`,
  });
  await using watched = await sources.watch(`webrtc:http://${server.host}/whep#ice=relay`);
  assert.deepEqual(await watched.first("video"), PICTURE);
  assert.equal(shown(sources).local, "relay");
  await server.until(2);
  const { method, path, headers, body } = server.got[1]!;
  assert.deepEqual([method, path, headers.get("if-match")], ["PATCH", "/session/1", '"7"']);
  assert.match(body, /^a=ice-ufrag:\S+\r\na=ice-pwd:\S+\r\n[^]*\r\na=candidate:.* typ relay /);
  await watched[Symbol.asyncDispose]();
  await sources.released();
});

Deno.test("A source that may use relays only says why it has none", async () => {
  using relay = new FakeTurnServer();
  using sources = new SourceOpener();
  sources.iceServers = [{ ...relay.entry(), credential: "wrong" }];
  await assert.rejects(sources.open("webrtc:http://127.0.0.1:9/whep#ice=relay"), {
    code: "OFFLINE",
    message: /^webrtc: no relay for the source: turn:127\.0\.0\.1:\d+ refuses the login of ice_servers: check/,
  });
  assert.match(sources.warnings[0]!, /^No relay: turn:/);
  await sources.released();
  assert.equal(sources.leftovers, 0);
});

Deno.test("A source looks up the names that a server has for addresses", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  await using server = new FakeServer(async ({ body }) => {
    const { sdp, candidates } = withoutCandidates(await camera.answer(withoutCandidates(body).sdp));
    const named = candidates.find((line) => line.includes(" 127.0.0.1 "))!.replace("127.0.0.1", "localhost");
    return new Response(`${sdp}a=${named}\r\n`, { status: 201 });
  });
  await using watched = await sources.watch(`webrtc:http://${server.host}/whep`);
  assert.deepEqual(await watched.first("video"), PICTURE);
  await watched[Symbol.asyncDispose]();
  await sources.released();
});

Deno.test("A source reaches a server that takes connections only", async () => {
  const camera = testCamera();
  await using it = await TestEngine.open(camera, undefined, "127.0.0.1:0/tcp");
  using sources = new SourceOpener();
  await using server = new FakeServer(async ({ body }) => {
    const withoutUdp = (sdp: string) => sdp.replace(/^a=candidate:\d+ 1 udp .*\r\n/gm, "");
    const { answer } = await it.engine.accept(it.offer(withoutUdp(body)));
    return new Response(withoutUdp(answer), { status: 201 });
  });
  {
    await using watched = await sources.watch(`webrtc:http://${server.host}/api/webrtc?src=cam`);
    // A keyframe as far as anybody looks at it, of 16 × 16.
    const picture = Uint8Array.of(0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, 1, 2, 3, 4);
    await camera.feed(picture);
    assert.deepEqual(new Uint8Array(await watched.first("video")), picture);
    assert.equal(watched.producer.info.protocol, "http+tcp");
    assert.match(shown(sources).path, /^tcp 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ host$/);
    assert.match(server.got[0]!.body, /^a=candidate:\d+ 1 tcp \d+ 127\.0\.0\.1 9 typ host tcptype active\r$/m);
    assert.equal(it.transport.stats.tcpConnections, 1);
  }
  await sources.released();
  assert.equal(sources.leftovers, 0);
});
