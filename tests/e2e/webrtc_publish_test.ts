/** Chromium's camera published by the page as a person would do it, and watched by programs that know no WebRTC. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/browser.ts";
import { needs } from "../support/programs.ts";
import { type Server, until } from "../support/server.ts";
import { BROWSER_TEST } from "./page.ts";
import { decoded, probe, rtcPage, startRtcServer } from "./webrtc_peer.ts";

interface Described {
  readonly producers: readonly {
    readonly format_name?: string;
    readonly protocol?: string;
    readonly state?: string;
    readonly bytes_recv?: number;
  }[];
  readonly consumers: readonly unknown[];
}

async function onAir(server: Server, name: string): Promise<Described["producers"][number]> {
  return await until(async () => {
    const { producers } = await server.json<Described>(`/api/streams?src=${name}`);
    return producers.find(({ state }) => state === "live");
  }, 15_000);
}

/** Waits until an expression holds in the page, whose policy forbids the driver's own way of waiting. */
async function sees(page: Page, expression: string, ms = 10_000): Promise<void> {
  await until(() => page.evaluate(expression) as Promise<boolean>, ms);
}

for (
  const [name, page, formatName] of [["the WebSocket", "webrtc.html", "webrtc"], [
    "WHIP",
    "webrtc-sync.html",
    "webrtc",
  ]] as const
) {
  Deno.test({
    ...await needs(`The page publishes a camera by ${name}, and ffprobe decodes it over RTSP`, "chromium", "ffmpeg"),
    ...BROWSER_TEST,
    fn: async () => {
      await using server = await startRtcServer("streams:\n  phone:\n");
      await using browser = await openBrowser();
      const publisher = await browser.newPage();
      await publisher.goto(`http://${server.api}/${page}?dst=phone&media=camera+microphone`);
      const producer = await onAir(server, "phone");
      assert.equal(producer.format_name, formatName);
      await sees(publisher, "document.body.dataset.state === 'live'");

      const frames = await probe(server, "phone");
      assert.ok(frames.h264! >= 40, `ffprobe decoded ${JSON.stringify(frames)}`);
      assert.ok(frames.opus! >= 100, `ffprobe decoded ${JSON.stringify(frames)}`);

      // Each later viewer gets a picture at once: a keyframe is there, or is asked for.
      const rtc = await rtcPage(await browser.newPage(), server.api);
      const index = await rtc.whep("phone");
      const firstMs = await rtc.picture(index);
      assert.ok(firstMs! < 2000, `the first picture took ${firstMs} ms`);
      await decoded(rtc, index, 30);

      await publisher.click("#stop");
      await until(async () => {
        const { producers } = await server.json<Described>("/api/streams?src=phone");
        return producers.every(({ state }) => state !== "live");
      });
    },
  });
}

Deno.test({
  ...await needs("The page comes back on air when the server was away", "chromium"),
  ...BROWSER_TEST,
  fn: async () => {
    const config = "streams:\n  phone:\n";
    const first = await startRtcServer(config);
    const apiPort = Number(first.api.split(":")[1]);
    await using browser = await openBrowser();
    const page = await browser.newPage();
    await page.goto(`http://${first.api}/webrtc.html?dst=phone&media=camera`);
    await onAir(first, "phone");
    await first[Symbol.asyncDispose]();
    await sees(page, "document.body.dataset.state !== 'live'", 20_000);
    await using second = await startRtcServer(config, { apiPort });
    await onAir(second, "phone");
  },
});

Deno.test({
  ...await needs("The page says why it cannot publish", "chromium"),
  ...BROWSER_TEST,
  fn: async () => {
    await using server = await startRtcServer("streams:\n  phone:\n");
    await using browser = await openBrowser();
    const page = await browser.newPage();
    await page.goto(`http://${server.api}/webrtc.html?dst=nobody&media=camera`);
    await sees(page, "document.querySelector('#state').textContent === 'Waiting: stream not found'");
    await page.goto(`http://${server.api}/webrtc.html?dst=phone`);
    const choices = await page.locator("#choice button:visible").allTextContents();
    assert.deepEqual(choices, ["Publish my camera", "Publish my screen", "Publish my microphone"]);
    await page.click("#choice button:has-text('camera')");
    await onAir(server, "phone");
  },
});
