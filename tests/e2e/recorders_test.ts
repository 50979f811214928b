/** Recorders and transcoders of a camera that does not say its frame rate: what each start promises them. */
import assert from "node:assert/strict";
import { parseAvcConfig, parseH264Sps, readFmp4 } from "../../core/mod.ts";
import { needs, run } from "../support/programs.ts";
import { startServer, until } from "../support/server.ts";
import { gstCamera, publish, TEST_PICTURE } from "./cameras.ts";
import { MseClient } from "./mse_client.ts";

const GOP = 50;
const SECONDS = 7;
/** GStreamer's x264 writes the frame rate into the SPS, this encoder does not. */
const CAMERA = "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1 ! " +
  `openh264enc gop-size=${GOP} complexity=low ! rtph264pay name=pay0 pt=96 )`;

/** A file of a recording: its packets' times in order, how many are keyframes, and whether the first is one. */
interface Segment {
  readonly times: readonly number[];
  readonly keyframes: number;
  readonly beginsWithKeyframe: boolean;
}

interface Recording {
  readonly segments: readonly Segment[];
  readonly duplicated: number;
  readonly dropped: number;
  readonly encoded: number;
  readonly complaints: string;
}

async function readSegment(path: string): Promise<Segment> {
  const { code, output } = await run("ffprobe", [
    "-v",
    "error",
    "-show_entries",
    "packet=dts_time,flags",
    "-of",
    "csv=p=0",
    path,
  ]);
  assert.equal(code, 0, output);
  const packets = output.split("\n").map((line) => line.split(",")).filter(([, flags]) => flags);
  const isKeyframe = ([, flags]: string[]) => flags!.startsWith("K");
  return {
    times: packets.map(([time]) => Number(time)),
    keyframes: packets.filter(isKeyframe).length,
    beginsWithKeyframe: isKeyframe(packets[0]!),
  };
}

/** Has ffmpeg copy a stream into segments and encode it anew, side by side. */
async function record(url: string): Promise<Recording> {
  const folder = await Deno.makeTempDir();
  try {
    const { code, output } = await run("ffmpeg", [
      ...["-v", "warning", "-progress", `${folder}/progress`, "-rtsp_transport", "tcp", "-i", url],
      // Less than a GOP, so that each keyframe begins a file.
      ...["-t", String(SECONDS), "-c", "copy", "-f", "segment", "-segment_time", "1", "-reset_timestamps", "1"],
      ...[
        `${folder}/%03d.mp4`,
        "-t",
        String(SECONDS),
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-f",
        "mpegts",
        `${folder}/x.ts`,
      ],
    ]);
    assert.equal(code, 0, output);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".mp4")).sort();
    const segments: Segment[] = [];
    for (const name of names) segments.push(await readSegment(`${folder}/${name}`));
    const progress = await Deno.readTextFile(`${folder}/progress`);
    const last = (key: string) => Number([...progress.matchAll(new RegExp(`^${key}=(\\d+)`, "gm"))].at(-1)?.[1]);
    const { times } = await readSegment(`${folder}/x.ts`);
    return {
      segments,
      duplicated: last("dup_frames"),
      dropped: last("drop_frames"),
      encoded: times.length,
      complaints: output,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** ffmpeg's parser loses the time of a first picture that came in more than one packet, with any server. */
const FIRST_TIME = /^.*Non-monotonous DTS in output stream 0:0; previous: 0, current: 0;.*$/gm;

/** A whole GOP in each file (but for the last one), beginning with its keyframe; up to `firstGops` in the first one. */
function assertClean({ segments, complaints }: Recording, firstGops = 1): void {
  assert.ok(segments.length >= 3, `${segments.length} segments`);
  for (const [i, { times, keyframes, beginsWithKeyframe }] of segments.entries()) {
    const isFit = keyframes === 1 || (i === 0 && keyframes <= firstGops);
    assert.ok(beginsWithKeyframe && isFit, `segment ${i} has ${keyframes} keyframes`);
    if (i < segments.length - 1) assert.equal(times.length, GOP * keyframes, `segment ${i}`);
    assert.ok(times.every((time, j) => j === 0 || time > times[j - 1]!), `segment ${i} steps back`);
  }
  assert.doesNotMatch(complaints.replaceAll(FIRST_TIME, ""), /missed|non-monoton|corrupt|error/i);
}

/** 25 pictures a second in the copy, and as many in the new encoding. */
function assertTrueTimes({ segments, duplicated, dropped, encoded }: Recording): void {
  for (const { times } of segments) {
    const steps = times.slice(1).map((time, j) => time - times[j]!);
    assert.ok(steps.slice(2).every((step) => Math.abs(step - 0.04) < 0.015), `steps of ${Math.max(...steps)} s`);
  }
  assert.deepEqual({ duplicated, dropped }, { duplicated: 0, dropped: 0 });
  assert.ok(Math.abs(encoded - SECONDS * 25) <= 3, `${encoded} pictures in ${SECONDS} s`);
}

Deno.test({
  ...await needs(
    "Recordings have whole segments, and true times unless they start now",
    "gst-rtsp-server",
    "openh264enc",
    "ffmpeg",
  ),
  async fn() {
    await using camera = await gstCamera(CAMERA);
    await using server = await startServer({ config: `streams:\n  cam: "${camera.url}"\n` });
    await using guide = new MseClient(server.api, "src=cam");
    await guide.nextKeyframe();
    const [video] = readFmp4(guide.header).tracks;
    const { frameRate } = parseH264Sps(parseAvcConfig(video!.config.get("avcC")!).parameterSets[0]!);
    assert.equal(frameRate, undefined, "the camera is to keep its frame rate to itself");
    await guide.more(15);
    const url = `rtsp://${server.rtsp}/cam?video`;
    const [live, keyframe, now] = await Promise.all(
      ["", "&start=keyframe", "&start=now"].map((start) => record(url + start)),
    );
    for (const recording of [live!, keyframe!]) {
      assertClean(recording);
      assertTrueTimes(recording);
    }
    // Squeezed times make ffmpeg guess a frame rate of its own, and the first GOP too short for a file of its own: what
    // is promised is that no picture is missing.
    assertClean(now!, 2);
  },
});

const BFRAMES = ["-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p"];
for (
  const { name, codecs } of [
    { name: "H264", codecs: ["-c:v", "libx264", ...BFRAMES] },
    { name: "H265", codecs: ["-c:v", "libx265", "-x265-params", "log-level=none", ...BFRAMES] },
  ]
) {
  Deno.test({
    ...await needs(`Quirk(ffmpeg): ${name} with pictures out of order is copied into Matroska and MPEG-TS`, "ffmpeg"),
    async fn() {
      await using server = await startServer({ config: "streams: {cam: }\n" });
      await using _ = publish(`rtsp://${server.rtsp}/cam`, { input: TEST_PICTURE, codecs });
      const folder = await Deno.makeTempDir();
      try {
        await until(async () => {
          const { producers } = await server.json<{ producers: { bytes_recv?: number }[] }>("/api/streams?src=cam");
          return (producers[0]?.bytes_recv ?? 0) > 20_000;
        });
        const copies = [["", "tcp", "mkv"], ["&start=now", "tcp", "ts"], ["", "udp", "ts"]].map(
          async ([query, transport, kind]) => {
            const path = `${folder}/${transport}.${kind}`;
            const from = ["-rtsp_transport", transport!, "-i", `rtsp://${server.rtsp}/cam?video${query}`];
            const { code, output } = await run("ffmpeg", ["-v", "error", ...from, "-t", "1", "-c", "copy", path]);
            assert.equal(code, 0, output);
            const { times, beginsWithKeyframe } = await readSegment(path);
            assert.ok(beginsWithKeyframe && times.length > 10, `${times.length} pictures, ${kind} over ${transport}`);
          },
        );
        await Promise.all(copies);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
