/**
 * Datagrams of a running session, repeated, broken and made up, from the peer's own address and from a stranger's: nobody
 * gets an answer to them, and nothing ends.
 */
import assert from "node:assert/strict";
import { codec, type Media, type Track } from "../../core/mod.ts";
import { RtpHeader, RtpPacket } from "werift";
import { FakeCamera, FakeServer, SourceOpener } from "./client/client_testing.ts";
import { TestCamera, TestEngine, weriftPeer } from "./engine_testing.ts";
import { forgeries, kindOf, TappedWire } from "./tapped_wire_testing.ts";

const VP8 = codec("VP8");
const PCMU = codec("PCMU", { clockRate: 8000 });
const CAMERA: Media = { kind: "video", direction: "recvonly", codecs: [VP8] };
const SPEAKER: Media = { kind: "audio", direction: "sendonly", codecs: [PCMU] };
// A VP8 keyframe as far as anybody looks at it, of 16 × 16.
const PICTURE = Uint8Array.of(0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, 1, 2, 3, 4);

/** An alert, a hello and something unknown, in the clear; media that nobody encrypted; feedback likewise. */
const MADE_UP = [
  Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40),
  Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0),
  Uint8Array.of(21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0),
  Uint8Array.of(22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  Uint8Array.of(20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1),
  Uint8Array.of(63, 0),
  Uint8Array.of(128, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4),
  Uint8Array.of(129, 203, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0),
];
/** Enough of each kind: what is repeated too often is limited as a flood, which has its own tests. */
const OF_EACH_KIND = 12;
/** What is sent in one turn of the event loop: beyond what a socket holds, the system drops what is genuine, too. */
const IN_A_TURN = 8;

async function attack(wire: TappedWire): Promise<void> {
  const all = Object.values(Object.groupBy([...wire.fromPeer, ...wire.fromUs], kindOf));
  assert.equal(all.length, 4, "STUN, DTLS, RTP and RTCP have passed");
  const known = all.flatMap((some) => some.slice(-OF_EACH_KIND));
  for (const [i, bytes] of [...known, ...known.flatMap(forgeries), ...MADE_UP].entries()) {
    await wire.asStranger(bytes);
    await wire.asPeer(bytes);
    if (i % IN_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve));
  }
}

/** The transactions of STUN messages, in hexadecimal. */
function transactions(all: readonly Uint8Array[], isAnswer: boolean): string[] {
  return all.filter((bytes) => kindOf(bytes) === "stun" && (bytes[0] === 1) === isAnswer)
    .map((bytes) => bytes.subarray(8, 20).toHex());
}

/** Nothing went to the stranger, and STUN answers to nobody's question but the peer's. */
function assertSilence(wire: TappedWire): void {
  assert.deepEqual(wire.toStranger, []);
  const asked = new Set(transactions(wire.fromPeer, false));
  for (const transaction of transactions(wire.fromUs, true)) assert.ok(asked.has(transaction), transaction);
}

/** Calls back with each frame of a track from now on. */
function follow(track: Track, take: (payload: Uint8Array) => void): void {
  const cursor = {
    index: track.log.nextIndex,
    wake: () => {
      for (; cursor.index < track.log.nextIndex; cursor.index++) take(track.log.at(cursor.index)!.payload.units()[0]!);
    },
  };
  track.log.addCursor(cursor);
}

/** Waits until a count has grown by so many. */
async function grows(count: () => number, by: number): Promise<void> {
  const least = count() + by;
  const end = performance.now() + 10_000;
  while (count() < least) {
    assert.ok(performance.now() < end, `only ${count()} of ${least} came`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("Forged and replayed datagrams neither harm a viewer nor reach the speaker that it talks to", async () => {
  const camera = new TestCamera(CAMERA, SPEAKER);
  await using it = await TestEngine.open(camera);
  using wire = new TappedWire();
  const pc = weriftPeer([VP8, PCMU]);
  let shown = 0;
  pc.onTrack.subscribe((track) => track.onReceiveRtp.subscribe(() => void shown++));
  pc.addTransceiver("video", { direction: "recvonly" });
  const microphone = pc.addTransceiver("audio", { direction: "sendonly" });
  await pc.setLocalDescription(await pc.createOffer());
  const peer = await it.engine.accept(it.offer(wire.describePeer(pc.localDescription!.sdp)));
  const [us] = it.transport.udpAddresses;
  await pc.setRemoteDescription({ type: "answer", sdp: wire.describeUs(peer.answer, us!) });
  await pc.connectionStateChange.watch((state) => state === "connected");

  const { speaker } = await camera.running.promise;
  const heard: number[] = [];
  follow(speaker(SPEAKER)!.track, (payload) => void heard.push(new DataView(payload.slice().buffer).getUint32(0)));
  let sequence = 0;
  const going = setInterval(() => {
    camera.feed(PICTURE);
    const payload = Buffer.alloc(160);
    payload.writeUInt32BE(++sequence);
    microphone.sender.sendRtp(
      new RtpPacket(new RtpHeader({ sequenceNumber: sequence, timestamp: sequence * 160 }), payload),
    );
  }, 20);
  await grows(() => Math.min(shown, heard.length), 50);
  await attack(wire);
  await grows(() => Math.min(shown, heard.length), 50);
  clearInterval(going);

  assertSilence(wire);
  heard.forEach((count, i) => assert.equal(count, heard[0]! + i, "each packet of the microphone is heard once"));
  const { dropped } = it.transport.stats;
  assert.ok(dropped.replayed > 0 && dropped.unauthentic > 0 && dropped.stranger > 0, JSON.stringify(dropped));
  assert.deepEqual(it.engine.stats().map(({ state }) => state), ["connected"]);
  peer.close("the test is over");
  await pc.close();
});

Deno.test("Forged and replayed datagrams do not harm a source", async () => {
  await using camera = new FakeCamera();
  using sources = new SourceOpener();
  using wire = new TappedWire();
  await using server = new FakeServer(async ({ method, body }) => {
    if (method !== "POST") return new Response(null);
    const port = Number(/127\.0\.0\.1 (\d+) typ host/.exec(body)![1]);
    const answer = await camera.answer(wire.describeUs(body, { host: "127.0.0.1", port }));
    return new Response(wire.describePeer(answer), { status: 201 });
  });
  await using watched = await sources.watch(`webrtc:http://${server.host}/whep`);
  await watched.live;
  let pictures = 0;
  follow([...watched.tracks.values()].find(({ kind }) => kind === "video")!, () => void pictures++);
  await grows(() => pictures, 100);
  await attack(wire);
  await grows(() => pictures, 50);
  assertSilence(wire);
});
