import assert from "node:assert/strict";
import { gstWebRtcPython, needs, run, start } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { publish, TEST_PICTURE, TONE, X264 } from "./cameras.ts";
import { probe, startRtcServer } from "./webrtc_peer.ts";

// Offers over HTTP, with all candidates in the offer, and takes the answer.
const SIGNALLING = `
import gi, sys, urllib.request
gi.require_version("Gst", "1.0"); gi.require_version("GstWebRTC", "1.0"); gi.require_version("GstSdp", "1.0")
from gi.repository import Gst, GstWebRTC, GstSdp, GLib
Gst.init(None)
def connect(peer, url):
    def gathered(*_):
        if peer.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE: return
        sdp = peer.get_property("local-description").sdp.as_text().encode()
        answer = urllib.request.urlopen(urllib.request.Request(url, sdp, {"Content-Type": "application/sdp"})).read()
        _, message = GstSdp.SDPMessage.new(); GstSdp.sdp_message_parse_buffer(answer, message)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        peer.emit("set-remote-description", description, Gst.Promise.new())
    def offered(promise, *_):
        global reply; promise.wait(); reply = promise.get_reply()
        peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())
    def negotiate(_): peer.emit("create-offer", None, Gst.Promise.new_with_change_func(offered))
    peer.connect("notify::ice-gathering-state", gathered); peer.connect("on-negotiation-needed", negotiate)
`;

// Watches over WHEP until both tracks have been decoded; prints how many buffers came of each.
const WATCHER = `${SIGNALLING}
loop = GLib.MainLoop(); pipeline = Gst.Pipeline.new("p"); counts = {}
peer = Gst.ElementFactory.make("webrtcbin", "peer"); peer.set_property("bundle-policy", 3); pipeline.add(peer)
def decoded(_, pad):
    kind = pad.get_current_caps().get_structure(0).get_name(); counts[kind] = 0
    sink = Gst.ElementFactory.make("fakesink"); sink.set_property("signal-handoffs", True); sink.set_property("sync", False)
    def count(*_):
        counts[kind] += 1
        if len(counts) == 2 and all(n >= 30 for n in counts.values()): loop.quit()
    sink.connect("handoff", count); pipeline.add(sink); sink.sync_state_with_parent(); pad.link(sink.get_static_pad("sink"))
def received(_, pad):
    decoder = Gst.ElementFactory.make("decodebin"); decoder.connect("pad-added", decoded)
    pipeline.add(decoder); decoder.sync_state_with_parent(); pad.link(decoder.get_static_pad("sink"))
peer.connect("pad-added", received); connect(peer, sys.argv[1])
RTP = "application/x-rtp,payload=%d,media=%s,encoding-name=%s,clock-rate=%d"
for caps in (RTP % (96, "video", "H264", 90000) + ",packetization-mode=(string)1,rtcp-fb-nack-pli=true",
             RTP % (97, "audio", "OPUS", 48000) + ",encoding-params=(string)2"):
    peer.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps))
pipeline.set_state(Gst.State.PLAYING); GLib.timeout_add_seconds(15, loop.quit); loop.run()
print(peer.get_property("connection-state").value_nick, counts)
`;

const PUBLISHER = `${SIGNALLING}
pipeline = Gst.parse_launch("""webrtcbin name=peer bundle-policy=max-bundle
    videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 !
    x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! video/x-h264,profile=constrained-baseline !
    rtph264pay config-interval=-1 ! application/x-rtp,media=video,encoding-name=H264,payload=96 ! peer.
    audiotestsrc is-live=true ! audioconvert ! opusenc ! rtpopuspay !
    application/x-rtp,media=audio,encoding-name=OPUS,payload=97,encoding-params=(string)2 ! peer.""")
connect(pipeline.get_by_name("peer"), sys.argv[1])
pipeline.set_state(Gst.State.PLAYING); GLib.MainLoop().run()
`;

Deno.test(await needs("GStreamer plays over WHEP with picture and sound", "webrtcbin", "ffmpeg"), async () => {
  await using server = await startRtcServer("streams:\n  cam:\n");
  await using _camera = publish(`rtsp://${server.rtsp}/cam`, {
    input: [...TEST_PICTURE, ...TONE],
    codecs: [...X264, "-c:a", "libopus", "-ac", "2"],
    gop: 15,
  });
  await until(async () => (await server.json<{ producers: unknown[] }>("/api/streams?src=cam")).producers.length > 0);
  const python = await gstWebRtcPython();
  const { output } = await run(python!, ["-c", WATCHER, `http://${server.api}/api/webrtc?src=cam`]);
  assert.match(output, /connected \{(?=.*'video\/x-raw': [3-9]\d)(?=.*'audio\/x-raw': \d\d)/, output);
});

Deno.test(
  await needs("GStreamer publishes by WHIP, and ffprobe decodes it over RTSP", "webrtcbin", "ffmpeg"),
  async () => {
    await using server = await startRtcServer("streams:\n  phone:\n");
    const python = await gstWebRtcPython();
    const args = ["-c", PUBLISHER, `http://${server.api}/api/webrtc?dst=phone`];
    await using publisher = start(python!, args);
    const frames = await probe(server, "phone");
    assert.ok(frames.h264! >= 60 && frames.opus! >= 100, `${JSON.stringify(frames)} ${publisher.errors()}`);
  },
);
