import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import { codec } from "../media/codec.ts";
import { Units } from "../media/frame.ts";
import { Track } from "../media/track.ts";
import { codecJson } from "./json.ts";
import { aac, Bench, FakeConsumer, FakeProducer, gives, h264, opus, pcma, pcmu, takes, turn } from "./testing.ts";
import type { Json } from "./types.ts";

const SPS = Uint8Array.fromHex("67640029acd9405005bb011000000300100000030300f1831960");
const PPS = Uint8Array.fromHex("68ebe3cb22c0");

/** Numbers everything anew by its first appearance, and leaves out the times of the timeline. */
function normalize(value: Json | undefined): unknown {
  const numbers = new Map<number, number>();
  const renumber = (id: number) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size + 1);
    return numbers.get(id)!;
  };
  return JSON.parse(JSON.stringify(value), (key, value) => {
    if (key === "id" || key === "parent") return renumber(value);
    if (key === "childs") return value.map(renumber);
    if (key === "timeline") return value.map(({ state }: { state: string }) => state);
    return value;
  });
}

function keysOf(value: Json | undefined): string[] {
  return Object.keys(value as Readonly<Record<string, Json>>);
}

Deno.test("streamJson() has the shape of the contract's example", async () => {
  const bench = new Bench();
  const url = "rtsp://admin:secret@192.168.1.123/cam/realmonitor?channel=1&subtype=0";
  const main = new FakeProducer(
    bench.clock,
    [gives(codec("H264", { parameterSets: [SPS, PPS] })), gives(aac), takes(pcma)],
    {
      formatName: "rtsp",
      protocol: "rtsp+tcp",
      remoteAddr: "192.168.1.123:554",
      url,
      sdp: "v=0\r\ns=Media Server\r\n",
      userAgent: "go2rtc/1.9.14",
      bytesReceived: 5981120,
    },
  );
  const sound = new FakeProducer(bench.clock, [gives(opus)], {
    formatName: "rtsp",
    protocol: "rtsp+tcp",
    remoteAddr: "127.0.0.1:53634 forwarded 127.0.0.1:8554",
    source: "exec:ffmpeg -i rtsp://admin:secret@192.168.1.123/cam",
  });
  bench.registry.answer("fake:main", () => main);
  bench.registry.answer("fake:sound", () => sound);
  bench.streams.configure({ streams: { camera1: ["fake:main", "fake:sound", "fake:idle"] } });
  const stream = bench.streams.get("camera1", systemPrincipal)!;

  const browser = new FakeConsumer(takes(codec("VP8"), h264), gives(opus, pcma), takes(opus));
  browser.info = {
    formatName: "webrtc",
    protocol: "ws+udp",
    remoteAddr: "192.168.1.50:51234 prflx",
    userAgent: "Mozilla/5.0",
    bytesReceived: 42000,
    start: "now",
  };
  let microphone: Track | undefined;
  browser.microphone = (_media, codec) => microphone = new Track(0, codec);
  browser.sent = (track) => ({ bytes: track.bytes, packets: track.frames, drops: track.kind === "audio" ? 2 : 0 });
  using _ = await stream.attach(browser, systemPrincipal);
  const mse = new FakeConsumer(takes(h264), takes(aac));
  mse.info = { formatName: "mse/fmp4", protocol: "ws", bytesSent: 931000, skips: 3 };
  using __ = await stream.attach(mse, systemPrincipal);
  await turn();
  main.feed(1000);
  sound.feed(200);
  microphone!.append({ payload: new Units([new Uint8Array(160)]), pts: 0, isKeyframe: true });

  const json = bench.streams.control.describe("camera1", systemPrincipal)!;
  const high = { codec_name: "h264", codec_type: "video", level: 41, profile: "High" };
  const alaw = { codec_name: "pcm_alaw", codec_type: "audio", sample_rate: 8000 };
  const mono = { codec_name: "aac", codec_type: "audio", sample_rate: 16000 };
  const stereo = { channels: 2, codec_name: "opus", codec_type: "audio", sample_rate: 48000 };
  assert.deepEqual(normalize(json as unknown as Json), {
    producers: [
      {
        id: 1,
        format_name: "rtsp",
        protocol: "rtsp+tcp",
        remote_addr: "192.168.1.123:554",
        url: "rtsp://***@192.168.1.123/cam/realmonitor?channel=1&subtype=0",
        sdp: "v=0\r\ns=Media Server\r\n",
        user_agent: "go2rtc/1.9.14",
        medias: ["video, recvonly, H264", "audio, recvonly, MPEG4-GENERIC/16000", "audio, sendonly, PCMA/8000"],
        receivers: [
          { id: 2, codec: high, childs: [3, 4], bytes: 1000, packets: 1 },
          { id: 5, codec: mono, childs: [6], bytes: 1000, packets: 1 },
        ],
        senders: [{ id: 7, codec: alaw, parent: 8, bytes: 160, packets: 1 }],
        bytes_recv: 5981120,
        bytes_send: 160,
        state: "live",
        timeline: ["connecting", "live"],
      },
      {
        id: 9,
        format_name: "rtsp",
        protocol: "rtsp+tcp",
        remote_addr: "127.0.0.1:53634 forwarded 127.0.0.1:8554",
        source: "exec:ffmpeg -i rtsp://***@192.168.1.123/cam",
        url: "fake:sound",
        medias: ["audio, recvonly, OPUS/48000/2"],
        receivers: [{ id: 10, codec: stereo, childs: [11], bytes: 200, packets: 1 }],
        bytes_recv: 200,
        state: "live",
        timeline: ["connecting", "live"],
      },
      { url: "fake:idle", state: "idle" },
    ],
    consumers: [
      {
        id: 12,
        format_name: "webrtc",
        protocol: "ws+udp",
        remote_addr: "192.168.1.50:51234 prflx",
        user_agent: "Mozilla/5.0",
        medias: [
          "video, sendonly, VP8, H264",
          "audio, recvonly, OPUS/48000/2, PCMA/8000",
          "audio, sendonly, OPUS/48000/2",
        ],
        receivers: [{ id: 8, codec: alaw, childs: [7], bytes: 160, packets: 1 }],
        senders: [
          { id: 3, codec: high, parent: 2, bytes: 1000, packets: 1 },
          { id: 11, codec: stereo, parent: 10, bytes: 200, packets: 1, drops: 2 },
        ],
        bytes_recv: 42000,
        bytes_send: 1200,
        start: "now",
      },
      {
        id: 13,
        format_name: "mse/fmp4",
        protocol: "ws",
        medias: ["video, sendonly, H264", "audio, sendonly, MPEG4-GENERIC/16000"],
        senders: [{ id: 4, codec: high, parent: 2 }, { id: 6, codec: mono, parent: 5 }],
        bytes_send: 931000,
        skips: 3,
      },
    ],
  });
  await bench.streams.close();
  microphone!.close();
});

Deno.test("streamJson() keeps the contract's order of keys", async () => {
  const bench = new Bench();
  const info = {
    formatName: "rtsp",
    protocol: "rtsp+tcp",
    remoteAddr: "1.2.3.4:554",
    source: "x",
    url: "rtsp://cam",
    sdp: "v=0",
    userAgent: "ua",
    bytesReceived: 1,
    bytesSent: 2,
  };
  const producer = new FakeProducer(bench.clock, [gives(h264), takes(pcma)], info);
  bench.registry.answer("fake:a", () => producer);
  bench.streams.configure({ streams: { cam: "fake:a" } });
  const consumer = new FakeConsumer(gives(pcma), takes(h264));
  consumer.info = { ...info, start: "live", skips: 1 };
  const microphone = new Track(0, pcma);
  consumer.microphone = () => microphone;
  consumer.sent = () => ({ bytes: 1, packets: 2, drops: 3 });
  using _ = await bench.streams.get("cam", systemPrincipal)!.attach(consumer, systemPrincipal);
  await turn();
  producer.feed();
  const { producers, consumers } = bench.streams.control.describe("cam", systemPrincipal)!;
  const shared = [
    ...["id", "format_name", "protocol", "remote_addr", "source", "url", "sdp", "user_agent"],
    ...["medias", "receivers", "senders", "bytes_recv", "bytes_send"],
  ];
  assert.deepEqual(keysOf(producers[0]), [...shared, "state", "timeline"]);
  assert.deepEqual(keysOf(consumers[0]), [...shared, "start", "skips"]);
  const receivers = producers[0]!.receivers as Json[];
  assert.deepEqual(keysOf(receivers[0]), ["id", "codec", "childs", "bytes", "packets"]);
  const senders = consumers[0]!.senders as Json[];
  assert.deepEqual(keysOf(senders[0]), ["id", "codec", "parent", "bytes", "packets", "drops"]);
  await bench.streams.close();
  microphone.close();
});

Deno.test("streamJson() always gives lists, and each producer a url", async () => {
  const bench = new Bench();
  bench.registry.answer("fake:down", () => new Error("no route to rtsp://me:secret@host"));
  bench.streams.configure({ streams: { empty: null, cam: ["fake:{input}", "fake:down"] } });
  const { control } = bench.streams;
  assert.deepEqual(control.describe("empty", systemPrincipal), { producers: [], consumers: [] });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  await assert.rejects(stream.attach(new FakeConsumer(takes(h264)), systemPrincipal));
  const controller = new AbortController();
  const pushed = stream.publish(new FakeProducer(bench.clock, [gives(pcmu)]), systemPrincipal, controller.signal);
  await turn();
  const { producers } = control.describe("cam", systemPrincipal)!;
  assert.deepEqual(producers.map(({ url }) => url), ["", "fake:down", ""]);
  assert.equal(producers[1]!.state, "offline");
  assert.equal(producers[1]!.cause, "no route to rtsp://***@host");
  assert.equal(producers[2]!.format_name, "fake");
  await bench.streams.close();
  await pushed;
});

Deno.test("codecJson() uses ffmpeg's names, and leaves out what says nothing", () => {
  const names = ["H265", "JPEG", "PCMU", "L16", "PCML", "ELD", "FLAC", "MPA", "VP9", "AV1", "RAW", "G722"];
  assert.deepEqual(names.map((name) => codecJson(codec(name)).codec_name), [
    ...["hevc", "mjpeg", "pcm_mulaw", "pcm_s16be", "pcm_s16le", "aac/eld", "flac", "mp3", "vp9", "av1", "rawvideo"],
    "G722",
  ]);
  assert.deepEqual(codecJson(h264), { codec_name: "h264", codec_type: "video" });
  assert.deepEqual(codecJson({ ...h264, parameterSets: [Uint8Array.of(0x67)] }), {
    codec_name: "h264",
    codec_type: "video",
  });
});
