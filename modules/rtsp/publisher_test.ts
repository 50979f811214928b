import assert from "node:assert/strict";
import { rtpFrame, vp8Payload } from "./fake_camera.ts";
import { FakePlayer } from "./fake_player.ts";
import { FakeSource, gives, VP8 } from "./fake_source.ts";
import { TestServer } from "./testing.ts";

/** A server with a camera, `cam`, and a stream that waits for a publisher, `empty`. */
function serverOf(): Promise<TestServer> {
  const source = new FakeSource(gives(VP8));
  return TestServer.start({ streams: { cam: "fake:1", empty: null }, sources: { fake: source } });
}

/** Announces one track and sets it up. */
async function announce(
  pusher: FakePlayer,
  url: string,
  transport = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record",
): Promise<void> {
  const sdp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=control:streamid=0\r\n";
  await pusher.ask("ANNOUNCE", url, ["Content-Type: application/sdp"], sdp);
  await pusher.ask("SETUP", `${url}/streamid=0`, [`Transport: ${transport}`]);
}

Deno.test("ServerSession takes a publisher, and plays it to others", async () => {
  await using server = await serverOf();
  using pusher = await FakePlayer.connect(server.port);
  const url = server.url("empty");
  const sdp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=control:streamid=0\r\n";
  assert.equal((await pusher.ask("ANNOUNCE", url, [], sdp)).status, 400);
  const type = ["Content-Type: application/sdp"];
  assert.equal((await pusher.ask("ANNOUNCE", url, type, sdp)).status, 200);
  assert.equal((await pusher.ask("RECORD", url)).status, 455);
  const transport = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record";
  const setup = await pusher.ask("SETUP", `${url}/streamid=0`, [`Transport: ${transport}`]);
  assert.equal(setup.headers.get("Transport"), transport);
  assert.equal((await pusher.ask("RECORD", url)).status, 200);
  using player = await FakePlayer.connect(server.port);
  await player.play(url);
  for (let i = 0; i < 2; i++) {
    const packet = new Uint8Array(16 + 14);
    packet.set([0x24, 0, 0, 26, 0x80, 0xe0, 0, i, 0, 0, i, 0]);
    packet.set([0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0, 1, 2, 3], 16);
    await pusher.send(packet);
  }
  await player.until(() => player.on(0).length >= 1);
  assert.equal((await pusher.ask("GET_PARAMETER", url)).status, 200);
  assert.equal((await pusher.ask("TEARDOWN", url)).status, 200);
  await pusher.ended;
});

Deno.test("ServerSession tells a publisher why the stream does not take it", async () => {
  await using server = await serverOf();
  const url = server.url("empty");
  using pushers = new DisposableStack();
  for (let i = 0; i < 16; i++) {
    const pusher = pushers.use(await FakePlayer.connect(server.port));
    await announce(pusher, url);
    assert.equal((await pusher.ask("RECORD", url)).status, 200);
  }
  using late = await FakePlayer.connect(server.port);
  await announce(late, url);
  const refused = await late.ask("RECORD", url);
  assert.equal(refused.status, 503);
  assert.match(refused.body, /more than 16 publishers/);
  await late.ended;
});

Deno.test("ServerSession tells a publisher which of its transports was chosen", async () => {
  await using server = await serverOf();
  using pusher = await FakePlayer.connect(server.port);
  const chosen = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record";
  await announce(pusher, server.url("empty"), `RTP/AVP;multicast;mode=record, ${chosen}`);
  assert.equal(pusher.responses.at(-1)!.headers.get("Transport"), chosen);
});

Deno.test("ServerSession lets a publisher pause and go on", async () => {
  await using server = await serverOf();
  using pusher = await FakePlayer.connect(server.port);
  const url = server.url("empty");
  await announce(pusher, url);
  assert.equal((await pusher.ask("PAUSE", url)).status, 455);
  for (const method of ["RECORD", "PAUSE", "RECORD"]) {
    assert.equal((await pusher.ask(method, url)).status, 200, method);
  }
  await pusher.send(rtpFrame(0, { sequence: 1, timestamp: 0, payload: vp8Payload(), payloadType: 96 }));
  await server.live("empty");
});

Deno.test("ServerSession tells players and publishers how long it waits for them", async () => {
  await using server = await serverOf();
  for (const [query, timeoutS] of [["", 60], ["?timeout=2", 2], ["?timeout=0.7", 1]] as const) {
    using player = await FakePlayer.connect(server.port);
    await player.play(server.url(`cam${query}`));
    assert.match(player.responses.at(-1)!.headers.get("Session")!, new RegExp(`;timeout=${timeoutS}$`));
  }
  using pusher = await FakePlayer.connect(server.port);
  await announce(pusher, server.url("empty"));
  assert.match(pusher.responses.at(-1)!.headers.get("Session")!, /;timeout=15$/);
});
