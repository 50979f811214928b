/** Home Assistant: its Python client, over TCP and over the unix socket that it opens; and a config as people have it. */
import assert from "node:assert/strict";
import { homeAssistantPython, needs, run } from "../support/programs.ts";
import { type Server, startServer, until } from "../support/server.ts";
import { MseClient } from "./mse_client.ts";

/** Makes the client's calls, and prints what came of them. */
const REST = `
import asyncio, json, sys
from aiohttp import BasicAuth, ClientSession, TCPConnector, UnixConnector
from go2rtc_client import Go2RtcRestClient

async def main(url, path, login, source):
    connector = UnixConnector(path=path) if path else TCPConnector()
    auth = BasicAuth(*login.split(":")) if login else None
    async with ClientSession(connector=connector, auth=auth) as session:
        client = Go2RtcRestClient(session, url)
        result = {"version": str(await client.validate_server_version())}
        result["schemes"] = sorted(await client.schemes.list())
        for _ in range(3):
            await client.streams.add("camera.hall", [source, "rtsp://u:p@127.0.0.1:9/live"])
        streams = await client.streams.list()
        result["streams"] = {name: [one.url for one in stream.producers] for name, stream in streams.items()}
        if "preload" in sys.argv[5:]:
            await client.preload.enable("camera.hall", video_codec_filter=["h264"])
            result["preload"] = {name: one.query for name, one in (await client.preload.list()).items()}
            await client.preload.disable("camera.hall")
            result["after"] = sorted(await client.preload.list())
        print(json.dumps(result))

asyncio.run(main(*sys.argv[1:5]))
`;

interface Result {
  readonly version: string;
  readonly schemes: string[];
  readonly streams: Record<string, string[]>;
  readonly preload?: Record<string, string>;
  readonly after?: string[];
}

async function call(...args: string[]): Promise<Result> {
  return JSON.parse(await runClient(REST, args));
}

/** Runs a script in a Python that has Home Assistant's client; answers what it printed. */
async function runClient(script: string, args: readonly string[]): Promise<string> {
  const python = await homeAssistantPython();
  const { code, output } = await run(python!, ["-W", "ignore", "-c", script, ...args]);
  assert.equal(code, 0, output);
  return output;
}

function assertServed({ version, schemes, streams }: Result, source: string): void {
  assert.equal(version, "1.9.14");
  for (const scheme of ["rtsp", "rtsps", "rtspx"]) assert.ok(schemes.includes(scheme), scheme);
  assert.deepEqual(streams["camera.hall"], [source, "rtsp://***@127.0.0.1:9/live"]);
}

async function producerOf(server: Server): Promise<{ readonly id: number }> {
  const { producers } = await server.json<{ producers: { id: number }[] }>("/api/streams?src=camera.hall");
  return producers[0]!;
}

Deno.test({
  ...await needs("Home Assistant's client uses the API, and its repeated PUT disturbs nobody", "go2rtc-client"),
  async fn() {
    await using server = await startServer({ config: 'streams:\n  camera.hall: "demo:"\n' });
    await using viewer = new MseClient(server.api, "src=camera.hall");
    await viewer.more(5);
    const { id } = await producerOf(server);
    const result = await call(`http://${server.api}`, "", "", "demo:", "preload");
    assertServed(result, "demo:");
    assert.deepEqual([result.preload, result.after], [{ "camera.hall": "video&audio" }, []]);
    await viewer.more(5);
    assert.equal((await producerOf(server)).id, id);
  },
});

/** What Home Assistant starts its own server with. */
const MANAGED = (socket: string) => `
app:
  modules: [api, exec, ffmpeg, http, mjpeg, onvif, rtmp, rtsp, srtp, webrtc, ws]
api:
  listen: ""
  unix_listen: "${socket}"
  local_auth: true
  username: hass
  password: secret
  allow_paths: ["/", "/api", "/api/frame.jpeg", "/api/schemes", "/api/streams", "/api/webrtc", "/api/ws"]
exec:
  allow_paths: [ffmpeg]
rtsp:
  listen: "127.0.0.1:0"
webrtc:
  listen: "127.0.0.1:0/tcp"
  ice_servers: []
`;

Deno.test({
  ...await needs("Home Assistant's client logs in over the unix socket of the server that it starts", "go2rtc-client"),
  async fn() {
    const folder = await Deno.makeTempDir();
    const socket = `${folder}/api.sock`;
    {
      await using server = await startServer({ isBare: true, config: MANAGED(socket) });
      // Home Assistant goes on when it reads this.
      const line = await server.line(/INF \[api\] listen addr=/);
      assert.ok(line.endsWith(`addr=${socket}`), line);
      const callAs = (login: string) => call("http://localhost", socket, login, "rtsp://127.0.0.1:9/main");
      const result = await callAs("hass:secret");
      assertServed(result, "rtsp://127.0.0.1:9/main");
      assert.ok(!result.schemes.includes("demo"), "only the listed modules are loaded");
      await assert.rejects(callAs("hass:wrong"), /401/);
      await assert.rejects(callAs(""), /401/);
      const startMs = performance.now();
      assert.equal((await server.stop("SIGTERM")).code, 0);
      assert.ok(performance.now() - startMs < 2000);
    }
    await Deno.remove(folder, { recursive: true });
  },
});

/**
 * What Home Assistant does between a browser and its server: it passes the offer with its own ICE servers, and then
 * candidates in both directions, over one WebSocket for each viewer. The browser is aiortc.
 */
const WEBSOCKET = `
import asyncio, re, sys
from aiohttp import ClientSession
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp
from go2rtc_client.ws import Go2RtcWsClient, WebRTCAnswer, WebRTCCandidate, WebRTCOffer, WsError
from webrtc_models import RTCIceCandidateInit, RTCIceServer

async def main(url, source):
    peer, video = RTCPeerConnection(), asyncio.Future()
    peer.on("track", lambda track: track.kind == "video" and video.set_result(track))
    for kind in ("audio", "video"): peer.addTransceiver(kind, direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    lines = peer.localDescription.sdp.split("\\r\\n")
    own = [line[2:] for line in lines if line.startswith("a=candidate:")]
    offer = "\\r\\n".join(line for line in lines if not re.match("a=(candidate:|end-of-candidates)", line))
    messages = asyncio.Queue()
    async with ClientSession() as session:
        client = Go2RtcWsClient(session, url, source=source)
        client.subscribe(messages.put_nowait)
        servers = [RTCIceServer("stun:127.0.0.1:9"), RTCIceServer(["turn:127.0.0.1:9"], username="u", credential="p")]
        await client.send(WebRTCOffer(offer, servers))
        for candidate in own: await client.send(WebRTCCandidate(candidate))
        told = 0
        async def listen():
            nonlocal told
            while True:
                match await messages.get():
                    case WebRTCAnswer() as answer:
                        assert "a=candidate" not in answer.sdp
                        await peer.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
                    case WebRTCCandidate() as candidate:
                        told += 1
                        init = RTCIceCandidateInit(candidate.candidate)
                        if " udp " in init.candidate:
                            parsed = candidate_from_sdp(init.candidate.split(":", 1)[1])
                            parsed.sdpMLineIndex = init.sdp_m_line_index
                            await peer.addIceCandidate(parsed)
                    case WsError() as error: raise SystemExit(error.error)
        listening = asyncio.create_task(listen())
        track = await asyncio.wait_for(video, 10)
        for _ in range(40): frame = await asyncio.wait_for(track.recv(), 10)
        print("decoded", frame.width, "candidates", told)
        listening.cancel()
        await client.close()
    await peer.close()

asyncio.run(main(*sys.argv[1:]))
`;

Deno.test({
  ...await needs("Home Assistant's client brings a viewer to WebRTC, candidate by candidate", "go2rtc-client"),
  async fn() {
    await using server = await startServer({ config: 'streams:\n  camera.hall: "demo:"\n' });
    const output = await runClient(WEBSOCKET, [`http://${server.api}`, "camera.hall"]);
    assert.match(output, /^decoded 1280 candidates [1-9]/, output);
    await assert.rejects(runClient(WEBSOCKET, [`http://${server.api}`, "camera.none"]), /stream not found/);
  },
});

/** A config that grew over the years. */
const GROWN = `
# cameras of the house
api:
  listen: "127.0.0.1:0"   # the web page
  origin: "*"
rtsp:
  listen: "127.0.0.1:0"
  username: "admin"
  password: "pass"
  default_query: "video=h264&audio"
webrtc:
  listen: "127.0.0.1:0"
  candidates:
    - 192.168.1.10:8555
    - stun:8555
  ice_servers:
    - urls: [stun:stun.l.google.com:19302]
srtp:
  listen: ":8443"
hass:
  config: "/config"
ngrok:
  command: ngrok tcp 8555 --authtoken xxx
ffmpeg:
  bin: ffmpeg
  h264: "-codec:v libx264 -g:v 30 -preset:v superfast -tune:v zerolatency -profile:v main -level:v 4.1"
homekit:
  gate:
    pin: 12345678
    name: Gate
webtorrent:
  shares:
    super-secret-share: {pwd: super-secret-password, src: gate}
log:
  level: info
  api: trace
  streams: error
my_addon: {colour: blue}

streams:
  gate:
    - rtsp://admin:password@127.0.0.1:9/cam/realmonitor?channel=1&subtype=0#backchannel=0
    - "ffmpeg:gate#audio=opus"
  doorbell: rtspx://127.0.0.1:9/fD6ouM72bWoFijxK
  file: ffmpeg:/media/movie.mp4#video=h264
  picam: exec:libcamera-vid -t 0 --inline -o -
  tapo: tapo://cloud-password@127.0.0.1
  snap: http://admin:password@127.0.0.1:9/cgi-bin/snapshot.cgi?channel=1
  pushed:
  template: "ffmpeg:{input}#video=copy"
  demo: "demo:"
publish:
  gate: rtmp://127.0.0.1:9/live/key
preload:
  demo: "video&audio"
`;

Deno.test("A config that was written for go2rtc is loaded as it is, and what is not used is named", async () => {
  await using server = await startServer({ isBare: true, config: GROWN });
  const port = /\[api\] listen addr=127\.0\.0\.1:(\d+)/.exec(server.output())![1];
  const streams = await (await fetch(`http://127.0.0.1:${port}/api/streams`)).json();
  const urls = Object.fromEntries(
    Object.entries(streams).map(([name, stream]) => [
      name,
      (stream as { producers: { url: string }[] }).producers.map(({ url }) => url),
    ]),
  );
  assert.deepEqual(urls, {
    gate: [
      "rtsp://***@127.0.0.1:9/cam/realmonitor?channel=1&subtype=0#backchannel=0",
      "ffmpeg:gate#audio=opus",
    ],
    doorbell: ["rtspx://127.0.0.1:9/fD6ouM72bWoFijxK"],
    file: ["ffmpeg:/media/movie.mp4#video=h264"],
    picam: ["exec:libcamera-vid -t 0 --inline -o -"],
    tapo: ["tapo://***@127.0.0.1"],
    snap: ["http://***@127.0.0.1:9/cgi-bin/snapshot.cgi?channel=1"],
    pushed: [],
    template: [""],
    demo: ["demo:"],
  });
  const written = await Deno.readTextFile(server.configPath);
  assert.equal(written, GROWN);
  const unused = [...server.output().matchAll(/go2rtc\.yaml:(\d+):\d+: section "(\w+)" is not used/g)];
  const sections = GROWN.split("\n").flatMap((line, i) =>
    /^(\w+):/.test(line) ? [[String(i + 1), line.split(":")[0]]] : []
  );
  for (const [, line, name] of unused) {
    assert.ok(sections.some(([at, section]) => at === line && section === name), `${name} is not at line ${line}`);
  }
  const names = unused.map(([, , name]) => name);
  assert.ok(names.includes("my_addon"), server.output());
  for (const own of ["api", "rtsp", "log", "streams", "publish", "preload"]) assert.ok(!names.includes(own), own);
  assert.doesNotMatch(server.output(), /password@|ERR \[config\]/);
  const preload = await until(async () => {
    const list = await (await fetch(`http://127.0.0.1:${port}/api/preload`)).json();
    return "demo" in list && list;
  });
  assert.equal(preload.demo.query, "video&audio");
});
