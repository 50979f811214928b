/** A camera that nobody here wrote, played by programs that nobody here wrote. A picture counts when it was decoded. */
import assert from "node:assert/strict";
import { ALL_FORMATS, FilePathSource, Input } from "mediabunny";
import { needs, run } from "../support/programs.ts";
import { type Server, startServer } from "../support/server.ts";
import { gstCamera, gstPicture } from "./cameras.ts";
import { vlcPlays } from "./vlc.ts";
import { BROWSER_TEST, chromium, PlayerPage } from "./page.ts";

/** What ffprobe decodes of some seconds: codec, size and frames of each track. */
async function probe(url: string, ...input: readonly string[]): Promise<Record<string, string>[]> {
  const { code, output } = await run("ffprobe", [
    ...["-v", "error", ...input, "-count_frames", "-read_intervals", "%+2"],
    ...["-show_entries", "stream=codec_name,width,height,start_time,nb_read_frames", "-of", "compact", url],
  ]);
  assert.equal(code, 0, output);
  assert.doesNotMatch(output, /error|corrupt|missed/i);
  return output.split("\n").filter((line) => line.startsWith("stream|")).map((line) =>
    Object.fromEntries(line.split("|").slice(1).map((field) => field.split("=")))
  );
}

function assertDecoded(tracks: readonly Record<string, string>[], sound: string): void {
  const [video, audio] = tracks;
  const text = JSON.stringify(tracks);
  assert.deepEqual([video?.codec_name, video?.width, video?.height], ["h264", "320", "240"], text);
  assert.equal(audio?.codec_name, sound, text);
  assert.ok(Number(video?.nb_read_frames) >= 30, text);
  assert.ok(Number(audio?.nb_read_frames) >= 30, text);
  const apart = Math.abs(Number(video?.start_time) - Number(audio?.start_time));
  assert.ok(apart < 0.5, `sound and picture begin ${apart} s apart`);
}

const CAMERA = `( ${gstPicture({ width: 320, height: 240 })} ! rtph264pay name=pay0 pt=96 ` +
  `audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! rtpmp4gpay name=pay1 pt=97 )`;

async function gstPlays(url: string, way: "tcp" | "udp"): Promise<void> {
  const source = ["rtspsrc", `location=${url}`, `protocols=${way}`, "latency=100"];
  const decoder = ["!", "rtph264depay", "!", "h264parse", "!", "avdec_h264", "!", "fakesink", "num-buffers=40"];
  const { output } = await run("gst-launch-1.0", [...source, ...decoder], { limitS: 15 });
  // It comes only when so many pictures were decoded. Behind it rtspsrc may fail at its own PAUSE (a race of its own).
  assert.match(output, /Got EOS from element/);
}

async function withFile(url: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".mp4" });
  try {
    const response = await fetch(url);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type")!, /^video\/mp4; codecs="avc1\.\w{6},mp4a\.40\.2"$/);
    await Deno.writeFile(path, response.body!);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

/** The file as mediabunny reads it: tracks, and times of pictures. */
async function checkWithMediabunny(path: string): Promise<void> {
  using input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  assert.equal(await input.getMimeType().then((type) => type.split(";")[0]), "video/mp4");
  const video = await input.getPrimaryVideoTrack();
  const audio = await input.getPrimaryAudioTrack();
  assert.deepEqual([video?.codec, video?.codedWidth, video?.codedHeight], ["avc", 320, 240]);
  assert.deepEqual([audio?.codec, audio?.sampleRate, audio?.numberOfChannels], ["aac", 48000, 2]);
  assert.ok((await video!.computeDuration()) > 1.5);
  const { packetCount, averagePacketRate } = await video!.computePacketStats();
  assert.ok(
    packetCount > 35 && Math.abs(averagePacketRate - 25) < 1,
    `${packetCount} at ${averagePacketRate} a second`,
  );
}

const hasGstreamer = !(await needs("", "gstreamer")).ignore;

Deno.test({
  ...await needs("A camera with Digest over UDP is played by everything at once", "gst-rtsp-server", "ffmpeg"),
  async fn() {
    await using camera = await gstCamera(CAMERA, { hasLogin: true });
    await using server = await startServer({ config: `streams:\n  cam: "${camera.url}#transport=udp"\n` });
    const rtsp = `rtsp://${server.rtsp}/cam`;
    const overRtsp = (["tcp", "udp"] as const).flatMap((way) => [
      probe(rtsp, "-rtsp_transport", way).then((tracks) => assertDecoded(tracks, "aac")),
      ...(hasGstreamer ? [gstPlays(`${rtsp}?video`, way)] : []),
    ]);
    const asFile = withFile(`http://${server.api}/api/stream.mp4?src=cam&duration=3`, async (path) => {
      assertDecoded(await probe(path), "aac");
      await checkWithMediabunny(path);
    });
    await Promise.all([...overRtsp, asFile]);
    const { cam } = await server.json<Record<string, { producers: Record<string, unknown>[] }>>("/api/streams");
    const [producer] = cam!.producers;
    assert.equal(producer!.protocol, "rtsp+udp");
    assert.match(String(producer!.url), /^rtsp:\/\/\*\*\*@127\.0\.0\.1:\d+\/cam$/);
    assert.doesNotMatch(server.output(), /p@ss|p%40ss|WRN|ERR/);
  },
});

Deno.test({
  ...await needs("A camera is shown by Chromium, with its sound", "gst-rtsp-server", "chromium"),
  ...BROWSER_TEST,
  async fn() {
    await using camera = await gstCamera(CAMERA, { hasLogin: true });
    await using server = await startServer({ config: `streams:\n  cam: "${camera.url}"\n` });
    await using one = await chromium();
    const player = await PlayerPage.open(one.browser, `http://${server.api}/stream.html?src=cam&mode=mse`);
    await player.until("p.stats.decoded > 50 && p.video.currentTime > 1");
    const { mode, codecs, width } = await player.stats();
    assert.deepEqual([mode, width], ["mse", 320]);
    assert.match(codecs, /avc1\.\w{6},mp4a\.40\.2/);
    const soundBytes = await player.page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount");
    assert.ok(Number(soundBytes) > 1000, `${soundBytes} bytes of sound were decoded`);
    assert.deepEqual(player.faults, []);
    // A reload within the linger time has its picture before another keyframe could come.
    await player.page.reload();
    await player.until("globalThis.shown.length > 0");
    const [first] = await player.pictures();
    assert.ok(first!.atMs < 600, `the picture came back after ${first!.atMs} ms`);
  },
});

/** Two seconds of decoded pictures; answers how the server sent them. */
async function assertVlcPlays(server: Server, url: string, ...options: readonly string[]): Promise<unknown> {
  await using vlc = await vlcPlays(url, ...options);
  const wanted = 50 * 320 * 240 * 1.5;
  let bytes = 0;
  for await (const chunk of vlc.pictures) {
    bytes += chunk.length;
    if (bytes > wanted) break;
  }
  assert.ok(bytes > wanted, `${bytes} bytes of pictures: ${vlc.errors()}`);
  const { consumers } = await server.json<{ consumers: { protocol: string }[] }>("/api/streams?src=cam");
  return consumers.map(({ protocol }) => protocol);
}

Deno.test({
  ...await needs("VLC plays a camera as MP4", "gst-rtsp-server", "vlc"),
  async fn() {
    await using camera = await gstCamera(CAMERA);
    await using server = await startServer({ config: `streams:\n  cam: "${camera.url}"\n` });
    assert.deepEqual(await assertVlcPlays(server, `http://${server.api}/api/stream.mp4?src=cam`), ["http"]);
  },
});

Deno.test({
  ...await needs("VLC plays a camera over RTSP, UDP and TCP", "gst-rtsp-server", "vlc with RTSP"),
  async fn() {
    await using camera = await gstCamera(CAMERA);
    await using server = await startServer({ config: `streams:\n  cam: "${camera.url}"\n` });
    const url = `rtsp://${server.rtsp}/cam`;
    assert.deepEqual(await assertVlcPlays(server, url), ["rtsp+udp"]);
    assert.deepEqual(await assertVlcPlays(server, url, "--rtsp-tcp"), ["rtsp+tcp"]);
  },
});
