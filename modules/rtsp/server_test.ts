import assert from "node:assert/strict";
import {
  codec as makeCodec,
  listenTcp,
  listenUdp,
  LoginClient,
  parseRtcp,
  type Principal,
  rtpPayloadType,
  rtpSequence,
  rtpTimestamp,
  type StreamConn,
  systemPrincipal,
  Units,
} from "../../core/mod.ts";
import { parse } from "zod/mini";
import { FakePlayer } from "./fake_player.ts";
import { FakeSource, gives, PCMA, VP8 } from "./fake_source.ts";
import { rtspSchema } from "./options.ts";
import { ServerSession } from "./server_session.ts";
import { UdpPorts } from "./udp_ports.ts";
import { TestServer, type TestServerOptions } from "./testing.ts";

/** A server with one camera, `cam`. */
async function serverOf(source: FakeSource, options: TestServerOptions = {}): Promise<TestServer> {
  return await TestServer.start({ streams: { cam: "fake:1", empty: null }, sources: { fake: source }, ...options });
}

const TCP = ["Transport: RTP/AVP/TCP;unicast;interleaved=90-91"];

Deno.test("ServerSession describes, sets up by track number and plays interleaved", async () => {
  const source = new FakeSource(gives(VP8), gives(PCMA));
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  const url = server.url("cam");
  const options = await player.ask("OPTIONS", url);
  assert.match(options.headers.get("Public")!, /DESCRIBE.*PAUSE.*GET_PARAMETER/);
  const description = await player.ask("DESCRIBE", url);
  assert.equal(description.headers.get("Content-Type"), "application/sdp");
  assert.deepEqual(description.body.split("\r\n"), [
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    "s=Lenswire",
    "c=IN IP4 0.0.0.0",
    "t=0 0",
    "m=video 0 RTP/AVP 96",
    "a=rtpmap:96 VP8/90000",
    "a=recvonly",
    "a=control:trackID=0",
    "m=audio 0 RTP/AVP 97",
    "a=rtpmap:97 PCMA/8000",
    "a=recvonly",
    "a=control:trackID=1",
    "",
  ]);
  const first = await player.ask("SETUP", `${url}/trackID=0`, TCP);
  assert.equal(first.headers.get("Transport"), "RTP/AVP/TCP;unicast;interleaved=0-1");
  assert.match(first.headers.get("Session")!, /^\d{8};timeout=60$/);
  assert.equal((await player.ask("SETUP", `${url}/trackID=7`, TCP)).status, 400);
  assert.equal(
    (await player.ask("SETUP", `${url}/trackID=1`, TCP)).headers.get("Transport"),
    "RTP/AVP/TCP;unicast;interleaved=2-3",
  );
  const play = await player.ask("PLAY", url);
  assert.equal(play.headers.get("Session"), first.headers.get("Session"));
  await source.running();
  source.feed(3);
  source.sound(1, 2);
  await player.until(() => player.on(0).length === 3 && player.on(2).length === 2);
  // How the tracks belong together is told before the first packet.
  assert.deepEqual(player.order.slice(5, 9), ["200", "rtcp 1", "rtcp 3", "rtp 0"]);
  assert.equal(rtpPayloadType(player.on(0)[0]!), 96);
  assert.equal(rtpPayloadType(player.on(2)[0]!), 97);
  assert.equal(rtpTimestamp(player.on(0)[1]!) - rtpTimestamp(player.on(0)[0]!), 3600);
  const [video] = parseRtcp(player.on(1)[0]!);
  assert.ok(video?.type === "SR" && video.rtpTimestamp === rtpTimestamp(player.on(0)[0]!));
  assert.ok(Math.abs(video.wallMs! - Date.now()) < 5000);
  const consumer = server.streams.control.describe("cam", systemPrincipal)!.consumers[0]!;
  assert.equal(consumer.protocol, "rtsp+tcp");
  assert.ok(Number(consumer.bytes_send) > 100);
});

Deno.test("ServerSession answers all requests while it plays; TEARDOWN ends it", async () => {
  const source = new FakeSource(gives(VP8));
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  const url = server.url("cam");
  await player.play(url);
  await source.running();
  source.feed(2);
  await player.until(() => player.on(0).length === 2);
  for (const method of ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER"]) {
    assert.equal((await player.ask(method, url)).status, 200, method);
  }
  assert.equal((await player.ask("SETUP", `${url}/trackID=0`, TCP)).status, 455);
  assert.equal((await player.ask("REDIRECT", url)).status, 501);
  assert.equal((await player.ask("PAUSE", url)).status, 200);
  source.feed(3);
  assert.equal((await player.ask("PLAY", url)).status, 200);
  source.feed(2, { isKeyframe: false });
  source.feed(2);
  await player.until(() => player.on(0).length === 4);
  assert.equal(player.on(0).at(-2)![12], 0x10);
  assert.equal((await player.ask("TEARDOWN", url)).status, 200);
  await player.ended;
});

Deno.test("ServerSession goes on after a pause with what there is when no keyframe comes for 10 s", async () => {
  const source = new FakeSource(gives(VP8));
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  const url = server.url("cam");
  await player.play(url);
  await source.running();
  source.feed(1);
  await player.until(() => player.on(0).length === 1);
  await player.ask("PAUSE", url);
  await player.ask("PLAY", url);
  const startedMs = performance.now();
  const feeding = setInterval(() => source.feed(1, { isKeyframe: false }), 100);
  await player.until(() => player.on(0).length === 2);
  clearInterval(feeding);
  const waitedMs = performance.now() - startedMs;
  assert.ok(waitedMs > 9500 && waitedMs < 12_000, String(waitedMs));
});

Deno.test("ServerSession plays over UDP to the player's own address, and sees reports as signs of life", async () => {
  const source = new FakeSource(gives(VP8), gives(PCMA));
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  const rtp = listenUdp({ host: "127.0.0.1", port: 0 });
  const rtcp = listenUdp({ host: "127.0.0.1", port: 0 });
  try {
    const url = server.url("cam?video&timeout=0.7");
    await player.ask("DESCRIBE", url);
    const ports = `${rtp.address.port}-${rtcp.address.port}`;
    const multicast = await player.ask("SETUP", `${url}/trackID=0`, ["Transport: RTP/AVP;multicast;client_port=1-2"]);
    assert.equal(multicast.status, 461);
    const setup = await player.ask("SETUP", `${url}/trackID=0`, [
      `Transport: RTP/SAVP;unicast;client_port=1-2,RTP/AVP;unicast;destination=10.1.1.1;client_port=${ports}`,
    ]);
    const transport = setup.headers.get("Transport")!;
    assert.match(
      transport,
      new RegExp(`^RTP/AVP;unicast;client_port=${ports};server_port=\\d+-\\d+;ssrc=[0-9A-F]{8}$`),
    );
    const [, port, rtcpPort] = /server_port=(\d+)-(\d+)/.exec(transport)!;
    assert.equal(Number(port) % 2, 0);
    assert.equal(Number(rtcpPort), Number(port) + 1);
    await player.ask("PLAY", url);
    await source.running();
    const received: Uint8Array[] = [];
    source.feed(1, { size: 5000 });
    while (received.length < 4) received.push((await rtp.receive(new Uint8Array(2000))).bytes);
    assert.ok(received.every((packet) => packet.length <= 1472 && rtpPayloadType(packet) === 96));
    assert.deepEqual(received.map(rtpSequence).map((one) => (one - rtpSequence(received[0]!)) & 0xffff), [0, 1, 2, 3]);
    const report = parseRtcp((await rtcp.receive(new Uint8Array(2000))).bytes)[0];
    assert.equal(report?.type, "SR");
    // A few reports keep it beyond its time; without them it ends.
    const startedMs = performance.now();
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(player.hasEnded, false);
      await rtcp.send(new Uint8Array(8), { host: "127.0.0.1", port: Number(rtcpPort) });
    }
    await player.ended;
    assert.ok(performance.now() - startedMs > 1200);
  } finally {
    rtp.close();
    rtcp.close();
  }
});

/** Asks for a camera over UDP, then over TCP, from `remote` to `local` as the server sees it; answers the statuses. */
async function setupFrom(server: TestServer, remote: string, local: string): Promise<number[]> {
  const listener = listenTcp({ host: "127.0.0.1", port: 0 });
  const [player, conn] = await Promise.all([FakePlayer.connect(listener.address.port), listener.accept()]);
  listener.close();
  const seen: StreamConn = {
    localAddress: { host: local, port: 8554 },
    remoteAddress: { host: remote, port: 50_000 },
    read: (buffer) => conn.read(buffer),
    write: (bytes) => conn.write(bytes),
    close: () => conn.close(),
  };
  using ports = new UdpPorts();
  const { streams, log } = server;
  const parts = { config: parse(rtspSchema, {}), streams, identify: () => systemPrincipal, log, ports };
  const served = new ServerSession(seen, { ...seen.remoteAddress, transport: "tcp" }, parts)
    .run(new AbortController().signal);
  const url = server.url("cam");
  await player.ask("DESCRIBE", url);
  const statuses: number[] = [];
  for (const transport of ["RTP/AVP;unicast;client_port=5000-5001", "RTP/AVP/TCP;unicast;interleaved=0-1"]) {
    statuses.push((await player.ask("SETUP", `${url}/trackID=0`, [`Transport: ${transport}`])).status);
  }
  player[Symbol.dispose]();
  await served;
  return statuses;
}

Deno.test("ServerSession leaves TCP to players that UDP cannot reach", async () => {
  await using server = await serverOf(new FakeSource(gives(VP8)));
  // An address that is nobody's cannot be bound.
  assert.deepEqual(await setupFrom(server, "192.0.2.2", "192.0.2.1"), [461, 200]);
  assert.ok(server.lines.some((line) => line.startsWith('warn rtsp: no UDP port can be had at "192.0.2.1"')));
  assert.deepEqual(await setupFrom(server, "fe80::1", "127.0.0.1"), [461, 200]);
  assert.deepEqual(await setupFrom(server, "127.0.0.1", "127.0.0.1"), [200, 461]);
});

Deno.test("ServerSession answers 404 and closes: unknown streams, codecs that do not match, sources that fail", async () => {
  await using server = await serverOf(new FakeSource(gives(VP8)));
  const cases = [
    ["DESCRIBE", "nope", /stream not found/],
    ["DESCRIBE", "cam?video=h264", /codecs not matched: video:VP8 => video:H264/],
    ["DESCRIBE", "cam?video&source=fake:1", /./],
    ["DESCRIBE", "empty", /./],
    ["ANNOUNCE", "nope", /stream not found/],
  ] as const;
  for (const [method, path, text] of cases) {
    using player = await FakePlayer.connect(server.port);
    const response = await player.ask(method, server.url(path), ["Content-Type: application/sdp"], "v=0\r\n");
    assert.equal(response.status, 404, path);
    assert.match(response.body, text);
    await player.ended;
  }
});

Deno.test("ServerSession starts live players at the next keyframe, and others in the backlog", async () => {
  const source = new FakeSource(gives(VP8));
  await using server = await serverOf(source);
  using first = await FakePlayer.connect(server.port);
  await first.play(server.url("cam"));
  await source.running();
  source.feed(5);
  using live = await FakePlayer.connect(server.port);
  await live.play(server.url("cam"));
  using keyframe = await FakePlayer.connect(server.port);
  await keyframe.play(server.url("cam?start=keyframe"));
  using now = await FakePlayer.connect(server.port);
  await now.play(server.url("cam?start=now"));
  await keyframe.until(() => keyframe.on(0).length === 5);
  await now.until(() => now.on(0).length === 5);
  assert.equal(live.on(0).length, 0);
  const span = (packets: Uint8Array[]) => rtpTimestamp(packets[4]!) - rtpTimestamp(packets[0]!);
  assert.equal(span(keyframe.on(0)), 4 * 3600);
  assert.ok(span(now.on(0)) < 4 * 200);
  source.feed(2);
  await live.until(() => live.on(0).length === 2);
  await now.until(() => now.on(0).length === 7);
  assert.equal(rtpTimestamp(now.on(0)[6]!), rtpTimestamp(live.on(0)[1]!));
});

Deno.test("ServerSession waits with a description for parameter sets", async () => {
  const source = new FakeSource(gives(makeCodec("H264")));
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  const describing = player.ask("DESCRIBE", server.url("cam"));
  await source.running();
  const sps = Uint8Array.from(atob("Z0LADdoFB+wEQAAAAwBAAAAMo8UKqA=="), (char) => char.charCodeAt(0));
  const pps = Uint8Array.of(0x68, 0xce, 0x0f, 0xc8);
  const codec = makeCodec("H264", { parameterSets: [sps, pps] });
  const unit = Uint8Array.of(0x65, 1, 2, 3);
  source.track(0).append({ payload: new Units([sps, pps, unit]), pts: 0, isKeyframe: true, codec });
  assert.match((await describing).body, /sprop-parameter-sets=Z0LADdoFB\+wEQAAAAwBAAAAMo8UKqA==,aM4PyA==/);
});

Deno.test("ServerSession reports what it has sent of payload, without headers", async () => {
  const source = new FakeSource(gives(VP8));
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  await player.play(server.url("cam?pkt_size=700"));
  const rtp = listenUdp({ host: "127.0.0.1", port: 0 });
  const rtcp = listenUdp({ host: "127.0.0.1", port: 0 });
  using other = await FakePlayer.connect(server.port);
  try {
    await other.ask("DESCRIBE", server.url("cam"));
    const ports = `${rtp.address.port}-${rtcp.address.port}`;
    await other.ask("SETUP", `${server.url("cam")}/trackID=0`, [`Transport: RTP/AVP;unicast;client_port=${ports}`]);
    await other.ask("PLAY", server.url("cam"));
    await source.running();
    source.feed(3, { size: 5000 });
    const payloadBytes = async (packets: number) => {
      let bytes = 0;
      for (let i = 0; i < packets; i++) bytes += (await rtp.receive(new Uint8Array(2000))).bytes.length - 12;
      return bytes;
    };
    const overUdp = await payloadBytes(12);
    const receive = async () => parseRtcp((await rtcp.receive(new Uint8Array(2000))).bytes)[0];
    // The first report of each goes before the first packet.
    await receive();
    await player.until(() => player.on(1).length >= 2);
    const overTcp = player.on(0).reduce((sum, packet) => sum + packet.length - 12, 0);
    const [tcp, udp] = [parseRtcp(player.on(1)[1]!)[0], await receive()];
    assert.deepEqual([tcp, udp].map((report) => report?.type === "SR" && [report.packets, report.bytes]), [
      [player.on(0).length, overTcp],
      [12, overUdp],
    ]);
  } finally {
    rtp.close();
    rtcp.close();
  }
});

Deno.test("ServerSession keeps packets within pkt_size, of the config or of the URL", async () => {
  const source = new FakeSource(gives(VP8));
  await using server = await serverOf(source, { config: { pkt_size: 700 } });
  using player = await FakePlayer.connect(server.port);
  await player.play(server.url("cam"));
  using small = await FakePlayer.connect(server.port);
  await small.play(server.url("cam?pkt_size=300"));
  await source.running();
  source.feed(1, { size: 5000 });
  await player.until(() => player.on(0).length === 8);
  await small.until(() => small.on(0).length === 18);
  assert.ok(player.on(0).every((packet) => packet.length <= 700));
  assert.ok(small.on(0).every((packet) => packet.length <= 300));
});

Deno.test("ServerSession goes on with a source that came back, and ends a player whose sound has another rate now", async () => {
  const source = new FakeSource(gives(VP8), gives(PCMA));
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  await player.play(server.url("cam"));
  await source.running();
  source.feed(1);
  source.sound(1, 1);
  await player.until(() => player.on(2).length === 1);
  source.breakOff();
  await source.running();
  source.feed(1);
  source.sound(1, 3);
  await player.until(() => player.on(0).length === 2 && player.on(2).length === 4);
  assert.deepEqual(player.on(2)[0]!.subarray(8, 12), player.on(2)[1]!.subarray(8, 12));
  source.medias = [gives(VP8), gives(makeCodec("PCMA", { clockRate: 16000 }))];
  source.breakOff();
  await player.until(() => player.hasEnded);
});

const viewer: Principal = { ...systemPrincipal, name: "user anna", can: (right) => right !== "publish" };

/** As the kernel has it with `rtsp.username`: nobody comes in without a login. */
const guarded: TestServerOptions = {
  config: { username: "cam", password: "secret" },
  identify: (_peer, login) =>
    login?.username === "cam" && login.password === "secret"
      ? systemPrincipal
      : login?.username === "anna" && login.password === "1234"
      ? viewer
      : undefined,
};

Deno.test("ServerSession asks for a login, keeps who has shown none, and closes on a wrong one", async () => {
  const source = new FakeSource(gives(VP8));
  await using server = await serverOf(source, guarded);
  const url = server.url("cam");
  const login = (username: string, password: string) => new LoginClient({ username, password });
  using player = await FakePlayer.connect(server.port);
  const asked = await player.ask("OPTIONS", url);
  assert.equal(asked.status, 401);
  const challenges = asked.headers.all("WWW-Authenticate");
  assert.match(challenges[0]!, /^Digest realm="go2rtc", nonce="/);
  assert.equal(challenges[1], 'Basic realm="go2rtc"');
  const digest = login("cam", "secret");
  digest.challenge(challenges);
  const answer = (client: LoginClient, method: string) => [`Authorization: ${client.authorize(method, url)}`];
  assert.equal((await player.ask("DESCRIBE", url, answer(digest, "DESCRIBE"))).status, 200);

  for (const scheme of [0, 1]) {
    using wrong = await FakePlayer.connect(server.port);
    const client = login("cam", "guess");
    client.challenge([(await wrong.ask("DESCRIBE", url)).headers.all("WWW-Authenticate")[scheme]!]);
    assert.equal((await wrong.ask("DESCRIBE", url, answer(client, "DESCRIBE"))).status, 401);
    await wrong.ended;
  }

  using anna = await FakePlayer.connect(server.port);
  const hers = login("anna", "1234");
  hers.challenge((await anna.ask("DESCRIBE", url)).headers.all("WWW-Authenticate"));
  const again = await anna.ask("DESCRIBE", url, answer(hers, "DESCRIBE"));
  assert.deepEqual(again.headers.all("WWW-Authenticate"), ['Basic realm="go2rtc"']);
  const basic = login("anna", "1234");
  basic.challenge(again.headers.all("WWW-Authenticate"));
  assert.equal((await anna.ask("DESCRIBE", url, answer(basic, "DESCRIBE"))).status, 200);

  using pusher = await FakePlayer.connect(server.port);
  const refused = await pusher.ask(
    "ANNOUNCE",
    url,
    [...answer(basic, "ANNOUNCE"), "Content-Type: application/sdp"],
    "v=0",
  );
  assert.equal(refused.status, 403);
});

Deno.test("ServerSession does not take a Digest answer made for another connection", async () => {
  await using server = await serverOf(new FakeSource(gives(VP8)), guarded);
  const url = server.url("cam");
  using one = await FakePlayer.connect(server.port);
  const client = new LoginClient({ username: "cam", password: "secret" });
  client.challenge((await one.ask("OPTIONS", url)).headers.all("WWW-Authenticate"));
  const header = `Authorization: ${client.authorize("OPTIONS", url)}`;
  using other = await FakePlayer.connect(server.port);
  const refused = await other.ask("OPTIONS", url, [header]);
  assert.equal(refused.status, 401);
  assert.equal((await one.ask("OPTIONS", url, [header])).status, 200);
  // The login may be right: only its nonce is old.
  assert.equal(client.challenge(refused.headers.all("WWW-Authenticate")), "answer");
  const again = `Authorization: ${client.authorize("OPTIONS", url)}`;
  assert.equal((await other.ask("OPTIONS", url, [again])).status, 200);
  using third = await FakePlayer.connect(server.port);
  const broken = await third.ask("OPTIONS", url, ['Authorization: Digest username="cam", nonce="1", realm="x"']);
  assert.doesNotMatch(broken.headers.get("WWW-Authenticate")!, /stale/);
});

Deno.test("ServerSession carries a player's microphone to the camera's speaker", async () => {
  const speaker = { kind: "audio", direction: "sendonly", codecs: [PCMA] } as const;
  const source = new FakeSource(gives(VP8), speaker);
  await using server = await serverOf(source);
  using player = await FakePlayer.connect(server.port);
  const description = await player.play(server.url("cam?video&backchannel=1"));
  const control = /a=rtpmap:(\d+) PCMA\/8000\r\na=sendonly\r\na=control:trackID=(\d+)/.exec(description.body)!;
  await source.running();
  const track = source.io!.speaker(speaker)!.track;
  const came = new Promise<void>((resolve) => track.log.addCursor({ index: Infinity, wake: resolve }));
  const packet = new Uint8Array(16 + 160);
  packet.set([0x24, Number(control[2]) * 2, 0, 172, 0x80, 0x80 | Number(control[1]), 0, 1]);
  await player.send(packet);
  await came;
  assert.equal(track.log.newest!.payload.units()[0]!.length, 160);
});

Deno.test("ServerSession answers 501 to what it does not know, before PLAY too, and goes on", async () => {
  await using server = await serverOf(new FakeSource(gives(VP8)));
  using player = await FakePlayer.connect(server.port);
  assert.equal((await player.ask("PING", server.url("cam"))).status, 501);
  assert.equal((await player.ask("DESCRIBE", server.url("cam"))).status, 200);
});

Deno.test("ServerSession refuses what is no RTSP at once", async () => {
  await using server = await serverOf(new FakeSource(gives(VP8)));
  for (
    const text of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "PLAY\r\n\r\n", "OPTIONS \x00".repeat(20_000)]
  ) {
    using player = await FakePlayer.connect(server.port);
    await player.send(text).catch(() => {});
    await player.ended;
  }
  using player = await FakePlayer.connect(server.port);
  await player.send("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".repeat(500)).catch(() => {});
  await player.until(() => player.hasEnded || player.responses.length === 500);
});

Deno.test("ServerSession ends connections that ask nothing, while others are served", async () => {
  const source = new FakeSource(gives(VP8));
  await using server = await serverOf(source);
  const startedMs = performance.now();
  const idle = await Promise.all(Array.from({ length: 500 }, () => FakePlayer.connect(server.port)));
  // A byte now and then is no request.
  const slow = idle[0]!;
  const drip = setInterval(() => void slow.send("O").catch(() => {}), 1000);
  using player = await FakePlayer.connect(server.port);
  await player.play(server.url("cam"));
  assert.ok(performance.now() - startedMs < 4000);
  await Promise.all(idle.map((one) => one.ended));
  clearInterval(drip);
  const lastedMs = performance.now() - startedMs;
  assert.ok(lastedMs > 4000 && lastedMs < 9000, String(lastedMs));
  assert.equal(player.hasEnded, false);
  for (const one of idle) one[Symbol.dispose]();
});
