/** aiortc: ICE, DTLS, SRTP and SDP that were written in Python by others, as viewer and as publisher. */
import assert from "node:assert/strict";
import { aiortcPython, needs, run, start } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { publish, TEST_PICTURE, TONE, X264 } from "./cameras.ts";
import { consumers, probe, startRtcServer } from "./webrtc_peer.ts";

// An offer over HTTP with all candidates in it; the answer is the peer's.
const SIGNALLING = `
import asyncio, sys, urllib.request
from aiortc import RTCPeerConnection, RTCSessionDescription

async def offer(peer, url):
    await peer.setLocalDescription(await peer.createOffer())
    request = urllib.request.Request(url, peer.localDescription.sdp.encode(), {"Content-Type": "application/sdp"})
    answer = await asyncio.to_thread(lambda: urllib.request.urlopen(request).read().decode())
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
`;

const VIEWER = `${SIGNALLING}
async def main(url):
    peer, received = RTCPeerConnection(), asyncio.Queue()
    for kind in ("video", "audio"): peer.addTransceiver(kind, direction="recvonly")
    peer.on("track", received.put_nowait)
    await offer(peer, url)
    async def decode(track):
        for _ in range(40): frame = await asyncio.wait_for(track.recv(), 10)
        print(track.kind, getattr(frame, "width", None) or frame.sample_rate)
    await asyncio.gather(*[decode(await received.get()) for _ in range(2)])
    await peer.close()
asyncio.run(main(sys.argv[1]))
`;

const PUBLISHER = `${SIGNALLING}
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
async def main(url):
    peer = RTCPeerConnection()
    peer.addTrack(AudioStreamTrack()); peer.addTrack(VideoStreamTrack())
    await offer(peer, url)
    await asyncio.Event().wait()
asyncio.run(main(sys.argv[1]))
`;

Deno.test(await needs("aiortc decodes picture and sound over WHEP", "aiortc", "ffmpeg"), async () => {
  await using server = await startRtcServer("streams:\n  cam:\n");
  await using _camera = publish(`rtsp://${server.rtsp}/cam`, {
    input: [...TEST_PICTURE, ...TONE],
    codecs: [...X264, "-c:a", "libopus", "-ar", "48000", "-ac", "2"],
    gop: 15,
  });
  await until(async () => (await server.json<{ producers: unknown[] }>("/api/streams?src=cam")).producers.length > 0);
  const { output } = await run((await aiortcPython())!, ["-c", VIEWER, `http://${server.api}/api/webrtc?src=cam`]);
  assert.match(output, /^video 320$/m);
  assert.match(output, /^audio 48000$/m);
  await until(async () => (await consumers(server, "cam")).length === 0, 5000);
});

Deno.test(await needs("aiortc publishes by WHIP, and ffprobe decodes it over RTSP", "aiortc", "ffmpeg"), async () => {
  await using server = await startRtcServer("streams:\n  phone:\n");
  await using _publisher = start((await aiortcPython())!, [
    ...["-c", PUBLISHER, `http://${server.api}/api/webrtc?dst=phone`],
  ]);
  const frames = await probe(server, "phone");
  assert.ok(frames.h264! >= 40, JSON.stringify(frames));
  assert.ok(frames.opus! >= 100, JSON.stringify(frames));
});
