/** Talking to cameras from a browser, and hearing cameras whose sound no browser knows. */
import assert from "node:assert/strict";
import { decodePcma, encodeL16, encodePcma } from "../../core/mod.ts";
import { FakeCamera, obedient, PCMA_LINES, rtpFrame, sdp } from "../../modules/rtsp/fake_camera.ts";
import { openBrowser } from "../support/browser.ts";
import { needs } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { BROWSER_TEST, PlayerPage } from "./page.ts";
import { consumers, figures, rtcPage, startRtcServer } from "./webrtc_peer.ts";

const speaker = (...lines: string[]) => [...lines, "a=sendonly", "a=control:track3"];
const PCMA_SPEAKER = speaker("m=audio 0 RTP/AVP 8");
const L16_SPEAKER = speaker("m=audio 0 RTP/AVP 98", "a=rtpmap:98 L16/16000");

function tone(rate: number, begin: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) => 8000 * Math.sin(2 * Math.PI * 440 * (begin + i) / rate));
}

/** The loudness of samples, as a root of the mean square. */
function loudness(samples: Int16Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length));
}

/** A camera with sound of this form, which begins when it is played; and maybe with a speaker. */
class SoundCamera implements AsyncDisposable {
  readonly camera: FakeCamera;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(lines: readonly string[], { rate, encode, payloadType, speaker = [] }: {
    rate: number;
    encode: (samples: Int16Array) => Uint8Array;
    payloadType: number;
    speaker?: readonly string[];
  }) {
    const script = obedient(sdp(...lines, ...speaker));
    this.camera = new FakeCamera((request, camera) => {
      if (request.method === "PLAY") this.#play(camera, rate, encode, payloadType);
      if (request.method === "TEARDOWN") clearInterval(this.#timer);
      return script(request, camera);
    });
  }

  #play(camera: FakeCamera, rate: number, encode: (samples: Int16Array) => Uint8Array, payloadType: number): void {
    clearInterval(this.#timer);
    const count = rate / 50;
    const startMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      for (; sent * 20 < performance.now() - startMs; sent++) {
        const payload = encode(tone(rate, sent * count, count));
        const frame = rtpFrame(0, { sequence: sent & 0xffff, timestamp: sent * count, payload, payloadType });
        // The test ends while a packet is on its way.
        camera.send(frame).catch(() => clearInterval(this.#timer));
      }
    }, 20);
  }

  /** What came for the speaker: the payloads of its packets, one after the other. */
  heard(): Uint8Array {
    const payloads = this.camera.packets.filter(({ channel }) => channel === 2).map(({ packet }) =>
      packet.subarray(12)
    );
    return Uint8Array.from(payloads.flatMap((payload) => [...payload]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.camera[Symbol.asyncDispose]();
  }
}

const pcmaCamera = (speaker: readonly string[]) =>
  new SoundCamera(PCMA_LINES, { rate: 8000, encode: encodePcma, payloadType: 8, speaker });

Deno.test({
  ...await needs("The player talks to a camera, and is heard there", "chromium"),
  ...BROWSER_TEST,
  fn: async () => {
    await using camera = pcmaCamera(PCMA_SPEAKER);
    await using server = await startRtcServer(`streams:\n  door:\n    - "demo:"\n    - "${camera.camera.source()}"\n`);
    await using browser = await openBrowser();
    const url = `http://${server.api}/stream.html?src=door&media=video+audio+microphone&stats`;
    const player = await PlayerPage.open(browser, url);
    // The page is that of a person who talks: WebRTC stays although MSE has more sound.
    await player.until("p.stats.mode === 'webrtc' && p.stats.decoded > 25");
    await until(() => camera.heard().length > 16_000);
    const samples = decodePcma(camera.heard());
    // Chromium's fake microphone beeps.
    assert.ok(loudness(samples) > 300, `the camera heard ${loudness(samples)}`);
    assert.equal(await player.page.evaluate("document.querySelector('.notice').textContent"), "");
    await player.until("/talking \\d+ kbit/.test(p.querySelector('.stats').textContent)");

    await player.page.close();
    await until(async () => (await consumers(server, "door")).length === 0, 20_000);
  },
});

Deno.test({
  ...await needs("The page talks to a camera whose speaker takes L16", "chromium"),
  ...BROWSER_TEST,
  fn: async () => {
    await using camera = pcmaCamera(L16_SPEAKER);
    await using server = await startRtcServer(`streams:\n  door: "${camera.camera.source()}"\n`);
    await using browser = await openBrowser();
    const page = await browser.newPage();
    await page.goto(`http://${server.api}/webrtc.html?src=door&media=audio+microphone`);
    await until(() => camera.heard().length > 64_000);
    const bytes = camera.heard();
    const samples = Int16Array.from({ length: bytes.length >> 1 }, (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!);
    assert.ok(loudness(samples) > 300, `the camera heard ${loudness(samples)}`);
  },
});

Deno.test({
  ...await needs("The player says that a camera has no speaker", "chromium"),
  ...BROWSER_TEST,
  fn: async () => {
    await using camera = pcmaCamera([]);
    await using server = await startRtcServer(`streams:\n  door: "${camera.camera.source()}"\n`);
    await using browser = await openBrowser();
    const player = await PlayerPage.open(
      browser,
      `http://${server.api}/stream.html?src=door&mode=webrtc&media=audio,microphone`,
    );
    await player.until("p.stats.mode === 'webrtc'");
    await player.until("/has no speaker/.test(p.querySelector('.notice').textContent)");
  },
});

const L16_LINES = ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 L16/16000", "a=control:track2"];
const PCMU_LINES = ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 PCMA/16000", "a=control:track2"];
for (
  const [name, lines, encode] of [["L16", L16_LINES, encodeL16], ["G.711 at 16 kHz", PCMU_LINES, encodePcma]] as const
) {
  Deno.test({
    ...await needs(`A browser hears a camera whose sound is ${name}`, "chromium"),
    ...BROWSER_TEST,
    fn: async () => {
      await using camera = new SoundCamera(lines, { rate: 16_000, encode, payloadType: 97 });
      await using server = await startRtcServer(`streams:\n  pcm: "${camera.camera.source()}"\n`);
      await using browser = await openBrowser();
      const rtc = await rtcPage(await browser.newPage(), server.api);
      const index = await rtc.run<number>(`return await rtc.http("src=pcm", [], ["audio"])`);
      // A second without anything made up, however busy the machine is: a steady tone of a quarter of the full amplitude,
      // of which the energy is the square.
      let before: Readonly<Record<string, number>> | undefined;
      const energy = await until(async () => {
        const now = figures(await rtc.report(index), "audio");
        const grown = (name: string) => now[name]! - (before?.[name] ?? 0);
        const seconds = grown("totalSamplesDuration");
        if (before && !(seconds >= 1)) return false;
        const isClean = before && grown("concealedSamples") / grown("totalSamplesReceived") < 0.02;
        const energy = grown("totalAudioEnergy") / seconds;
        before = now;
        return isClean && energy;
      }, 30_000);
      assert.ok(energy > 0.05 && energy < 0.07, `the energy is ${energy}`);
    },
  });
}
