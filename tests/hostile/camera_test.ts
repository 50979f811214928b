/** Cameras that are broken, or wish us no good. Nobody waits for real: they send in a second what takes minutes. */
import assert from "node:assert/strict";
import { readFmp4 } from "../../core/mod.ts";
import { answer, FakeCamera, obedient, type Script } from "../../modules/rtsp/fake_camera.ts";
import { MseClient } from "../e2e/mse_client.ts";
import { type Server, startServer, until } from "../support/server.ts";
import { h264Sdp, interleaved, LARGE, packetsOf, Picture, play } from "./media.ts";

async function withCamera(
  script: Script,
  run: (camera: FakeCamera, server: Server) => Promise<void>,
  options = "",
): Promise<void> {
  await using camera = new FakeCamera(script);
  const config = `streams:\n  cam: "${camera.source(options, "admin:hunter2@")}"\n`;
  await using server = await startServer({ config });
  await run(camera, server);
  assert.doesNotMatch(server.output(), /hunter2/, "the password is in the log");
  assert.doesNotMatch(server.output(), /Nobody caught/);
}

async function metric(server: Server, name: string): Promise<number> {
  const text = await (await server.fetch("/metrics")).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

const PLAYING = (camera: FakeCamera) => () => camera.methods().at(-1) === "PLAY";

/** The decode times that an MSE viewer was sent, in seconds. */
function timesOf(viewer: MseClient): number[] {
  let header = new Uint8Array(0);
  return viewer.pieces.flatMap(({ bytes, hasHeader }) => {
    if (hasHeader) header = bytes.slice(0, headerEnd(bytes));
    const file = readFmp4(hasHeader ? bytes : Uint8Array.from([...header, ...bytes]));
    return file.tracks.flatMap(({ timescale, samples }) => samples.map(({ dts }) => dts / timescale));
  });
}

// Behind `ftyp` and `moov`.
function headerEnd(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const moov = view.getUint32(0);
  return moov + view.getUint32(moov);
}

Deno.test("A camera that refuses the password is asked once, and the answer says what to do", async () => {
  const realm = ['WWW-Authenticate: Digest realm="cam", nonce="abc"'];
  await withCamera((request) => answer(request, "401 Unauthorized", realm), async (camera, server) => {
    const text = 'rtsp: camera "cam" refused the password (401 Digest): check user and password in streams.cam';
    for (let i = 0; i < 10; i++) {
      const response = await server.fetch("/api/frame.mp4?src=cam");
      assert.equal(response.status, 500);
      assert.equal(await response.text(), `streams: ${text}\n`);
    }
    await using viewer = new MseClient(server.api, "src=cam");
    await viewer.until(() => viewer.texts.find(({ value }) => value.includes("refused the password")));
    const guesses = camera.requests.filter((request) => request.header("Authorization"));
    assert.equal(guesses.length, 1, "each further guess may lock the account");
    const lines = server.output().split("\n").filter((line) => line.includes("source is refused"));
    assert.equal(lines.length, 1);
    assert.match(
      lines[0]!,
      /WRN \[streams\] source is refused cause=.*check user and password in streams\.cam.* stream=cam/,
    );
  });
});

Deno.test("A camera that sends no keyframe for 30 s costs little, and is seen as soon as it does", async () => {
  await withCamera(obedient(h264Sdp()), async (camera, server) => {
    await using viewer = new MseClient(server.api, "src=cam");
    await camera.until(PLAYING(camera));
    const picture = new Picture();
    for (let i = 0; i < 750; i++) await camera.send(interleaved(picture.frame("delta", 10_000)));
    await until(async () => (await (await server.fetch("/api/streams?src=cam")).text()).includes('"bytes"'));
    assert.ok(await metric(server, "lenswire_log_bytes") < 9 << 20);
    assert.equal(viewer.pieces.filter(({ hasKeyframe }) => hasKeyframe).length, 0);
    for (let i = 0; i < 3; i++) await camera.send(interleaved(picture.frame(i ? "delta" : "key")));
    await viewer.until(() => viewer.pieces.some(({ hasKeyframe }) => hasKeyframe));
    await viewer.until(() => timesOf(viewer).length >= 2);
    assert.ok(timesOf(viewer)[0]! < 1, "the viewer's time begins with its first picture");
  });
});

Deno.test("A camera that changes its picture size, and its clock by an hour, keeps its viewers", async () => {
  await withCamera(obedient(h264Sdp()), async (camera, server) => {
    await using viewer = new MseClient(server.api, "src=cam");
    await camera.until(PLAYING(camera));
    using player = await play(server.rtsp, "cam");
    const picture = new Picture();
    const send = async (sets?: typeof LARGE) => {
      const before = timesOf(viewer).length;
      for (let i = 0; i < 10; i++) await camera.send(interleaved(picture.frame(i ? "delta" : "key", 300, sets)));
      await viewer.until(() => timesOf(viewer).length >= before + 8);
    };
    await send();
    await send(LARGE);
    await viewer.until(() => viewer.pieces.filter(({ hasHeader }) => hasHeader).length === 2);
    assert.equal(readFmp4(viewer.header).tracks[0]!.width, 1920);
    const hour = 3600 * 90_000;
    picture.timestamp = (picture.timestamp + hour) >>> 0;
    await send(LARGE);
    picture.timestamp = (picture.timestamp - 2 * hour) >>> 0;
    await send(LARGE);
    const times = timesOf(viewer);
    for (let i = 1; i < times.length; i++) {
      assert.ok(times[i]! > times[i - 1]! && times[i]! - times[i - 1]! < 5, `${times[i - 1]} s to ${times[i]} s`);
    }
    assert.ok(viewer.isOpen && !player.hasEnded);
  });
});

Deno.test("A camera that closes in the middle of a frame is named, dialled again, and its viewer stays", async () => {
  await withCamera(obedient(h264Sdp()), async (camera, server) => {
    await using viewer = new MseClient(server.api, "src=cam");
    await camera.until(PLAYING(camera));
    const picture = new Picture();
    await camera.send(interleaved(picture.frame("key")));
    await viewer.until(() => viewer.pieces.length > 0);
    const cut = interleaved(picture.frame("delta", 5000));
    await camera.send(cut.subarray(0, 3000));
    camera.drop();
    await server.line(/WRN \[streams\] source is offline cause=.*camera \\"cam\\" ended the session.* stream=cam/);
    await camera.until(() => camera.connections === 2 && PLAYING(camera)());
    const before = viewer.pieces.length;
    for (let i = 0; i < 3; i++) await camera.send(interleaved(picture.frame(i ? "delta" : "key")));
    await viewer.until(() => viewer.pieces.length > before);
    assert.ok(viewer.isOpen);
  });
});

Deno.test("A camera over UDP that loses, repeats and swaps packets is played in order", async () => {
  using undo = new DisposableStack();
  const media = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  undo.defer(() => media.close());
  const { port } = media.addr as Deno.NetAddr;
  let to: Deno.NetAddr | undefined;
  const obey = obedient(h264Sdp());
  const script: Script = (request, camera) => {
    const ports = /client_port=(\d+)/.exec(request.header("Transport") ?? "")?.[1];
    if (request.method !== "SETUP") return obey(request, camera);
    to = { transport: "udp", hostname: "127.0.0.1", port: Number(ports) };
    const transport = `Transport: ${request.header("Transport")};server_port=${port}-${port + 1}`;
    return answer(request, "200 OK", [transport, "Session: 42"]);
  };
  await withCamera(script, async (camera, server) => {
    // The player's DESCRIBE has the camera dialled.
    using player = await play(server.rtsp, "cam");
    await camera.until(PLAYING(camera));
    const picture = new Picture();
    let sent = 1;
    const send = async (packets: readonly Uint8Array[]) => {
      for (const packet of packets) await media.send(packet, to!);
    };
    // Nothing tells yet that something came before it.
    await send(picture.frame("key"));
    for (let i = 2; i < 500; i += 2) {
      const first = picture.frame(i % 50 ? "delta" : "key", 400);
      const second = picture.frame("delta", 400);
      const isLost = i % 100 === 98;
      await send(i % 4 ? first : [...second, ...first]);
      if (i % 4 && !isLost) await send(second);
      if (i % 10 === 0) await send(second);
      sent += isLost && i % 4 ? 1 : 2;
      // A camera has its pace: all at once, the system would lose some of its own.
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const goal = sent;
    // What waits for a lost packet is let go by those that follow.
    await until(async () => {
      await send(picture.frame("delta"));
      sent++;
      return packetsOf(player).length >= goal;
    });
    const packets = packetsOf(player);
    assert.ok(packets.length <= sent + 11 * 2, `${packets.length} packets of ${sent} frames: none twice`);
    for (let i = 1; i < packets.length; i++) {
      const before = packets[i - 1]!;
      const now = packets[i]!;
      assert.ok(((now.sequence - before.sequence) & 0xffff) < 100, "the numbers go up");
      assert.ok(((now.timestamp - before.timestamp) >>> 0) < 90_000, "and so do the times");
    }
  }, "#transport=udp");
});

Deno.test("A camera that answers nonsense is named in the error, with what to do", async () => {
  const setupFails: Script = (request, camera) =>
    request.method === "SETUP" ? answer(request, "461 Unsupported") : obedient(h264Sdp())(request, camera);
  const broken: readonly [string, Script, RegExp][] = [
    ["not found", (request) => answer(request, "404 Not Found"), /answered 404 Not Found .*check the path in/],
    ["no description", (request) => answer(request, "200 OK", [], "<html>"), /describes nothing.*check the path in/],
    ["no media", obedient("v=0\r\ns=x\r\n"), /describes nothing.*check the path in/],
    ["HTTP", () => "HTTP/1.1 200 OK\r\n\r\n", /no answer to DESCRIBE within 1 s: check host and port in/],
    ["closes", () => "close", /closed by the camera: check host and port in/],
    [
      "redirects for ever",
      (request) => answer(request, "302 Moved", [`Location: ${request.url}`]),
      /check the address in/,
    ],
    ["refuses the track", setupFails, /answered 461 Unsupported to SETUP.*change #transport in/],
  ];
  await using cameras = new AsyncDisposableStack();
  const sources = broken.map(([, script], i) =>
    `  cam${i}: "${cameras.use(new FakeCamera(script)).source("#timeout=1")}"\n`
  );
  await using server = await startServer({ config: `streams:\n${sources.join("")}` });
  await Promise.all(broken.map(async ([what, script, cure], i) => {
    await using viewer = new MseClient(server.api, `src=cam${i}`);
    const line = await server.line(
      new RegExp(`WRN \\[streams\\] source is (?:offline|refused) cause=.* stream=cam${i}$`),
    );
    const texts = [line];
    // What a camera refuses once it has described itself is in the log alone: the viewer waits for better times.
    if (script !== setupFails) texts.push(await viewer.until(() => viewer.texts[0]?.value));
    for (const text of texts) {
      assert.match(text, cure, what);
      assert.match(text, new RegExp(`rtsp: camera \\\\?"cam${i}\\\\?" .* streams\\.cam${i}`), what);
    }
  }));
});
