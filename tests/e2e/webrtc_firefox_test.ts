import assert from "node:assert/strict";
import { openFirefox } from "../support/firefox.ts";
import { needs } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { publish, TEST_PICTURE, TONE } from "./cameras.ts";
import { consumers, decoded, figures, probe, rtcPage, startRtcServer } from "./webrtc_peer.ts";

// Debian's Firefox has no H264 of its own.
const CODECS = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus", "-ac", "2"];

Deno.test(
  await needs("Firefox plays over WHEP and the WebSocket, by UDP and by TCP", "firefox", "ffmpeg"),
  async () => {
    await using server = await startRtcServer("streams:\n  cam:\n");
    await using _camera = publish(`rtsp://${server.rtsp}/cam`, {
      input: [...TEST_PICTURE, ...TONE],
      codecs: CODECS,
      gop: 15,
    });
    await until(async () => (await server.json<{ producers: unknown[] }>("/api/streams?src=cam")).producers.length > 0);
    await using firefox = await openFirefox();
    const rtc = await rtcPage(firefox, server.api);
    const ways = [
      { protocol: "http+udp", connect: () => rtc.whep("cam") },
      { protocol: "ws+udp", connect: () => rtc.socket("cam") },
      { protocol: "ws+tcp", connect: () => rtc.socket("cam", true) },
    ];
    for (const { protocol, connect } of ways) {
      const index = await connect();
      const report = await decoded(rtc, index, 30);
      assert.equal(report.connection, "connected");
      assert.equal((await consumers(server, "cam")).at(-1)!.protocol, protocol);
      await until(async () => {
        const report = await rtc.report(index);
        const told = ["remotevideo", "remoteaudio"].map((kind) => figures(report, kind).remoteTimestamp ?? 0);
        return (figures(report, "audio").totalAudioEnergy ?? 0) > 0.001 &&
          told.every((wallMs) => Math.abs(wallMs - Date.now()) < 5000);
      });
      await rtc.close(index);
    }
  },
);

Deno.test(await needs("Firefox publishes by WHIP, and ffprobe decodes it over RTSP", "firefox", "ffmpeg"), async () => {
  await using server = await startRtcServer("streams:\n  phone:\n");
  await using firefox = await openFirefox();
  const rtc = await rtcPage(firefox, server.api);
  await rtc.run(`
    const media = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    return await rtc.http("dst=phone", media.getTracks(), []);`);
  const frames = await probe(server, "phone");
  assert.ok(frames.vp8! >= 40 && frames.opus! >= 100, JSON.stringify(frames));
});
