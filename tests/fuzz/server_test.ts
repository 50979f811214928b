/** A running server takes any bytes at every place where bytes come in: it answers, or closes, and goes on. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { answer, FakeCamera, obedient } from "../../modules/rtsp/fake_camera.ts";
import { ask, interleaved, Picture, play, publishTo, rtspRequest } from "../hostile/media.ts";
import { exchange, RawClient, statusOf, wsFrame, wsRequest } from "../support/raw.ts";
import { type Server, startServer, until } from "../support/server.ts";
import { corpus, hostile, mutated } from "./corpus.ts";

/** Inputs that are under way at once. */
const AT_ONCE = 20;

async function withServer(config: string, run: (server: Server) => Promise<void>): Promise<void> {
  await using server = await startServer({ config: `streams:\n  cam: "demo:"\n  yard:\n${config}` });
  await run(server);
  assert.equal((await server.fetch("/api/streams")).status, 200);
  assert.equal(statusOf(await exchange(server.rtsp, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", /\r\n\r\n/)), 200);
  assert.doesNotMatch(server.output(), /Nobody caught|panicked|is not a function|undefined/);
  const metrics = await (await server.fetch("/metrics")).text();
  const [, memory] = /^process_resident_memory_bytes (\d+)$/m.exec(metrics)!;
  assert.ok(Number(memory) < 400 << 20, `${memory} bytes of memory`);
}

/** Has each input handled, some at once; all of the corpus, and as many more that became of it. */
async function each(inputs: readonly Uint8Array[], more: number, handle: (input: Uint8Array) => Promise<void>) {
  await Promise.all(inputs.map(handle));
  const batches = fc.array(hostile(inputs), { minLength: AT_ONCE, maxLength: AT_ONCE });
  const property = fc.asyncProperty(batches, async (batch) => void await Promise.all(batch.map(handle)));
  await fc.assert(property, { numRuns: Math.ceil(more / AT_ONCE), endOnFailure: true });
}

/** Sends and leaves; the server may have closed before. */
async function throwAt(address: string, bytes: Uint8Array): Promise<void> {
  using client = await RawClient.connect(address);
  await client.write(bytes);
}

Deno.test("The RTSP port takes any bytes", async () => {
  await withServer("", async ({ rtsp }) => {
    await each(corpus("rtsp"), 600, (input) => throwAt(rtsp, input));
    const header = `OPTIONS * RTSP/1.0\r\nX: ${"x".repeat(70_000)}`;
    for (const long of [header, "A".repeat(200_000), `ANNOUNCE * RTSP/1.0\r\nContent-Length: 2000000\r\n\r\n`]) {
      using client = await RawClient.connect(rtsp);
      await client.write(long);
      assert.match(await client.until(/(?!)/), /^RTSP\/1\.0 400 |^$/, "too much is refused at once");
    }
  });
});

Deno.test("A publisher's description may be anything", async () => {
  await withServer("", async ({ rtsp }) => {
    await each(corpus("sdp"), 300, async (input) => {
      using client = await RawClient.connect(rtsp);
      const body = new TextDecoder().decode(input);
      const headers = ["Content-Type: application/sdp"];
      const status = await ask(client, rtspRequest("ANNOUNCE", `rtsp://${rtsp}/yard`, 1, headers, body));
      assert.ok(status === 200 || status === 400, `${status}`);
    });
  });
});

Deno.test("A publisher's packets and reports may be anything, and its pictures are seen behind them", async () => {
  await withServer("", async ({ rtsp, api }) => {
    using publisher = await publishTo(rtsp, "yard");
    const picture = new Picture();
    await publisher.write(interleaved(picture.frame("key")));
    using player = await play(rtsp, "yard");
    using viewer = await RawClient.connect(api);
    await viewer.write(wsRequest("/api/ws?src=yard", { Host: api }));
    await viewer.write(wsFrame('{"type":"mse","value":"avc1.640029"}'));
    await viewer.until(/"type":"mse"/);
    const reports = corpus("rtcp");
    const packet = fc.oneof(
      hostile(corpus("rtp")).map((bytes) => interleaved([bytes])),
      hostile(reports).map((bytes) => interleaved([bytes], 1)),
    );
    for (const bytes of [...corpus("rtp"), ...reports]) await publisher.write(interleaved([bytes]));
    for (const bytes of fc.sample(packet, 1500)) await publisher.write(bytes);
    player.text = viewer.text = "";
    // A new count: what came before it is behind.
    picture.sequence = 40_000;
    await until(async () => {
      await publisher.write(interleaved(picture.frame("key", 300)));
      return player.text.includes("\x67\x4d\x40") && viewer.text.includes("moof");
    });
    assert.ok(!publisher.hasEnded && !player.hasEnded);
  });
});

Deno.test("A camera's description and packets may be anything", async () => {
  const descriptions = [...corpus("sdp"), ...fc.sample(mutated(corpus("sdp")), 40)];
  const packets = fc.sample(hostile([...corpus("rtp"), ...corpus("rtcp")]), 400);
  await using camera = new FakeCamera((request, camera) => {
    const number = Number(/live(\d+)/.exec(request.url)?.[1]);
    if (request.method === "DESCRIBE") {
      return answer(request, "200 OK", [], new TextDecoder().decode(descriptions[number]));
    }
    if (request.method === "PLAY") {
      const all = packets.map((bytes, i) => interleaved([bytes], i & 3));
      camera.send(Uint8Array.from(all.flatMap((bytes) => [...bytes]))).catch(() => {
        // The server may have closed: nobody watches.
      });
    }
    return obedient("")(request, camera);
  });
  const names = descriptions.map((_, i) => `f${i}`);
  const sources = names.map((name, i) => `  ${name}: "rtsp://127.0.0.1:${camera.port}/live${i}#timeout=2#linger=0"\n`);
  await withServer(sources.join(""), async (server) => {
    await Promise.all(names.map(async (name) => {
      const response = await server.fetch(`/api/streams?src=${name}&video&audio`);
      const text = await response.text();
      assert.ok(response.status === 200 || response.status === 500, `${response.status} ${text}`);
      if (response.status === 500) assert.match(text, /^streams: (?:rtsp: camera "f\d+"|codecs not matched)/);
    }));
  });
});

Deno.test("The API's port takes any bytes", async () => {
  await withServer("", async ({ api }) => {
    await each(corpus("http"), 600, (input) => throwAt(api, input));
    const long = `GET /api?${"x".repeat(500_000)} HTTP/1.1\r\nHost: x\r\n\r\n`;
    assert.ok([0, 400, 414, 431].includes(statusOf(await exchange(api, long, /\r\n\r\n/))));
  });
});

Deno.test("The WebSocket takes any frames and any messages", async () => {
  await withServer("", async ({ api }) => {
    const upgrade = new TextEncoder().encode(wsRequest("/api/ws?src=cam", { Host: api }));
    const types = fc.constantFrom(
      "mse",
      "mp4",
      "webrtc",
      "webrtc/offer",
      "webrtc/candidate",
      "hls",
      "mjpeg",
      "",
      "toString",
    );
    const message = fc.record({ type: fc.oneof(types, fc.jsonValue()), value: fc.jsonValue() });
    const messages = fc.sample(message, 100).map((one) => wsFrame(JSON.stringify(one)));
    await each([...corpus("ws"), ...messages], 300, async (input) => {
      using client = await RawClient.connect(api);
      await client.write(upgrade);
      await client.until(/\r\n\r\n/);
      await client.write(input);
    });
    using flood = await RawClient.connect(api);
    await flood.write(upgrade);
    for (let i = 0; i < 200; i++) await flood.write(wsFrame("x".repeat(100_000), i ? 0 : 1, false));
  });
});
