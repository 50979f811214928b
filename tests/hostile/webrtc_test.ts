/** What somebody sends to the WebRTC port, and to the signalling before it, who wishes it no good. */
import assert from "node:assert/strict";
import { cpuRate, usageOf } from "../../scripts/bench/process_meter.ts";
import { decoded, figures, rtcPage, startRtcServer } from "../e2e/webrtc_peer.ts";
import { openBrowser } from "../support/browser.ts";
import { needs } from "../support/programs.ts";
import { exchange, httpRequest, RawClient, statusOf, wsFrame, wsRequest } from "../support/raw.ts";

const STREAMS = 'streams:\n  demo: "demo:"\n';

/** What `/api/webrtc/stats` shows. */
interface Shown {
  readonly sessions: readonly unknown[];
  readonly transport: { readonly dropped: { readonly limited: number } };
}

function offerOf(...rtpmaps: readonly string[]): string {
  const types = rtpmaps.map((_none, i) => 96 + i);
  return [
    ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901"],
    ...["a=fingerprint:sha-256 " + Array(32).fill("AB").join(":"), "a=setup:actpass"],
    ...[`m=video 9 UDP/TLS/RTP/SAVPF ${types.join(" ")}`, "a=mid:0", "a=recvonly", "a=rtcp-mux"],
    ...rtpmaps.map((rtpmap, i) => `a=rtpmap:${96 + i} ${rtpmap}`),
    "",
  ].join("\r\n");
}

Deno.test("An offer that fits nothing is refused in words that name both sides' codecs, over HTTP and the WebSocket", async () => {
  await using server = await startRtcServer(STREAMS);
  const { api } = server;
  const fitsNothing = offerOf("FANCY/90000", "VP8/90000");
  const words = /codecs not matched: video:H264, audio:\w+ => video:FANCY, video:VP8/;
  const post = (sdp: string, type = "application/sdp") =>
    exchange(api, httpRequest("POST", "/api/webrtc?src=demo", { Host: api, "Content-Type": type }, sdp));
  const refused = await post(fitsNothing);
  assert.equal(statusOf(refused), 406, refused);
  assert.match(refused, words);
  const broken: readonly [string, string, RegExp][] = [
    ["v=0", "application/sdp", /cannot use the offer: it has no media line/],
    [fitsNothing.replace("a=fingerprint", "a=x"), "application/sdp", /it has no a=fingerprint/],
    [fitsNothing.replace("abcd", "a"), "application/sdp", /a=ice-ufrag or a=ice-pwd is missing/],
    ["{", "application/json", /Cannot read the offer/],
    ['{"type":"answer","sdp":"v=0"}', "application/json", /expected {"type": "offer"/],
  ];
  for (const [sdp, type, text] of broken) {
    const answer = await post(sdp, type);
    assert.equal(statusOf(answer), 400, answer);
    assert.match(answer, text);
  }
  using client = await RawClient.connect(api);
  await client.write(wsRequest("/api/ws?src=demo", { Host: api }));
  const send = (type: string, value: unknown) => client.write(wsFrame(JSON.stringify({ type, value })));
  await send("webrtc/offer", fitsNothing);
  assert.match(await client.until(/"error"[^]*VP8/), words);
  await send("webrtc/candidate", "candidate:1 1 udp 1 5f6e4e2c-0d2d-4bb2-9b7f-2b5a4a4a4a4a.local 50000 typ host");
  await send("webrtc/candidate", "x".repeat(10_000));
  await send("webrtc/candidate", { no: "text" });
  await send("webrtc", { type: "offer" });
  await client.until(/expected {/);
  assert.ok(!client.hasEnded, "the WebSocket stays");
  assert.deepEqual((await server.json<Shown>("/api/webrtc/stats")).sessions, []);
});

Deno.test("A port that another program has is named in one line, and the rest runs", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const datagrams = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  await using server = await startRtcServer(STREAMS, {}, `listen: "127.0.0.1:${port}"`);
  const line = await server.line(/ERR .*Cannot listen on/);
  assert.match(line, new RegExp(`TCP 127\\.0\\.0\\.1:${port}|UDP 127\\.0\\.0\\.1:${port}`));
  assert.match(line, /in use.*set webrtc\.listen to another one; the rest goes on/);
  const frame = await server.fetch("/api/frame.mp4?src=demo");
  assert.equal(frame.status, 200);
  await frame.bytes();
  assert.equal(server.output().match(/Cannot listen on/g)?.length, 1, server.output());
  datagrams.close();
});

/** A check (RFC 8489) whose proof is wrong. */
function forgedCheck(user: string): Uint8Array {
  const name = new TextEncoder().encode(user);
  const named = 4 + (name.length + 3 & ~3);
  const bytes = new Uint8Array(20 + named + 24);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x0001);
  view.setUint16(2, bytes.length - 20);
  view.setUint32(4, 0x2112a442);
  crypto.getRandomValues(bytes.subarray(8, 20));
  view.setUint16(20, 0x0006);
  view.setUint16(22, name.length);
  bytes.set(name, 24);
  view.setUint16(20 + named, 0x0008);
  view.setUint16(22 + named, 20);
  return bytes;
}

/** Sends datagrams at a rate; answers how many. */
async function flood(to: Deno.NetAddr, perSecond: number, ms: number, make: () => Uint8Array): Promise<number> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.2", port: 0 });
  const startMs = performance.now();
  let sent = 0;
  for (let nowMs = startMs; nowMs - startMs < ms; nowMs = performance.now()) {
    for (const due = (nowMs - startMs) * perSecond / 1000; sent < due; sent++) await socket.send(make(), to);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  socket.close();
  return sent;
}

Deno.test(
  await needs("Ten thousand STUN requests a second from one address delay no viewer, and none that comes", "chromium"),
  async () => {
    await using server = await startRtcServer(STREAMS, {}, 'listen: "127.0.0.1:0"');
    await using browser = await openBrowser();
    const rtc = await rtcPage(await browser.newPage(), server.api);
    const index = await rtc.whep("demo");
    const before = await decoded(rtc, index, 50);
    const answer = await rtc.run<string>(`return rtc.peers[${index}].answer`);
    const port = Number(/candidate:.* udp .* 127\.0\.0\.1 (\d+) typ host/.exec(answer)![1]);
    const ufrag = /a=ice-ufrag:(\S+)/.exec(answer)![1]!;

    const calm = await usageOf(server.pid);
    const seconds = 2;
    const users = [`${ufrag}:peer`, "nobody:peer", ""];
    let turn = 0;
    const flooding = flood(
      { transport: "udp", hostname: "127.0.0.1", port },
      10_000,
      seconds * 1000,
      () => forgedCheck(users[turn++ % users.length]!),
    );
    const late = await rtc.whep("demo");
    const firstMs = await rtc.picture(late);
    const sent = await flooding;
    const usage = await usageOf(server.pid);

    assert.ok(sent > 8000 * seconds, `only ${sent} were sent`);
    assert.ok(firstMs! < 1500, `who comes meanwhile waited ${firstMs} ms`);
    const after = figures(await rtc.report(index), "video");
    const shown = after.framesDecoded! - figures(before, "video").framesDecoded!;
    assert.ok(shown > 20 * seconds, `only ${shown} pictures in ${seconds} s`);
    assert.equal(after.packetsLost, figures(before, "video").packetsLost);
    const { transport: { dropped } } = await server.json<Shown>("/api/webrtc/stats");
    assert.ok(dropped.limited > sent / 2, JSON.stringify(dropped));
    assert.ok(usage.rssMb - calm.rssMb < 30, `${usage.rssMb - calm.rssMb} MiB more`);
    assert.ok(cpuRate(calm, usage) < 800, `${cpuRate(calm, usage)} ms of CPU each second`);
  },
);
