/** Programs that publish, in each codec; what they sent is decoded on the other side. */
import assert from "node:assert/strict";
import { needs, type Program, run, start } from "../support/programs.ts";
import { freePort, type Server, startServer, until } from "../support/server.ts";
import { publish, TEST_PICTURE, TONE, X264 } from "./cameras.ts";

interface StreamShape {
  readonly producers: readonly {
    readonly protocol?: string;
    readonly medias?: readonly string[];
    readonly bytes_recv?: number;
  }[];
}

async function shapeOf(server: Server, name: string): Promise<StreamShape> {
  return await server.json<StreamShape>(`/api/streams?src=${name}`);
}

async function isLive(server: Server, name: string): Promise<boolean> {
  return ((await shapeOf(server, name)).producers[0]?.bytes_recv ?? 0) > 20_000;
}

/** Plays two seconds, and counts decoded frames by codec. */
async function decoded(url: string): Promise<Record<string, number>> {
  const { code, output } = await run("ffprobe", [
    ...["-v", "error", "-rtsp_transport", "tcp", "-count_frames", "-read_intervals", "%+2"],
    ...["-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0", url],
  ]);
  assert.equal(code, 0, output);
  return Object.fromEntries(
    output.trim().split("\n").map((line) => line.split(",")).map(([name, count]) => [name, Number(count)]),
  );
}

const X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"];
// What RFC 2435 can carry: the standard Huffman tables, one quantization table for each kind of sample.
const MJPEG = ["-c:v", "mjpeg", "-huffman", "0", "-force_duplicated_matrix", "1", "-pix_fmt", "yuvj420p"];

const FFMPEG = [
  { name: "h264", transport: "tcp", codecs: [...X264, "-c:a", "aac"], want: ["h264", "aac"] },
  {
    name: "h265",
    transport: "udp",
    codecs: [...X265, "-x265-params", "log-level=none", "-c:a", "libopus"],
    want: ["hevc", "opus"],
  },
  {
    name: "mjpeg",
    transport: "tcp",
    codecs: [...MJPEG, "-c:a", "pcm_alaw", "-ar", "8000"],
    want: ["mjpeg", "pcm_alaw"],
  },
] as const;

Deno.test({
  ...await needs("ffmpeg publishes H264, H265, MJPEG, AAC, Opus and PCMA over TCP and UDP", "ffmpeg"),
  async fn() {
    await using server = await startServer({ config: "streams: {h264: , h265: , mjpeg: }\n" });
    await using all = new AsyncDisposableStack();
    for (const { name, transport, codecs } of FFMPEG) {
      const input = [...TEST_PICTURE, ...TONE];
      all.use(publish(`rtsp://${server.rtsp}/${name}`, { input, codecs, transport, gop: 15 }));
    }
    await Promise.all(FFMPEG.map(async ({ name, transport, want }) => {
      await until(() => isLive(server, name));
      const counts = await decoded(`rtsp://${server.rtsp}/${name}`);
      assert.deepEqual(Object.keys(counts), want);
      assert.ok(counts[want[0]]! >= 20 && counts[want[1]]! >= 20, JSON.stringify(counts));
      const [producer] = (await shapeOf(server, name)).producers;
      assert.equal(producer!.protocol, `rtsp+${transport}`);
      assert.equal(producer!.medias!.length, 2);
    }));
    assert.doesNotMatch(server.output(), /WRN|ERR/);
  },
});

function gstPublishes(url: string, way: string): Program {
  const picture = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! " +
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! h264parse ! sink.";
  const sound = "audiotestsrc is-live=true ! opusenc ! sink.";
  const sink = `rtspclientsink name=sink protocols=${way} location=${url}`;
  return start("gst-launch-1.0", `-q ${sink} ${picture} ${sound}`.split(" "));
}

Deno.test({
  ...await needs("rtspclientsink publishes over TCP and UDP", "rtspclientsink", "gstreamer", "ffmpeg"),
  async fn() {
    await using server = await startServer({ config: "streams: {tcp: , udp: }\n" });
    await using all = new AsyncDisposableStack();
    await Promise.all(["tcp", "udp"].map(async (way) => {
      const publisher = all.use(gstPublishes(`rtsp://${server.rtsp}/${way}`, way));
      await until(() => isLive(server, way));
      const counts = await decoded(`rtsp://${server.rtsp}/${way}`);
      assert.ok(counts.h264! >= 20 && counts.opus! >= 50, JSON.stringify(counts));
      assert.equal((await shapeOf(server, way)).producers[0]!.protocol, `rtsp+${way}`);
      assert.doesNotMatch(publisher.errors(), /ERROR/);
    }));
  },
});

Deno.test({
  ...await needs("A publisher that is killed and comes back keeps its viewer", "ffmpeg"),
  async fn() {
    await using server = await startServer({ config: "streams:\n  cam:\n" });
    const url = `rtsp://${server.rtsp}/cam`;
    const codecs = [...X264, "-c:a", "aac"];
    const input = [...TEST_PICTURE, ...TONE];
    const first = publish(url, { input, codecs, gop: 15 });
    await until(() => isLive(server, "cam"));
    await using player = start("ffmpeg", [
      ...["-v", "error", "-probesize", "50000", "-rtsp_transport", "tcp", "-i", `${url}?video`, "-vf", "scale=16:8"],
      ...["-pix_fmt", "gray", "-fps_mode", "passthrough", "-flush_packets", "1", "-f", "rawvideo", "-"],
    ]);
    const pictures = player.stdout.getReader();
    const decodes = async (count: number) => {
      for (let bytes = 0; bytes < count * 16 * 8;) {
        const { value } = await pictures.read();
        assert.ok(value, `the player ended: ${player.errors()}`);
        bytes += value.length;
      }
    };
    await decodes(10);
    await first[Symbol.asyncDispose]();
    await using _ = publish(url, { input, codecs, gop: 15 });
    await decodes(45);
    const { consumers } = await server.json<{ consumers: unknown[] }>("/api/streams?src=cam");
    assert.equal(consumers.length, 1);
    await pictures.cancel();
  },
});

Deno.test({
  ...await needs("A stream is pushed to another RTSP server, again when that comes back", "ffmpeg"),
  async fn() {
    const target = () => startServer({ rtspPort: port, config: "streams: {copy: }\n" });
    const port = freePort();
    await using source = await startServer({
      config: `streams: {yard: "demo:"}\npublish: {yard: "rtsp://127.0.0.1:${port}/copy"}\n`,
    });
    await source.line(/WRN .*publishing stopped, trying again .*cannot be reached/);
    for (let round = 0; round < 2; round++) {
      await using server = await target();
      await until(() => isLive(server, "copy"), 30_000);
      const frames = await decoded(`rtsp://${server.rtsp}/copy`);
      assert.ok(frames.h264! > 20 && frames.aac! > 40, JSON.stringify(frames));
    }
  },
});
