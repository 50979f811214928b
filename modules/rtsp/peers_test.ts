/** Real programs as players, publishers and cameras. A picture counts when it was decoded. */
import assert from "node:assert/strict";
import { systemPrincipal } from "../../core/mod.ts";
import { needs } from "../../tests/support/programs.ts";
import { TestServer } from "./testing.ts";

interface Result {
  readonly code: number;
  readonly output: string;
}

async function run(command: string, args: readonly string[], limitS = 25): Promise<Result> {
  const all = ["-k", "2", String(limitS), command, ...args];
  const { code, stdout, stderr } = await new Deno.Command("timeout", { args: all }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** A program that runs until it is disposed of. */
function start(command: string, args: readonly string[]) {
  const child = new Deno.Command(command, { args: [...args], stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  return {
    child,
    async [Symbol.asyncDispose]() {
      await child.stdout.cancel();
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
    },
  };
}

const PICTURE = ["-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15"];
const SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];

function publish(url: string, transport: string, codecs: readonly string[]) {
  const encoding = [...PICTURE, ...SOUND, "-g", "15", "-pix_fmt", "yuv420p", ...codecs];
  return start("ffmpeg", ["-v", "error", ...encoding, "-f", "rtsp", "-rtsp_transport", transport, url]);
}

const X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"];

/** What ffprobe decodes of two seconds: codec, size and frames of each track, and when each begins. */
async function probe(url: string, transport: string): Promise<Record<string, string>[]> {
  const { code, output } = await run("ffprobe", [
    ...["-v", "error", "-rtsp_transport", transport, "-count_frames", "-read_intervals", "%+2"],
    ...["-show_entries", "stream=codec_name,width,height,start_time,nb_read_frames", "-of", "compact", url],
  ]);
  assert.equal(code, 0, output);
  return output.split("\n").filter((line) => line.startsWith("stream|")).map((line) =>
    Object.fromEntries(line.split("|").slice(1).map((field) => field.split("=")))
  );
}

const PUBLISHERS = [
  { name: "H264 and AAC over TCP", transport: "tcp", codecs: [...X264, "-c:a", "aac"], want: ["h264", "aac"] },
  { name: "H264 and Opus over UDP", transport: "udp", codecs: [...X264, "-c:a", "libopus"], want: ["h264", "opus"] },
  {
    name: "H265 and PCMA over UDP",
    transport: "udp",
    codecs: ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params", "log-level=none"]
      .concat("-c:a", "pcm_alaw", "-ar", "8000"),
    want: ["hevc", "pcm_alaw"],
  },
  {
    name: "MJPEG and AAC over TCP",
    transport: "tcp",
    // What RFC 2435 can carry: the standard Huffman tables, two quantization tables.
    codecs: ["-c:v", "mjpeg", "-huffman", "0", "-force_duplicated_matrix", "1", "-pix_fmt", "yuvj420p", "-c:a", "aac"],
    want: ["mjpeg", "aac"],
  },
] as const;

for (const { name, transport, codecs, want } of PUBLISHERS) {
  Deno.test({
    ...await needs(`ffmpeg publishes ${name}, ffprobe plays it over TCP and UDP`, "ffmpeg"),
    async fn() {
      await using server = await TestServer.start({ streams: { cam: null } });
      await using _ = publish(server.url("cam"), transport, codecs);
      await server.live("cam");
      const producer = server.streams.control.describe("cam", systemPrincipal)!.producers[0]!;
      assert.equal(producer.protocol, `rtsp+${transport}`);
      const results = await Promise.all(["tcp", "udp"].map((way) => probe(server.url("cam"), way)));
      for (const [video, audio] of results) {
        assert.deepEqual([video!.codec_name, audio!.codec_name], want);
        assert.deepEqual([video!.width, video!.height], ["320", "240"]);
        assert.ok(Number(video!.nb_read_frames) >= 20, JSON.stringify(video));
        assert.ok(Number(audio!.nb_read_frames) >= 10, JSON.stringify(audio));
        const apart = Math.abs(Number(video!.start_time) - Number(audio!.start_time));
        assert.ok(apart < 0.5, `sound and picture begin ${apart} s apart`);
      }
    },
  });
}

Deno.test({
  ...await needs("ffmpeg records a copy with true times and no gaps", "ffmpeg"),
  async fn() {
    await using server = await TestServer.start({ streams: { cam: null } });
    await using _ = publish(server.url("cam"), "tcp", [...X264, "-c:a", "aac"]);
    await server.live("cam");
    const file = await Deno.makeTempFile({ suffix: ".mp4" });
    try {
      const input = ["-v", "warning", "-y", "-rtsp_transport", "tcp", "-i", server.url("cam?mp4")];
      const { code, output } = await run("ffmpeg", [...input, "-t", "3", "-c", "copy", file]);
      assert.equal(code, 0, output);
      assert.doesNotMatch(output, /missed|non-monoton|corrupt|error/i);
      const shown = ["-show_entries", "packet=pts_time", "-select_streams", "v", "-of", "csv=p=0", file];
      const { output: list } = await run("ffprobe", ["-v", "error", ...shown]);
      const times = list.trim().split("\n").map(Number).sort((a, b) => a - b);
      assert.ok(times.length >= 40, String(times.length));
      // ffmpeg does not know the time of a first picture that has more than four packets, and guesses.
      const steps = times.slice(2).map((time, i) => time - times[i + 1]!);
      assert.ok(steps.every((step) => Math.abs(step - 1 / 15) < 0.02), String(Math.max(...steps)));
    } finally {
      await Deno.remove(file);
    }
  },
});

const DECODE = ["!", "rtph264depay", "!", "h264parse", "!", "avdec_h264", "!", "fakesink", "num-buffers=20"];

for (const way of ["tcp", "udp"]) {
  Deno.test({
    ...await needs(`GStreamer publishes and plays over ${way}`, "gstreamer", "ffmpeg"),
    async fn() {
      await using server = await TestServer.start({ streams: { cam: null } });
      const picture = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1";
      const encoder = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15";
      const sink = `rtspclientsink protocols=${way} location=${server.url("cam")}`;
      await using _ = start("gst-launch-1.0", `-q ${picture} ! ${encoder} ! ${sink}`.split(" "));
      await server.live("cam");
      const source = ["rtspsrc", `location=${server.url("cam?video")}`, `protocols=${way}`, "latency=100"];
      const { output } = await run("gst-launch-1.0", [...source, ...DECODE]);
      // It comes only when so many pictures were decoded. Behind it rtspsrc may fail at its own PAUSE (a race of its own).
      assert.match(output, /Got EOS from element/);
    },
  });
}

const CAMERA = `
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0"); gi.require_version("GstRtsp", "1.0")
from gi.repository import Gst, GstRtspServer, GstRtsp, GLib
Gst.init(None)
server = GstRtspServer.RTSPServer(); server.set_service("0"); server.set_address("127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory(); factory.set_shared(True); factory.set_launch(sys.argv[1])
permissions = GstRtspServer.RTSPPermissions(); permissions.add_role("user")
for right in ("access", "construct"):
    permissions.add_permission_for_role("user", "media.factory." + right, True)
factory.set_permissions(permissions)
token = GstRtspServer.RTSPToken(); token.set_string("media.factory.role", "user")
auth = GstRtspServer.RTSPAuth(); auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
auth.add_digest("admin", "p@ss", token)
server.set_auth(auth); server.get_mount_points().add_factory("/cam", factory); server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
`;

/** The Python that has GStreamer's bindings: Debian's own, whatever else is in front of it. */
async function findPython(): Promise<string | undefined> {
  const look = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer";
  for (const python of ["/usr/bin/python3", "python3"]) {
    try {
      const { success } = await new Deno.Command(python, { args: ["-c", look], stdout: "null", stderr: "null" })
        .output();
      if (success) return python;
    } catch {
      // No such program: the next one.
    }
  }
  return undefined;
}

const python = await findPython();

async function camera(launch: string): Promise<{ port: string } & AsyncDisposable> {
  const program = new Deno.Command(python!, { args: ["-c", CAMERA, launch], stdout: "piped", stderr: "null" }).spawn();
  const reader = program.stdout.getReader();
  const { value } = await reader.read();
  return {
    port: new TextDecoder().decode(value).trim(),
    async [Symbol.asyncDispose]() {
      program.kill("SIGKILL");
      await reader.cancel();
      await program.status;
    },
  };
}

const GST_PICTURE = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! " +
  "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15";
const GST_LAUNCH = {
  rtp: `( ${GST_PICTURE} ! rtph264pay name=pay0 pt=96 audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 )`,
  ts: `( ${GST_PICTURE} ! mpegtsmux name=mux alignment=7 ! rtpmp2tpay name=pay0 ` +
    `audiotestsrc is-live=true ! voaacenc ! aacparse ! mux. )`,
};

const CAMERAS = [
  { name: "over TCP", launch: GST_LAUNCH.rtp, options: "", audio: "pcm_alaw" },
  { name: "over UDP", launch: GST_LAUNCH.rtp, options: "#transport=udp", audio: "pcm_alaw" },
  { name: "with a transport stream over TCP", launch: GST_LAUNCH.ts, options: "", audio: "aac" },
  { name: "with a transport stream over UDP", launch: GST_LAUNCH.ts, options: "#transport=udp", audio: "aac" },
];

const withFfmpeg = await needs("", "ffmpeg");
for (const { name, launch, options, audio } of CAMERAS) {
  Deno.test({
    name: `A GStreamer camera with Digest ${name} is played`,
    ignore: withFfmpeg.ignore || !python,
    async fn() {
      await using cam = await camera(launch);
      const source = `rtsp://admin:p%40ss@127.0.0.1:${cam.port}/cam${options}`;
      await using server = await TestServer.start({ streams: { cam: source } });
      const [video, sound] = await probe(server.url("cam"), "tcp");
      assert.deepEqual([video!.codec_name, video!.width, sound!.codec_name], ["h264", "320", audio]);
      assert.ok(Number(video!.nb_read_frames) >= 20, JSON.stringify(video));
      const [producer] = server.streams.control.describe("cam", systemPrincipal)!.producers;
      assert.equal(producer!.protocol, options === "" ? "rtsp+tcp" : "rtsp+udp");
      assert.ok(Number(producer!.bytes_recv) > 10_000);
    },
  });
}

Deno.test({
  ...await needs("ffmpeg logs in with Digest and with Basic, and is told of a wrong password", "ffmpeg"),
  async fn() {
    await using server = await TestServer.start({
      streams: { cam: null },
      config: { username: "u", password: "p" },
      identify: (_peer, login) => login?.username === "u" && login.password === "p" ? systemPrincipal : undefined,
    });
    const url = (login: string) => server.url("cam").replace("://", `://${login}@`);
    await using _ = publish(url("u:p"), "tcp", [...X264, "-c:a", "aac"]);
    await server.live("cam");
    const [video] = await probe(url("u:p"), "tcp");
    assert.ok(Number(video!.nb_read_frames) >= 20);
    const { code, output } = await run("ffprobe", ["-v", "error", url("u:wrong")]);
    assert.notEqual(code, 0);
    assert.match(output, /401 Unauthorized/);
  },
});
