import assert from "node:assert/strict";
import { codec } from "../../../core/mod.ts";
import { makeCertificate } from "../certificate.ts";
import { TestCamera, TestEngine } from "../engine_testing.ts";
import { FakeTurnServer } from "../turn/turn_testing.ts";
import { FakeCamera, FakeServer, FakeSocket, PICTURE, SourceOpener, withoutCandidates } from "./client_testing.ts";
import { repairAnswer } from "./creality.ts";

const decoder = new TextDecoder();

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

Deno.test("A WHEP source is asked with a complete offer, watched, and left with a DELETE", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  await using server = new FakeServer(async ({ method, body }) =>
    method === "POST"
      ? new Response(await camera.answer(body), { status: 201, headers: { location: "/session/7?x=1" } })
      : new Response(null, { status: 200 })
  );
  {
    await using watched = await sources.watch(`webrtc:http://user:p%40ss@${server.host}/cam/whep?quality=1`);
    await watched.live;
    assert.deepEqual(await watched.first("video"), PICTURE);
    assert.equal((await watched.first("audio")).length, 160);
    const { producer } = watched;
    assert.deepEqual(producer.medias.map(({ kind, direction, codecs }) => `${kind} ${direction} ${codecs[0]!.name}`), [
      "video recvonly H264",
      "audio recvonly PCMA",
    ]);
    const { info } = producer;
    assert.deepEqual([info.formatName, info.protocol], ["webrtc", "http+udp"]);
    assert.equal(info.url, `http://${server.host}/cam/whep`);
    assert.match(info.remoteAddr!, /^127\.0\.0\.1:\d+ /);
    const [offer] = server.got;
    assert.equal(offer!.path, "/cam/whep?quality=1");
    assert.equal(offer!.headers.get("content-type"), "application/sdp");
    assert.equal(offer!.headers.get("authorization"), `Basic ${base64("user:p@ss")}`);
    assert.match(offer!.body, /a=candidate:.* 127\.0\.0\.1 \d+ typ host/);
    assert.match(offer!.body, /a=setup:actpass/);
    assert.deepEqual(offer!.body.match(/^m=\w+|^a=\w+only/gm), ["m=video", "a=recvonly", "m=audio", "a=recvonly"]);
  }
  await server.until(2);
  assert.deepEqual([server.got[1]!.method, server.got[1]!.path], ["DELETE", "/session/7?x=1"]);
  assert.equal(sources.leftovers, 0);
});

Deno.test("Two sources of one server, which is ours and has one port for all, do not get into each other's way", async () => {
  const camera = new TestCamera({ kind: "video", direction: "recvonly", codecs: [codec("VP8")] });
  await using it = await TestEngine.open(camera);
  using sources = new SourceOpener();
  await using server = new FakeServer(async ({ body }) =>
    new Response((await it.engine.accept(it.offer(body))).answer, { status: 201 })
  );
  const source = `webrtc:http://${server.host}/api/webrtc?src=cam`;
  await using one = await sources.watch(source);
  await using other = await sources.watch(source);
  // A keyframe as far as anybody looks at it, of 16 × 16.
  const picture = Uint8Array.of(0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, 1, 2, 3, 4);
  await camera.feed(picture);
  assert.deepEqual(new Uint8Array(await one.first("video")), picture);
  assert.deepEqual(new Uint8Array(await other.first("video")), picture);
});

Deno.test("A WHEP source that refuses is told apart by its status", async () => {
  using sources = new SourceOpener();
  const statuses = [401, 404, 500];
  await using server = new FakeServer((_got, index) =>
    new Response("no stream is there", { status: statuses[index]! })
  );
  const open = () => sources.open(`webrtc:http://${server.host}/whep?token=secret`);
  await assert.rejects(open(), { code: "UNAUTHORIZED", message: /answered 401: check user and password/ });
  await assert.rejects(open(), { code: "NOT_FOUND", message: /answered 404: no stream is there/ });
  await assert.rejects(open(), (error: Error) => /answered 500/.test(error.message) && !/secret/.test(error.message));
  assert.equal(sources.leftovers, 0);
});

Deno.test("A WHEP source that answers nonsense, or is not there, is an error that says so", async () => {
  using sources = new SourceOpener();
  await using server = new FakeServer(() => new Response("<html>", { status: 201, headers: { location: "/s" } }));
  await assert.rejects(sources.open(`webrtc:http://${server.host}/whep`), {
    code: "PROTOCOL",
    message: "webrtc: cannot use the answer of the source: it has no media line",
  });
  // What was begun there is ended.
  await server.until(2);
  assert.equal(server.got[1]!.method, "DELETE");
  const gone = new FakeServer(() => new Response());
  const { host } = gone;
  await gone[Symbol.asyncDispose]();
  await assert.rejects(sources.open(`webrtc:http://${host}/whep`), { code: "OFFLINE", message: /cannot reach/ });
  assert.equal(sources.leftovers, 0);
});

Deno.test("A source is given up when nobody wants it any more", async () => {
  using sources = new SourceOpener();
  const asked = Promise.withResolvers<void>();
  await using server = new FakeServer(async ({ method }) => {
    asked.resolve();
    // An answer whose peer is not there.
    if (method === "POST") {
      await using camera = new FakeCamera();
      const { sdp } = withoutCandidates(await camera.answer(server.got[0]!.body));
      return new Response(sdp, { status: 201 });
    }
    return new Response();
  });
  const controller = new AbortController();
  const opening = sources.open(`webrtc:http://${server.host}/whep`, controller.signal);
  await asked.promise;
  controller.abort(new Error("Nobody watches"));
  await assert.rejects(opening, /Nobody watches/);
  assert.equal(sources.leftovers, 0);
});

Deno.test("Quirk(Creality K1): the answer's first encoding and its double description are left out", async () => {
  const answer = [
    "v=0",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 98",
    "a=rtpmap:96 H264/90000",
    "a=fmtp:96 profile-level-id=42001f",
    "a=fmtp:96 x-google-max-bitrate=6000",
    "a=rtpmap:98 H264/90000",
    "a=fmtp:98 profile-level-id=640032",
    "a=fmtp:98 x-google-max-bitrate=6000;x-google-min-bitrate=2000",
    "",
  ].join("\r\n");
  assert.equal(
    repairAnswer(answer),
    [
      "v=0",
      "m=video 9 UDP/TLS/RTP/SAVPF 98",
      "a=rtpmap:98 H264/90000",
      "a=fmtp:98 profile-level-id=640032",
      "",
    ].join("\r\n"),
  );
  assert.equal(repairAnswer(""), "");
  await using camera = new FakeCamera(false);
  using sources = new SourceOpener();
  await using server = new FakeServer(async ({ body }) => {
    const { type, sdp } = JSON.parse(decoder.decode(Uint8Array.fromBase64(body)));
    assert.equal(type, "offer");
    // The camera sends in the encoding that it names second.
    const own = (await camera.answer(sdp)).replace(/^(m=video \S+ \S+) (\d+).*$/m, "$1 127 $2").replace(
      /^a=rtpmap/m,
      "a=rtpmap:127 VP8/90000\r\na=fmtp:127 x-google=1\r\na=rtpmap",
    );
    return new Response(base64(JSON.stringify({ type: "answer", sdp: own })));
  });
  await using watched = await sources.watch(`webrtc:http://${server.host}/call/webrtc_local#format=creality`);
  assert.deepEqual(await watched.first("video"), PICTURE);
  assert.equal(watched.producer.info.formatName, "webrtc/creality");
  assert.equal(server.got[0]!.headers.get("content-type"), "plain/text");
  assert.equal(watched.producer.medias.length, 1);
});

Deno.test("A Milestone source logs in, answers the server's offer, and checks no certificate of an address", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  const { identity: { certPem: cert, keyPem: key } } = await makeCertificate();
  await using server = new FakeServer(async ({ method, path, body }) => {
    if (path === "/api/IDP/connect/token") return Response.json({ access_token: "secret" });
    if (method === "POST") {
      const sdp = await camera.offer();
      return Response.json({ sessionId: "a/b", offerSDP: JSON.stringify({ type: "offer", sdp }) });
    }
    await camera.takeAnswer(JSON.parse(JSON.parse(body).answerSDP).sdp);
    return Response.json({});
  }, { cert, key });
  const options = "#username=user#password=p&ss=1#cameraId=9f#streamId=#playbackTime=2026-01-01#skipGaps#speed=2";
  await using watched = await sources.watch(`webrtc:https://${server.host}/api/#format=milestone${options}`);
  assert.deepEqual(await watched.first("video"), PICTURE);
  const [token, session, patch] = server.got;
  assert.equal(
    token!.body,
    "client_id=GrantValidatorClient&grant_type=password&username=user&password=p%26ss%3D1",
  );
  assert.equal(session!.path, "/api/REST/v1/WebRTC/Session");
  assert.equal(session!.headers.get("authorization"), "Bearer secret");
  assert.deepEqual(JSON.parse(session!.body), {
    cameraId: "9f",
    playbackTimeNode: { playbackTime: "2026-01-01", skipGaps: true, speed: 2 },
  });
  assert.deepEqual([patch!.method, patch!.path], ["PATCH", "/api/REST/v1/WebRTC/Session/a%2Fb"]);
  assert.match(JSON.parse(JSON.parse(patch!.body).answerSDP).sdp, /a=candidate:/);
});

Deno.test("A Milestone source says what is wrong with its login or its options", async () => {
  using sources = new SourceOpener();
  await using server = new FakeServer(() => new Response("{}", { status: 401 }));
  const source = `webrtc:http://${server.host}#format=milestone`;
  await assert.rejects(sources.open(source), { code: "BAD_SOURCE", message: /cameraId/ });
  await assert.rejects(sources.open(`${source}#cameraId=1`), { code: "UNAUTHORIZED" });
});

Deno.test("A source of the Wyze bridge finds its channel by asking the bridge", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  using relay = new FakeTurnServer();
  await using channel = new FakeSocket(async (message, send) => {
    if (message?.["action"] !== "SDP_OFFER") return;
    const offer = JSON.parse(decoder.decode(Uint8Array.fromBase64(String(message["messagePayload"]))));
    const sdp = await camera.answer(offer.sdp);
    send({ messageType: "SDP_ANSWER", messagePayload: base64(JSON.stringify({ type: "answer", sdp })) });
  });
  let result = "ok";
  await using bridge = new FakeServer(() =>
    Response.json({
      ClientId: "me",
      cam: "cam",
      result,
      servers: [relay.entry(), 5, { urls: 1 }],
      signalingUrl: `ws://${channel.host}/?X-Amz-Signature=1`,
    })
  );
  const source = `webrtc:http://${bridge.host}/signaling/cam?kvs#format=wyze`;
  {
    await using watched = await sources.watch(source);
    assert.deepEqual(await watched.first("video"), PICTURE);
    assert.equal(watched.producer.info.formatName, "webrtc/wyze");
  }
  assert.equal(channel.messages[0]!["recipientClientId"], "me");
  assert.deepEqual(relay.asked.slice(0, 2), ["ALLOCATE", "ALLOCATE"]);
  await sources.released();
  assert.equal(relay.size, 0);
  result = "camera is offline";
  await assert.rejects(sources.open(source), { code: "REFUSED", message: /answered "camera is offline"/ });
});
