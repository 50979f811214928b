/** Publishers that lie, break off or come in numbers, and viewers that take nothing. */
import assert from "node:assert/strict";
import { MseClient } from "../e2e/mse_client.ts";
import { type Server, startServer, until } from "../support/server.ts";
import { RawClient, wsFrame, wsRequest } from "../support/raw.ts";
import { ask, h264Sdp, interleaved, LARGE, packetsOf, Picture, play, publishTo, rtspRequest, SMALL } from "./media.ts";

const CONFIG = 'streams:\n  cam: "demo:"\n  yard:\n  door:\n';

interface StreamJson {
  readonly producers: readonly { readonly receivers?: readonly { readonly packets?: number }[] }[];
  readonly consumers: readonly { readonly senders?: readonly { readonly bytes?: number; readonly drops?: number }[] }[];
}

async function streamOf(server: Server, name: string): Promise<StreamJson> {
  return (await server.json<Record<string, StreamJson>>("/api/streams"))[name]!;
}

async function metric(server: Server, name: string): Promise<number> {
  const text = await (await server.fetch("/metrics")).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

/** How many frames a player was sent. */
function framesOf(player: RawClient): number {
  return packetsOf(player).filter(({ marker }) => marker).length;
}

Deno.test("A publisher whose lengths lie costs its own pictures, and others nothing", async () => {
  await using server = await startServer({ config: CONFIG });
  await using other = new MseClient(server.api, "src=cam");
  await other.more(2);
  using publisher = await publishTo(server.rtsp, "yard");
  using player = await play(server.rtsp, "yard");
  const picture = new Picture();
  await publisher.write(interleaved(picture.frame("key")));
  await player.until(() => framesOf(player) > 0);
  const [packet] = picture.frame("delta");
  const lying = interleaved([packet!]);
  for (const [high, low] of [[0, 0], [0, 1], [0, 11], [3, 0]] as const) {
    lying.set([high, low], 2);
    await publisher.write(lying);
  }
  await publisher.write(Uint8Array.of(0x24, 200, 0, 4, 1, 2, 3, 4));
  for (let i = 0; i < 50; i++) await publisher.write(interleaved(picture.frame(i % 10 ? "delta" : "key")));
  const before = framesOf(player);
  await until(() => framesOf(player) >= before + 20);
  // What announces more than it sends waits for it, and for nothing else.
  await publisher.write(Uint8Array.of(0x24, 0, 0xff, 0xff, 1, 2, 3));
  await other.more(5);
  assert.ok(await metric(server, "lenswire_log_bytes") < 4 << 20);
});

Deno.test("A publisher that breaks off in the middle of a frame comes back, and its viewer stays", async () => {
  await using server = await startServer({ config: CONFIG });
  const first = await publishTo(server.rtsp, "yard");
  const picture = new Picture(200);
  await first.write(interleaved(picture.frame("key", 1000)));
  await using viewer = new MseClient(server.api, "src=yard");
  await viewer.until(() => viewer.pieces.length > 0);
  const cut = interleaved(picture.frame("delta", 1000));
  await first.write(cut.subarray(0, cut.length - 300));
  first[Symbol.dispose]();
  await until(async () => (await streamOf(server, "yard")).producers.every(({ receivers }) => !receivers?.length));
  using second = await publishTo(server.rtsp, "yard", h264Sdp(LARGE));
  const other = new Picture();
  for (let i = 0; i < 5; i++) await second.write(interleaved(other.frame(i ? "delta" : "key", 500, LARGE)));
  await viewer.until(() => viewer.pieces.filter(({ hasHeader }) => hasHeader).length === 2);
  assert.ok(viewer.isOpen);
});

Deno.test("Publishers of one stream add up to a limit, and the one too many is named", async () => {
  await using server = await startServer({ config: CONFIG });
  const publishers: RawClient[] = [];
  for (let i = 0; i < 16; i++) publishers.push(await publishTo(server.rtsp, "yard"));
  await until(async () => (await streamOf(server, "yard")).producers.length === 16);
  await assert.rejects(publishTo(server.rtsp, "yard"), /refused: 200,200,503/);
  await server.line(/WRN \[rtsp\] .*16 .*stream=yard/);
  assert.equal((await streamOf(server, "yard")).producers.length, 16);
  for (const publisher of publishers) publisher[Symbol.dispose]();
  await until(async () => (await streamOf(server, "yard")).producers.length === 0);
  using again = await publishTo(server.rtsp, "yard");
  assert.ok(!again.hasEnded);
});

Deno.test("Viewers that never read cost no memory and delay nobody", async () => {
  await using server = await startServer({ config: CONFIG });
  using publisher = await publishTo(server.rtsp, "yard");
  const picture = new Picture();
  const send = (kind: "key" | "delta") => publisher.write(interleaved(picture.frame(kind, 100_000)));
  await send("key");
  using _reader = await play(server.rtsp, "yard");
  const stalled = await Promise.all(Array.from({ length: 5 }, () => stall(server, "yard")));
  const viewers = async () => (await streamOf(server, "yard")).consumers;
  await until(async () => (await viewers()).length === 11);
  const before = await metric(server, "process_resident_memory_bytes");
  for (let i = 1; i <= 300; i++) {
    await send(i % 25 ? "delta" : "key");
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const sentBytes = async () => (await viewers()).map(({ senders }) => senders![0]!.bytes ?? 0);
  await until(async () => (await sentBytes())[0]! > 28_000_000);
  const stuck = (await sentBytes()).slice(1);
  assert.ok(stuck.every((bytes) => bytes < 12_000_000), `${stuck}: no more than the system's buffers took`);
  const after = await metric(server, "process_resident_memory_bytes");
  assert.ok(after - before < 60 << 20, `${(after - before) >> 20} MiB more for 30 MB of pictures, 10 stalled viewers`);
  assert.ok(await metric(server, "lenswire_log_bytes") <= 9 << 20);
  // One that reads again goes on at the newest keyframe, and what it missed is counted.
  const [waking] = stalled[0]!;
  const draining = drain(waking!);
  await until(async () => {
    await send("key");
    return (await viewers()).some(({ senders }) => (senders![0]!.drops ?? 0) > 100);
  });
  for (const conns of stalled) for (const conn of conns) conn.close();
  await draining;
  await until(async () => (await viewers()).length === 1);
});

async function drain(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1 << 20);
  try {
    while (await conn.read(buffer) !== null);
  } catch {
    // The test has closed it.
  }
}

/** A player and an MSE viewer that ask for the stream and read no more. */
async function stall(server: Server, stream: string): Promise<Deno.Conn[]> {
  const connect = async (address: string) => {
    const [hostname = "", port] = address.split(":");
    return await Deno.connect({ hostname, port: Number(port) });
  };
  const encoder = new TextEncoder();
  const player = await connect(server.rtsp);
  const url = `rtsp://${server.rtsp}/${stream}`;
  const transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
  const requests = rtspRequest("DESCRIBE", url, 1) + rtspRequest("SETUP", `${url}/trackID=0`, 2, [transport]) +
    rtspRequest("PLAY", url, 3);
  await player.write(encoder.encode(requests));
  const viewer = await connect(server.api);
  await viewer.write(encoder.encode(wsRequest(`/api/ws?src=${stream}`, { Host: server.api })));
  await viewer.write(wsFrame('{"type":"mse","value":"avc1.640029"}'));
  return [player, viewer];
}

Deno.test("A publisher's description that is none is refused in words", async () => {
  await using server = await startServer({ config: CONFIG });
  const url = `rtsp://${server.rtsp}/yard`;
  const type = "Content-Type: application/sdp";
  const cases: readonly [string, readonly string[], string, number, RegExp][] = [
    ["yard", [type], "nonsense", 400, /\r\n\r\n\S+/],
    ["yard", [type], "", 400, /\r\n\r\n\S+/],
    ["yard", ["Content-Type: text/plain"], h264Sdp(SMALL), 400, /expected Content-Type: application\/sdp/],
    ["nowhere", [type], h264Sdp(SMALL), 404, /stream not found/],
  ];
  for (const [stream, headers, body, status, text] of cases) {
    using client = await RawClient.connect(server.rtsp);
    const request = rtspRequest("ANNOUNCE", url.replace("yard", stream), 1, headers, body);
    assert.equal(await ask(client, request), status, stream);
    await client.until(text);
  }
});
