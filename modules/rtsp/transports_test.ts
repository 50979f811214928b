import assert from "node:assert/strict";
import { parseAuthorization, parseSourceUrl, type Producer, type TlsIdentity, verifyDigest } from "../../core/mod.ts";
import { answer, FakeCamera, obedient, rtpFrame, sdp, VP8_LINES, vp8Payload } from "./fake_camera.ts";
import { openCamera } from "./producer.ts";

const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, limited() {} };
const description = sdp(...VP8_LINES);

function open(source: string): Promise<Producer> {
  return openCamera(parseSourceUrl(source), {
    signal: new AbortController().signal,
    log: quiet,
    stream: "yard",
    wanted: [],
    wantsSpeaker: false,
    isTrusted: true,
  });
}

/** A WebSocket server as some cameras have it: binary messages to and from their RTSP port. */
function webSocketBridge(port: number, admit: (request: Request) => Response | undefined) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const refused = admit(request);
    if (refused) return refused;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "binary" });
    socket.binaryType = "arraybuffer";
    const writer = conn.writable.getWriter();
    socket.onmessage = (event) => {
      assert.ok(event.data instanceof ArrayBuffer);
      writer.write(new Uint8Array(event.data)).catch(() => {});
    };
    socket.onclose = () => writer.close().catch(() => {});
    socket.onopen = async () => {
      try {
        for await (const bytes of conn.readable) socket.send(bytes as Uint8Array<ArrayBuffer>);
      } catch {
        // The camera has closed.
      }
      if (socket.readyState === WebSocket.OPEN) socket.close();
    };
    return response;
  });
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function playOne(camera: FakeCamera, producer: Producer): Promise<number> {
  const { Track } = await import("../../core/mod.ts");
  const track = new Track(0, producer.medias[0]!.codecs[0]!);
  const controller = new AbortController();
  const running = producer.run({
    signal: controller.signal,
    track: () => track,
    speaker: () => undefined,
    live() {},
  });
  await camera.until(() => camera.methods().includes("PLAY"));
  const came = new Promise<void>((resolve) => track.log.addCursor({ index: Infinity, wake: resolve }));
  await camera.send(rtpFrame(0, { sequence: 1, timestamp: 0, payload: vp8Payload() }));
  await came;
  controller.abort();
  await running;
  producer.close();
  return track.frames;
}

Deno.test("connectWebSocket() carries RTSP, with Basic, Digest or no login", async () => {
  const challenges = {
    none: undefined,
    basic: 'Basic realm="x"',
    digest: 'Digest realm="x", nonce="n", qop="auth"',
  };
  for (const [name, challenge] of Object.entries(challenges)) {
    await using camera = new FakeCamera(obedient(description));
    let protocol: string | null = null;
    await using bridge = webSocketBridge(camera.port, (request) => {
      protocol = request.headers.get("sec-websocket-protocol");
      if (!challenge) return undefined;
      const given = parseAuthorization(request.headers.get("authorization") ?? "");
      const isRight = given?.scheme === "basic"
        ? given.username === "u" && given.password === "p w"
        : given?.scheme === "digest" && verifyDigest(given, { method: "GET", realm: "x", password: "p w" });
      return isRight ? undefined : new Response("", { status: 401, headers: { "WWW-Authenticate": challenge } });
    });
    const login = name === "none" ? "" : "u:p%20w@";
    const producer = await open(`rtsp://cam/live#transport=ws://${login}127.0.0.1:${bridge.port}/rtsp?x=1`);
    assert.equal(producer.info.protocol, "ws");
    assert.equal(await playOne(camera, producer), 1, name);
    assert.equal(protocol, "binary");
    assert.equal(camera.requests[0]!.url, "rtsp://cam/live");
  }
});

Deno.test("connectWebSocket() says why it was refused", async () => {
  await using bridge = webSocketBridge(1, (request) => {
    if (request.url.endsWith("/none")) return new Response("", { status: 404 });
    return new Response("", { status: 401, headers: { "WWW-Authenticate": 'Basic realm="x"' } });
  });
  const at = `127.0.0.1:${bridge.port}`;
  await assert.rejects(open(`rtsp://cam/#transport=ws://u:p@${at}/`), { code: "UNAUTHORIZED" });
  await assert.rejects(open(`rtsp://cam/#transport=ws://${at}/none`), /answered 404: check the address of #transport/);
});

/** A certificate that nobody vouches for, as cameras have them; `undefined` without the program that makes it. */
async function selfSigned(): Promise<TlsIdentity | undefined> {
  const dir = await Deno.makeTempDir();
  try {
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key", "-out", "cert"];
    const { success } = await new Deno.Command("openssl", { args: [...args, ...names], cwd: dir, stderr: "null" })
      .output();
    return success
      ? { cert: await Deno.readTextFile(`${dir}/cert`), key: await Deno.readTextFile(`${dir}/key`) }
      : undefined;
  } catch {
    return undefined;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const identity = await selfSigned();

Deno.test({
  name: "openCamera() over TLS checks the certificate of a host name, and of nothing else",
  ignore: !identity,
  async fn() {
    await using camera = new FakeCamera(obedient(description), identity);
    for (const start of ["rtspx://localhost", "rtsps://127.0.0.1"]) {
      assert.equal(await playOne(camera, await open(`${start}:${camera.port}/live#timeout=4`)), 1, start);
      camera.requests.length = 0;
    }
    await assert.rejects(open(`rtsps://localhost:${camera.port}/live#timeout=4`), { code: "OFFLINE" });

    const location = `Location: rtsps://localhost:${camera.port}/other`;
    await using redirecting = new FakeCamera((request) => answer(request, "302 Moved", [location]), identity);
    await assert.rejects(open(`rtsps://127.0.0.1:${redirecting.port}/live#timeout=4`), { code: "OFFLINE" });
    const producer = await open(`rtspx://127.0.0.1:${redirecting.port}/live#timeout=4`);
    assert.equal(camera.requests.at(-1)!.url, `rtsps://localhost:${camera.port}/other`);
    producer.close();
  },
});
