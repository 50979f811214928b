import assert from "node:assert/strict";
import { codec, Units } from "../../../core/mod.ts";
import { FakeCamera, FakeSocket, PICTURE, SourceOpener, withoutCandidates } from "./client_testing.ts";

const decoder = new TextDecoder();

function payload(value: unknown): string {
  return new TextEncoder().encode(JSON.stringify(value)).toBase64();
}

function unpack(message: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return JSON.parse(decoder.decode(Uint8Array.fromBase64(String(message["messagePayload"]))));
}

Deno.test("A go2rtc source trickles both ways, is watched and talked to", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  await using server = new FakeSocket(async (message, send) => {
    if (message?.["type"] === "webrtc/candidate") return await camera.addCandidate(String(message["value"]));
    if (message?.["type"] !== "webrtc/offer") return;
    const { sdp, candidates } = withoutCandidates(await camera.answer(String(message["value"])));
    send({ type: "webrtc/answer", value: sdp });
    for (const value of [...candidates, ""]) send({ type: "webrtc/candidate", value });
    send({ type: "webrtc/candidate" });
  });
  await using watched = await sources.watch(`webrtc:ws://user:pass@${server.host}/api/ws?src=cam`);
  assert.deepEqual(await watched.first("video"), PICTURE);
  assert.equal((await watched.first("audio")).length, 160);
  assert.equal((await server.request).authorization, `Basic ${btoa("user:pass")}`);
  await server.closed;
  const [offer, ...candidates] = server.messages;
  const lines = String(offer!["value"]).match(/^m=\w+|^a=\w+only/gm);
  assert.deepEqual(lines, ["m=video", "a=recvonly", "m=audio", "a=recvonly", "m=audio", "a=sendonly"]);
  assert.doesNotMatch(String(offer!["value"]), /a=candidate/);
  assert.ok(candidates.length > 0);
  for (const { type, value } of candidates) assert.match(`${type} ${value}`, /^webrtc\/candidate candidate:/);
  const { info, medias } = watched.producer;
  assert.deepEqual([info.formatName, info.protocol], ["webrtc", "ws+udp"]);
  assert.deepEqual(medias.map(({ kind, direction }) => `${kind} ${direction}`), [
    "video recvonly",
    "audio recvonly",
    "audio sendonly",
  ]);
  let pts = 0;
  const talking = setInterval(
    () =>
      watched.microphone.append({
        payload: new Units([new Uint8Array(160).fill(7)]),
        pts: pts += 160,
        isKeyframe: true,
      }),
    20,
  );
  const heard = await camera.heard;
  clearInterval(talking);
  assert.deepEqual([heard.length, heard[0]], [160, 7]);
  assert.ok(watched.producer.info.bytesSent! > 0);
});

Deno.test("A go2rtc source passes on what the server complains of", async () => {
  using sources = new SourceOpener();
  await using server = new FakeSocket((message, send) => {
    if (message?.["type"] === "webrtc/offer") send({ type: "error", value: "webrtc/offer: stream not found" });
  });
  await assert.rejects(sources.open(`webrtc:ws://${server.host}/api/ws?src=x`), {
    code: "REFUSED",
    message: /: webrtc\/offer: stream not found$/,
  });
  assert.equal(sources.leftovers, 0);
});

Deno.test("A source whose socket is refused or closed is an error that says so", async () => {
  using sources = new SourceOpener();
  await using server = new FakeSocket((message) => {
    if (message) server[Symbol.asyncDispose]();
  });
  const controller = new AbortController();
  const opening = sources.open(`webrtc:ws://${server.host}/api/ws?src=x`, controller.signal);
  await server.request;
  controller.abort(new Error("Nobody watches"));
  await assert.rejects(opening, /Nobody watches/);
  const refusing = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(null, { status: 401 }),
  );
  const url = `webrtc:ws://127.0.0.1:${refusing.addr.port}/?secret=1`;
  await assert.rejects(sources.open(url), (error: Error) => {
    assert.match(error.message, /^webrtc: cannot connect to ws:\/\/127\.0\.0\.1:\d+\/ .*check user and password$/);
    return !error.message.includes("secret");
  });
  await refusing.shutdown();
  await assert.rejects(sources.open(url), { code: "OFFLINE" });
  assert.equal(sources.leftovers, 0);
});

Deno.test("A Kinesis source packs its messages, and passes over those of the service that mean nothing", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  await using server = new FakeSocket(async (message, send) => {
    if (!message) return;
    const { candidate, sdp } = unpack(message);
    if (message["action"] === "ICE_CANDIDATE") return await camera.addCandidate(String(candidate));
    const answer = withoutCandidates(await camera.answer(String(sdp)));
    for (const odd of ["", "{", "[]", '{"messageType":"SDP_ANSWER_', { messageType: "STATUS_RESPONSE" }]) send(odd);
    send({ messageType: "SDP_ANSWER", messagePayload: payload({ type: "answer", sdp: answer.sdp }) });
    send({ messageType: "ICE_CANDIDATE", messagePayload: "!" });
    for (const one of answer.candidates) {
      send({
        messageType: "ICE_CANDIDATE",
        messagePayload: payload({ candidate: one, sdpMid: "0", sdpMLineIndex: 0 }),
      });
    }
  });
  const servers = '#ice_servers=[{"urls":["stun:stun.example"],"username":null,"credential":null}]';
  const source = `webrtc:ws://${server.host}/?X-Amz-Signature=abc#format=kinesis#client_id=me${servers}`;
  await using watched = await sources.watch(source);
  assert.deepEqual(await watched.first("video"), PICTURE);
  assert.equal(new URL((await server.request).url).search, "?X-Amz-Signature=abc");
  await server.closed;
  assert.deepEqual(server.messages.map(({ action }) => action).slice(0, 2), ["SDP_OFFER", "ICE_CANDIDATE"]);
  assert.ok(server.messages.every(({ recipientClientId }) => recipientClientId === "me"));
  assert.equal(unpack(server.messages[0]!)["type"], "offer");
  assert.equal(unpack(server.messages[1]!)["sdpMLineIndex"], 0);
  assert.equal(watched.producer.info.formatName, "webrtc/kinesis");
  assert.doesNotMatch(watched.producer.info.url!, /Signature/);
  await assert.rejects(sources.open(`webrtc:ws://${server.host}/#format=kinesis`), { message: /#client_id=/ });
});

Deno.test("A SwitchBot source offers pictures only, and says how good they are to be", async () => {
  await using camera = new FakeCamera(false);
  using sources = new SourceOpener();
  await using server = new FakeSocket(async (message, send) => {
    if (message?.["action"] !== "SDP_OFFER") return;
    const sdp = await camera.answer(String(unpack(message)["sdp"]));
    send({ messageType: "SDP_ANSWER", messagePayload: payload({ type: "answer", sdp }) });
  });
  const source = `webrtc:ws://${server.host}/#format=switchbot#client_id=me`;
  await using watched = await sources.watch(`${source}#resolution=auto#play_type=3`);
  assert.deepEqual(await watched.first("video"), PICTURE);
  const { resolution, play_type, sdp } = unpack(server.messages[0]!);
  assert.deepEqual([resolution, play_type], [2, 3]);
  assert.deepEqual(String(sdp).match(/^m=\w+/gm), ["m=video"]);
  assert.equal(watched.producer.info.formatName, "webrtc/switchbot");
  await assert.rejects(sources.open(`${source}#resolution=4k`), { code: "BAD_SOURCE", message: /hd, sd, auto/ });
});

Deno.test("Quirk(OpenIPC firmware): the camera makes the offer, in a message that is called answer", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  let saidBefore = -1;
  await using server = new FakeSocket(async (message, send) => {
    if (message?.["req"] === "answer") {
      await camera.takeAnswer(String(message["data"]));
      return;
    }
    if (message?.["req"] === "candidate") return await camera.addCandidate(String(message["data"]));
    const { sdp, candidates } = withoutCandidates(await camera.offer());
    await new Promise((resolve) => setTimeout(resolve, 100));
    saidBefore = server.messages.length;
    send({ reply: "webrtc_answer", data: { type: "offer", sdp } });
    for (const candidate of candidates) send({ reply: "webrtc_candidate", data: { candidate, sdpMLineIndex: 0 } });
  });
  await using watched = await sources.watch(`webrtc:ws://${server.host}/webrtc_ws#format=openipc`);
  assert.deepEqual(await watched.first("video"), PICTURE);
  assert.equal(saidBefore, 0);
  assert.equal(server.messages[0]!["req"], "answer");
  assert.match(String(server.messages[1]!["data"]), /^candidate:/);
  assert.equal(watched.producer.info.formatName, "webrtc/openipc");
  assert.deepEqual(watched.producer.medias.map(({ codecs }) => codecs[0]!.name), [codec("H264").name, "PCMA"]);
});
