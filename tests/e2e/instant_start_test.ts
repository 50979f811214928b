/** A viewer that joins in the middle of a long GOP sees the newest picture at once, and stays at live. */
import assert from "node:assert/strict";
import { needs, start } from "../support/programs.ts";
import { startServer, until } from "../support/server.ts";
import { publish } from "./cameras.ts";
import { ageOf, CLOCK_OUTPUT, clocksOf, clocksOfYuv, type Shown, takeClocks } from "./clock.ts";
import { MseClient } from "./mse_client.ts";
import { BROWSER_TEST, chromium, PlayerPage } from "./page.ts";
import { vlcPlays } from "./vlc.ts";

/** Keyframes are so far apart that who waits for one is found out. */
const GOP = 100;
const GOP_MS = GOP * 40;
/** A picture is this young when it is the newest: encoding, sending, decoding on a busy machine. */
const NEWEST_MS = 450;

/** A server with a camera that shows the time, and a viewer that tells when keyframes come. */
async function clockServer() {
  const server = await startServer({ config: "streams:\n  cam:\n" });
  const camera = publish(`rtsp://${server.rtsp}/cam`, { gop: GOP });
  await until(async () => (await server.fetch("/api/frame.mp4?src=cam")).ok);
  const guide = new MseClient(server.api, "src=cam");
  return {
    server,
    /** Resolves more than a second after a keyframe, and two before the next one. */
    async midGop(): Promise<void> {
      await guide.until(() => guide.pieces.some(({ hasKeyframe }) => hasKeyframe));
      for (;;) {
        const since = guide.pieces.length - 1 - guide.pieces.findLastIndex(({ hasKeyframe }) => hasKeyframe);
        if (since > 25 && since < 45) return;
        await guide.more(1);
      }
    },
    async [Symbol.asyncDispose]() {
      await guide[Symbol.asyncDispose]();
      await camera[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Asserts that the newest picture came within `withinMs`, and that what followed stayed as young. */
function assertNewest(shown: readonly Shown[], startMs: number, withinMs: number, newestMs = NEWEST_MS): void {
  const list = shown.map(({ atMs, ageMs }) => `${Math.round(atMs - startMs)}:${Math.round(ageMs)}`).join(" ");
  const first = shown.findIndex(({ ageMs }) => ageMs < newestMs);
  assert.ok(first >= 0, `no picture was new: ${list}`);
  const tookMs = shown[first]!.atMs - startMs;
  assert.ok(tookMs < withinMs, `the newest picture came after ${tookMs} ms: ${list}`);
  const after = shown.slice(first);
  assert.ok(after.length >= 20, `too few pictures: ${list}`);
  const old = after.filter(({ ageMs }) => ageMs > newestMs);
  assert.ok(old.length <= after.length / 10, `it fell behind: ${list}`);
}

async function ffmpegClocks(url: string, input: readonly string[], count: number): Promise<Shown[]> {
  await using player = start("ffmpeg", [
    ...["-v", "error", "-flags", "low_delay", "-probesize", "5000", "-analyzeduration", "0"],
    ...["-fpsprobesize", "0", ...input, "-i", url, ...CLOCK_OUTPUT],
  ]);
  return await takeClocks(
    clocksOf(player.stdout),
    (shown) => shown.filter(({ ageMs }) => ageMs < NEWEST_MS).length > count,
  );
}

Deno.test({
  ...await needs("A viewer that joins in the middle of a GOP has the newest picture at once", "ffmpeg", "chromium"),
  ...BROWSER_TEST,
  async fn(t) {
    await using scene = await clockServer();
    const { server } = scene;

    await t.step("MSE in Chromium, by default", async () => {
      await using one = await chromium();
      // The browser is warm: what is measured is the stream's start, not the program's.
      const warm = await PlayerPage.open(one.browser, `http://${server.api}/stream.html?src=cam&mode=mse`);
      await warm.until("p.stats.decoded > 5");
      await warm.page.close();
      await scene.midGop();
      const player = await PlayerPage.open(one.browser, `http://${server.api}/stream.html?src=cam&mode=mse`);
      await player.until("p.stats.decoded > 60 && globalThis.shown.length > 40");
      const shown = (await player.pictures()).flatMap(({ atMs, nowMs, bright }) => {
        const ageMs = ageOf(bright, nowMs);
        return ageMs === undefined ? [] : [{ atMs, ageMs }];
      });
      assertNewest(shown, 0, 1000);
      assert.ok(shown[0]!.atMs < GOP_MS / 5);
      assert.deepEqual(player.faults, []);
    });

    await t.step("RTSP with ?start=now in ffmpeg", async () => {
      await scene.midGop();
      const startMs = performance.now();
      const url = `rtsp://${server.rtsp}/cam?video&start=now`;
      assertNewest(await ffmpegClocks(url, ["-rtsp_transport", "tcp"], 30), startMs, 1500);
    });

    await t.step("stream.mp4 with ?start=now in ffmpeg", async () => {
      await scene.midGop();
      const startMs = performance.now();
      const url = `http://${server.api}/api/stream.mp4?src=cam&video&start=now`;
      assertNewest(await ffmpegClocks(url, [], 30), startMs, 1500);
    });

    await t.step("RTSP waits for a keyframe by default, and is live from its first picture on", async () => {
      await scene.midGop();
      const startMs = performance.now();
      const shown = await ffmpegClocks(`rtsp://${server.rtsp}/cam?video`, ["-rtsp_transport", "tcp"], 30);
      assert.ok(shown[0]!.atMs - startMs > 1000, "it began with a keyframe that was yet to come");
      assertNewest(shown, startMs, GOP_MS + 1000);
      assert.ok(shown[0]!.ageMs < NEWEST_MS, `the first picture was ${shown[0]!.ageMs} ms old`);
    });

    await t.step("RTSP with ?start=keyframe begins in the past with true times", async () => {
      await scene.midGop();
      const shown = await ffmpegClocks(`rtsp://${server.rtsp}/cam?video&start=keyframe`, ["-rtsp_transport", "tcp"], 5);
      assert.ok(shown[0]!.ageMs > 900, `the first picture was ${shown[0]!.ageMs} ms old`);
    });
  },
});

async function vlcClocks(url: string): Promise<Shown[]> {
  await using vlc = await vlcPlays(url);
  return await takeClocks(
    clocksOfYuv(vlc.pictures),
    (shown) => shown.filter(({ ageMs }) => ageMs < VLC_NEWEST_MS).length > 40,
  );
}

/** VLC's own buffer, and the pictures that it holds back to put them in order. */
const VLC_NEWEST_MS = 900;

Deno.test({
  ...await needs("VLC shows the newest picture of stream.mp4?start=now at once and stays at live", "ffmpeg", "vlc"),
  async fn() {
    await using scene = await clockServer();
    await scene.midGop();
    const startMs = performance.now();
    const shown = await vlcClocks(`http://${scene.server.api}/api/stream.mp4?src=cam&video&start=now`);
    assertNewest(shown, startMs, 3000, VLC_NEWEST_MS);
  },
});

Deno.test({
  ...await needs("VLC shows the newest picture of RTSP with ?start=now at once", "ffmpeg", "vlc with RTSP"),
  async fn() {
    await using scene = await clockServer();
    await scene.midGop();
    const startMs = performance.now();
    const shown = await vlcClocks(`rtsp://${scene.server.rtsp}/cam?video&start=now`);
    assertNewest(shown, startMs, 3000, VLC_NEWEST_MS);
  },
});
