/**
 * Measures how Chromium plays over WebRTC when datagrams get lost on their way to it: 1280×720 at 25 pictures a second, a
 * keyframe every 4 s, in a network namespace whose firewall drops so many of a hundred at random. Needs root, ffmpeg,
 * Chromium, `ip` and `nft`. Exits with 1 when a bar was missed. `docs/bench.md` tells more.
 *
 *     deno run -A --unstable-net scripts/bench/loss.ts [--seconds 40] [percent…]
 */
import { openBrowser } from "../../tests/support/browser.ts";
import { openLan } from "../../tests/support/lan.ts";
import { run, start } from "../../tests/support/programs.ts";
import { RtcPage } from "../../tests/support/rtc_page.ts";
import { startServer, until } from "../../tests/support/server.ts";
import { type Figure, judge, tableOf } from "./figure.ts";

const FPS = 25;
const GOP = 4 * FPS;
const CLIP_S = 16;
const SETTLING_S = 3;

/** What may become of each share of losses: pictures decoded in percent, freezes, and frozen time in percent. */
const BARS: Readonly<Record<number, { decoded: number; freezes?: number; frozen?: number }>> = {
  0: { decoded: 99.8, freezes: 0 },
  2: { decoded: 99.8, freezes: 0 },
  5: { decoded: 99.8, freezes: 0 },
  10: { decoded: 99.5, freezes: 3 },
  20: { decoded: 98, frozen: 15 },
};

/** What Chromium says at a moment. */
interface Moment {
  readonly timestamp: number;
  readonly framesDecoded: number;
  readonly freezeCount: number;
  readonly totalFreezesDuration: number;
  readonly retransmittedPacketsReceived?: number;
}

/** Makes a clip of a moving picture, 2 Mbit/s. */
async function makeClip(path: string): Promise<void> {
  const { code, output } = await run("ffmpeg", [
    ...["-v", "error", "-y", "-f", "lavfi", "-i", `testsrc2=size=1280x720:rate=${FPS}:duration=${CLIP_S}`],
    ...["-c:v", "libx264", "-preset", "fast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", String(GOP)],
    ...["-keyint_min", String(GOP), "-sc_threshold", "0", "-b:v", "2M", "-maxrate", "2M", "-bufsize", "2M", path],
  ], { limitS: 120 });
  if (code !== 0) throw new Error(output);
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

async function measure(percent: number, seconds: number, clip: string): Promise<Figure[]> {
  await using lan = await openLan();
  const config = `webrtc:\n  listen: "${lan.host}:0/udp"\n  ice_servers: []\nstreams:\n  cam:\n`;
  await using server = await startServer({ host: lan.host, config });
  const input = ["-re", "-stream_loop", "-1", "-i", clip, "-c", "copy"];
  await using _camera = start("ffmpeg", [
    ...["-v", "error", ...input, "-f", "rtsp", "-rtsp_transport", "tcp", `rtsp://${server.rtsp}/cam`],
  ]);
  await until(async () => (await server.json<{ producers: unknown[] }>("/api/streams?src=cam")).producers.length > 0);
  const browser = await openBrowser({ namespace: lan.namespace });
  try {
    const page = await browser.newPage();
    await page.goto(`http://${server.api}/api/webrtc`);
    const rtc = await RtcPage.on(page);
    await lan.inside(
      "nft",
      "table inet loss { chain in { type filter hook input priority 0; " +
        `meta l4proto udp numgen random mod 100 < ${percent} drop; }\n}`,
    );
    const index = await rtc.whep("cam");
    const firstMs = await rtc.picture(index);
    if (firstMs === undefined) throw new Error("No picture came");
    const moment = async () => (await rtc.report(index)).video as Moment;
    // What was kept since the keyframe comes at once and would count for more than its time.
    await pause(SETTLING_S);
    const from = await moment();
    await pause(seconds);
    const to = await moment();
    const sent = (to.timestamp - from.timestamp) * FPS / 1000;
    const bars = BARS[percent];
    return [
      {
        what: `${percent} % lost: pictures decoded`,
        value: (to.framesDecoded - from.framesDecoded) / sent * 100,
        unit: "%",
        ...(bars ? { atLeast: bars.decoded } : {}),
      },
      {
        what: `${percent} % lost: freezes`,
        value: to.freezeCount,
        unit: "",
        ...(bars?.freezes === undefined ? {} : { atMost: bars.freezes }),
      },
      {
        what: `${percent} % lost: of the time frozen`,
        value: to.totalFreezesDuration / (SETTLING_S + seconds) * 100,
        unit: "%",
        ...(bars?.frozen === undefined ? {} : { atMost: bars.frozen }),
      },
      { what: `${percent} % lost: first picture`, value: firstMs, unit: "ms" },
      {
        what: `${percent} % lost: packets sent again that arrived`,
        value: to.retransmittedPacketsReceived ?? 0,
        unit: "",
      },
    ];
  } finally {
    await browser.close();
  }
}

const { args } = Deno;
const at = args.indexOf("--seconds");
const seconds = at < 0 ? 40 : Number(args[at + 1]);
const asked = (at < 0 ? args : args.toSpliced(at, 2)).map(Number);
const percents = asked.length > 0 ? asked : [2, 5, 10, 20];
if (!(seconds > 0) || percents.some((percent) => !(percent >= 0 && percent < 100))) {
  console.error("Expected whole numbers below 100, and seconds above 0");
  Deno.exit(2);
}
const clip = await Deno.makeTempFile({ suffix: ".mp4" });
try {
  await makeClip(clip);
  const figures: Figure[] = [];
  for (const percent of percents) figures.push(...await measure(percent, seconds, clip));
  const verdicts = judge(figures);
  console.log(tableOf(verdicts));
  Deno.exitCode = verdicts.some(({ held }) => held === false) ? 1 : 0;
} finally {
  await Deno.remove(clip);
}
