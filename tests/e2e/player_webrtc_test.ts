/** The player and the pages over WebRTC, against the whole server. */
import assert from "node:assert/strict";
import { openBrowser } from "../support/browser.ts";
import { needs } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { BROWSER_TEST, PlayerPage } from "./page.ts";
import { consumers, startRtcServer } from "./webrtc_peer.ts";

const STREAMS = 'streams:\n  demo: "demo:"\n';

for (const [mode, protocol] of [["webrtc", "ws+udp"], ["webrtc/tcp", "ws+tcp"]] as const) {
  Deno.test({
    ...await needs(`The player plays in the mode ${mode}, says so, and shows how well`, "chromium"),
    ...BROWSER_TEST,
    fn: async () => {
      await using server = await startRtcServer(STREAMS);
      await using browser = await openBrowser();
      const player = await PlayerPage.open(browser, `http://${server.api}/stream.html?src=demo&mode=${mode}&stats`);
      await player.until("p.stats.mode === 'webrtc' && p.stats.decoded > 50 && p.ws === null");
      assert.equal((await consumers(server, "demo"))[0]!.protocol, protocol);
      assert.equal(await player.page.evaluate("document.querySelector('.mode').textContent"), "RTC");
      const figures = new RegExp(`H264[^]* ${protocol.slice(3)} {2}round trip \\d+ ms[^]*freezes 0`);
      await until(async () => figures.test(await player.page.textContent(".stats") ?? ""));
      assert.deepEqual(player.faults, []);
    },
  });
}

Deno.test({
  ...await needs("The player stays with MSE where that has the sound, and lets WebRTC go", "chromium"),
  ...BROWSER_TEST,
  fn: async () => {
    await using server = await startRtcServer(STREAMS);
    await using browser = await openBrowser();
    const player = await PlayerPage.open(browser, `http://${server.api}/stream.html?src=demo`);
    await player.until("p.stats.mode === 'mse' && p.stats.decoded > 75 && p.pc === null");
    await until(async () => (await consumers(server, "demo")).length === 1);
  },
});

Deno.test({
  ...await needs("The player connects again over WebRTC when the server was away", "chromium"),
  ...BROWSER_TEST,
  fn: async () => {
    const first = await startRtcServer(STREAMS);
    const apiPort = Number(first.api.split(":")[1]);
    await using browser = await openBrowser();
    const player = await PlayerPage.open(browser, `http://${first.api}/stream.html?src=demo&mode=webrtc`);
    await player.until("p.stats.mode === 'webrtc' && p.stats.decoded > 10");
    await first[Symbol.asyncDispose]();
    await player.until("p.stats.mode === ''", 20_000);
    await using _second = await startRtcServer(STREAMS, { apiPort });
    await player.until("p.stats.mode === 'webrtc'", 20_000);
    await player.decodes(25);
  },
});

for (const page of ["webrtc.html", "webrtc-sync.html"]) {
  Deno.test({
    ...await needs(`The page ${page} shows a stream until it is stopped`, "chromium"),
    ...BROWSER_TEST,
    fn: async () => {
      await using server = await startRtcServer(STREAMS);
      await using browser = await openBrowser();
      const tab = await browser.newPage();
      await tab.goto(`http://${server.api}/${page}?src=demo`);
      const shown = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 25";
      await until(() => tab.evaluate(shown) as Promise<boolean>);
      await until(async () => /H264 · 1280×720 · \d+\.\d\d Mbit/.test(await tab.textContent("#figures") ?? ""));
      await tab.click("#stop");
      await until(async () => (await consumers(server, "demo")).length === 0, 5000);
    },
  });
}
