import assert from "node:assert/strict";
import { type Codec, codec, type Media, type Principal, StreamError } from "../../core/mod.ts";
import type { RTCPeerConnection } from "werift";
import { turns } from "./dtls_turns.ts";
import { TestCamera, TestEngine, weriftPeer } from "./engine_testing.ts";
import type { IceHandlers } from "./ice.ts";

const VP8 = codec("VP8");
const H264 = codec("H264");
const PCMU = codec("PCMU", { clockRate: 8000 });
const gives = (one: Codec): Media => ({ kind: one.kind, direction: "recvonly", codecs: [one] });
const takes = (one: Codec): Media => ({ kind: one.kind, direction: "sendonly", codecs: [one] });
// A VP8 keyframe as far as anybody looks at it, of 16 × 16.
const PICTURE = Uint8Array.of(0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, 1, 2, 3, 4);

/** What a peer offers, complete. */
async function offerOf(pc: RTCPeerConnection): Promise<string> {
  await pc.setLocalDescription(await pc.createOffer());
  return pc.localDescription!.sdp;
}

/** Resolves with the payload of the first packet that a peer receives. */
function firstPacket(pc: RTCPeerConnection): Promise<Uint8Array> {
  return new Promise((resolve) => {
    pc.onTrack.subscribe((track) => track.onReceiveRtp.once(({ payload }) => resolve(payload)));
  });
}

Deno.test("Engine brings a viewer into a stream, and the peer gets what the camera sends", async () => {
  const camera = new TestCamera(gives(VP8));
  await using it = await TestEngine.open(camera);
  const pc = weriftPeer([VP8]);
  pc.addTransceiver("video", { direction: "recvonly" });
  const packet = firstPacket(pc);
  const peer = await it.engine.accept(it.offer(await offerOf(pc)));
  await pc.setRemoteDescription({ type: "answer", sdp: peer.answer });
  await camera.feed(PICTURE);
  // Behind a descriptor of at least a byte (RFC 7741 §4.2).
  assert.deepEqual([...await packet].slice(-PICTURE.length), [...PICTURE]);
  const [json] = it.streams.control.list({ ...ALL })["cam"]!.consumers;
  assert.equal(json!.protocol, "ws+udp");
  assert.match(String(json!.remote_addr), /^127\.0\.0\.1:\d+ prflx$/);
  const [stats] = it.engine.stats();
  assert.equal(stats!.state, "connected");
  peer.close("the test is over");
  assert.equal(it.engine.stats().length, 0);
  assert.equal(it.streams.control.list({ ...ALL })["cam"]!.consumers.length, 0);
  await pc.close();
});

const ALL: Principal = { name: "all", isAdmin: true, mayOperate: true, isTrusted: true, can: () => true };

Deno.test("Engine brings a publisher into a stream, and passes its packets on", async () => {
  await using it = await TestEngine.open();
  const pc = weriftPeer([VP8]);
  const transceiver = pc.addTransceiver("video", { direction: "sendonly" });
  const peer = await it.engine.accept(it.offer(await offerOf(pc), { role: "publisher" }));
  await pc.setRemoteDescription({ type: "answer", sdp: peer.answer });
  await pc.connectionStateChange.watch((state) => state === "connected");
  const { RtpPacket, RtpHeader } = await import("werift");
  let sequence = 0;
  const sending = setInterval(() => {
    const header = new RtpHeader({ marker: true, sequenceNumber: ++sequence, timestamp: sequence * 3600 });
    transceiver.sender.sendRtp(new RtpPacket(header, Buffer.from([0x10, ...PICTURE])));
  }, 40);
  const watcher = weriftPeer([VP8]);
  watcher.addTransceiver("video", { direction: "recvonly" });
  const packet = firstPacket(watcher);
  const viewer = await it.engine.accept(it.offer(await offerOf(watcher)));
  await watcher.setRemoteDescription({ type: "answer", sdp: viewer.answer });
  assert.deepEqual([...await packet].slice(-PICTURE.length), [...PICTURE]);
  assert.equal(it.streams.control.list(ALL)["cam"]!.producers.at(-1)!.format_name, "webrtc");
  clearInterval(sending);
  peer.close("the publisher left");
  viewer.close("the test is over");
  await Promise.all([pc.close(), watcher.close()]);
});

Deno.test("Engine lets a viewer talk to a camera's speaker", async () => {
  const camera = new TestCamera(gives(VP8), takes(PCMU));
  await using it = await TestEngine.open(camera);
  const pc = weriftPeer([VP8, PCMU]);
  pc.addTransceiver("video", { direction: "recvonly" });
  const microphone = pc.addTransceiver("audio", { direction: "sendonly" });
  const peer = await it.engine.accept(it.offer(await offerOf(pc)));
  await pc.setRemoteDescription({ type: "answer", sdp: peer.answer });
  await pc.connectionStateChange.watch((state) => state === "connected");
  const { RtpPacket, RtpHeader } = await import("werift");
  let sequence = 0;
  const talking = setInterval(() => {
    const header = new RtpHeader({ sequenceNumber: ++sequence, timestamp: sequence * 160 });
    microphone.sender.sendRtp(new RtpPacket(header, Buffer.alloc(160, 7)));
  }, 20);
  const io = await camera.running.promise;
  const { track } = io.speaker(camera.medias[1]!)!;
  const heard = await new Promise<Uint8Array>((resolve) => {
    const cursor = {
      index: Infinity,
      wake: () => {
        track.log.removeCursor(cursor);
        resolve(track.log.newest!.payload.units()[0]!);
      },
    };
    track.log.addCursor(cursor);
  });
  assert.deepEqual([heard.length, heard[0]], [160, 7]);
  clearInterval(talking);
  peer.close("the test is over");
  await pc.close();
});

Deno.test("Engine says what the camera has and what the peer can play when that does not fit", async () => {
  await using it = await TestEngine.open(new TestCamera(gives(H264)));
  const pc = weriftPeer([VP8]);
  pc.addTransceiver("video", { direction: "recvonly" });
  const offer = it.offer(await offerOf(pc));
  await assert.rejects(it.engine.accept(offer), { code: "NO_COMMON_CODEC", message: /H264 => .*VP8/ });
  assert.equal(it.engine.stats().length, 0);
  await pc.close();
});

Deno.test("Engine refuses what is no offer, who lacks the right, and who is too many, and keeps nothing of them", async () => {
  await using it = await TestEngine.open(new TestCamera(gives(VP8)), { total: 2, per_ip: 2, connecting_per_ip: 1 });
  const { engine } = it;
  await assert.rejects(engine.accept(it.offer("v=0\r\n")), { code: "BAD_SOURCE" });
  const pc = weriftPeer([VP8]);
  pc.addTransceiver("video", { direction: "recvonly" });
  const sdp = await offerOf(pc);
  const nobody: Principal = { name: "guest", isAdmin: false, mayOperate: false, isTrusted: false, can: () => false };
  await assert.rejects(engine.accept(it.offer(sdp, { principal: nobody })), { code: "UNAUTHORIZED" });
  const sends = sdp.replace("a=recvonly", "a=sendonly");
  const publish = it.offer(sends, { principal: nobody, role: "either" });
  await assert.rejects(engine.accept(publish), { code: "UNAUTHORIZED" });
  const gone = it.offer(sdp, { signal: AbortSignal.abort(new StreamError("CLOSED", "gone")) });
  await assert.rejects(engine.accept(gone), { code: "CLOSED" });
  const first = await engine.accept(it.offer(sdp));
  await assert.rejects(engine.accept(it.offer(sdp)), { code: "BUSY", message: /connecting_per_ip/ });
  first.close("enough");
  (await engine.accept(it.offer(sdp))).close("enough");
  assert.equal(it.streams.control.list(ALL)["cam"]!.consumers.length, 0);
  assert.equal(it.transport.stats.sessions, 0);
  await pc.close();
});

Deno.test("Engine gives all back at once when a session cannot begin", async () => {
  await using it = await TestEngine.open(new TestCamera(gives(VP8)), { total: 1, per_ip: 1, connecting_per_ip: 1 });
  const pc = weriftPeer([VP8]);
  pc.addTransceiver("video", { direction: "recvonly" });
  const sdp = await offerOf(pc);
  const { transport } = it;
  const begin = transport.session;
  const fail = () => {
    throw new Error("odd");
  };
  const faults = [fail, (handlers: IceHandlers) => Object.assign(begin.call(transport, handlers), { setRemote: fail })];
  for (const session of faults) {
    Object.assign(transport, { session });
    await assert.rejects(it.engine.accept(it.offer(sdp)), /odd/);
    assert.equal(transport.stats.sessions, 0);
    assert.equal(it.streams.control.list(ALL)["cam"]!.consumers.length, 0);
  }
  Object.assign(transport, { session: begin });
  (await it.engine.accept(it.offer(sdp))).close("enough");
  await pc.close();
});

Deno.test("Engine refuses who is too many at once, so that their offers are in nobody's way", async () => {
  await using it = await TestEngine.open(new TestCamera(gives(VP8)), { total: 9, per_ip: 9, connecting_per_ip: 1 });
  const { promise: busy, resolve: goOn } = Promise.withResolvers<void>();
  turns.add(() => busy);
  const first = it.engine.accept(it.offer("v=0\r\n"));
  await assert.rejects(it.engine.accept(it.offer("v=0\r\n")), { code: "BUSY", message: /connecting_per_ip/ });
  goOn();
  await assert.rejects(first, { code: "BAD_SOURCE" });
  await assert.rejects(it.engine.accept(it.offer("v=0\r\n")), { code: "BAD_SOURCE" });
});

Deno.test("Engine ends its sessions when the stream is removed", async () => {
  await using it = await TestEngine.open(new TestCamera(gives(VP8)));
  const pc = weriftPeer([VP8]);
  pc.addTransceiver("video", { direction: "recvonly" });
  await it.engine.accept(it.offer(await offerOf(pc)));
  assert.equal(it.engine.stats().length, 1);
  await it.streams.control.remove("cam", ALL);
  assert.equal(it.engine.stats().length, 0);
  await pc.close();
});

Deno.test("Engine warns of a peer that never came, and of no other end", async () => {
  await using it = await TestEngine.open(new TestCamera(gives(VP8)));
  const pc = weriftPeer([VP8]);
  pc.addTransceiver("video", { direction: "recvonly" });
  const sdp = await offerOf(pc);
  const warnings = () => it.lines.filter((line) => line.startsWith("warn Cannot connect"));
  (await it.engine.accept(it.offer(sdp))).close("another offer took its place");
  assert.deepEqual(warnings(), []);
  const silent = it.engine.accept(it.offer(sdp));
  const session = (await silent) as unknown as { session: { onClosed(reason: string): void } };
  session.session.onClosed("no check of the peer arrived");
  assert.match(warnings()[0]!, /no check of the peer arrived; see "Why can't I connect".*"stream":"cam"/);
  assert.equal(warnings().length, 1);
  await pc.close();
});
