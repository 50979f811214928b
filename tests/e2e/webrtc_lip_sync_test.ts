/** A flash and a beep that the camera makes together, as Chromium shows and plays them. */
import assert from "node:assert/strict";
import { openBrowser } from "../support/browser.ts";
import { needs } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { publish, X264 } from "./cameras.ts";
import { decoded, rtcPage, startRtcServer } from "./webrtc_peer.ts";

/**
 * What people do not notice is 45 ms of early sound (ITU-R BT.1359). What is measured is without the buffers of Chromium,
 * which brings both together within some seconds, the slower the busier the machine is.
 */
const LIMIT_MS = 45;

const FLASH = "drawbox=color=white:t=fill:enable='lt(mod(t,1),0.3)'";
const BEEP = "aevalsrc=exprs='if(lt(mod(t,1),0.3),0.5*sin(6283*t),0)':s=48000";

interface Seen {
  readonly flashes: readonly number[];
  readonly beeps: readonly { readonly atMs: number; readonly bufferedMs: number }[];
}

// Runs in the page: when the picture turned bright, and when the sound turned loud, by the page's clock.
const WATCH = `
  const { pc, video, audio } = rtc.peers[index];
  const seen = globalThis.seen = { flashes: [], beeps: [] };
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  let isBright = true;
  const look = (_, { expectedDisplayTime }) => {
    pen.drawImage(video, 100, 100, 1, 1, 0, 0, 1, 1);
    const bright = pen.getImageData(0, 0, 1, 1).data[0] > 128;
    if (bright && !isBright) seen.flashes.push(expectedDisplayTime);
    isBright = bright;
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  // How much older the sound is that is being played than the picture, by the times that the server told.
  const heard = async (atMs) => {
    const reports = [...(await pc.getStats()).values()].filter(({ type }) => type === "inbound-rtp");
    const playing = (kind) => reports.find((one) => one.kind === kind).estimatedPlayoutTimestamp;
    const bufferedMs = playing("video") - playing("audio");
    // Not before both have their reports.
    if (Number.isFinite(bufferedMs)) seen.beeps.push({ atMs, bufferedMs });
  };
  const context = new AudioContext();
  const listener = context.createScriptProcessor(256, 1, 1);
  let quiet = 0;
  listener.onaudioprocess = ({ inputBuffer }) => {
    const samples = inputBuffer.getChannelData(0);
    const at = samples.findIndex((sample) => Math.abs(sample) > 0.05);
    const lateMs = (samples.length - at) * 1000 / context.sampleRate;
    if (at >= 0 && quiet > context.sampleRate / 4) heard(performance.now() - lateMs);
    quiet = at < 0 ? quiet + samples.length : 0;
  };
  context.createMediaStreamSource(audio.srcObject).connect(listener).connect(context.destination);
`;

Deno.test(await needs("Chromium plays picture and sound in step", "chromium", "ffmpeg"), async () => {
  await using server = await startRtcServer("streams:\n  cam:\n");
  await using _camera = publish(`rtsp://${server.rtsp}/cam`, {
    input: [
      ...["-re", "-f", "lavfi", "-i", `color=black:size=320x240:rate=25,${FLASH}`],
      ...["-re", "-f", "lavfi", "-i", BEEP],
    ],
    codecs: [...X264, "-c:a", "libopus", "-ac", "2"],
    gop: 50,
  });
  await until(async () => (await server.json<{ producers: unknown[] }>("/api/streams?src=cam")).producers.length > 0);
  await using browser = await openBrowser();
  const rtc = await rtcPage(await browser.newPage(), server.api);
  const index = await rtc.whep("cam");
  await decoded(rtc, index, 50);
  await rtc.run(`const index = ${index}; ${WATCH}`);
  const { flashes, beeps } = await until(async () => {
    const seen = await rtc.run<Seen>("return seen");
    return seen.flashes.length >= 5 && seen.beeps.length >= 3 && seen;
  }, 15_000);
  const offsets = beeps.map(({ atMs, bufferedMs }) => {
    const nearest = flashes.toSorted((a, b) => Math.abs(a - atMs) - Math.abs(b - atMs))[0]!;
    return Math.round(atMs - nearest - bufferedMs);
  });
  const middle = offsets.toSorted((a, b) => a - b)[offsets.length >> 1]!;
  assert.ok(Math.abs(middle) < LIMIT_MS, `the sound is ${offsets} ms late`);
});
