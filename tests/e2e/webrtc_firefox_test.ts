import assert from "node:assert/strict";
import { openFirefox } from "../support/firefox.ts";
import { needs } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { publish, TEST_PICTURE, TONE } from "./cameras.ts";
import { consumers, decoded, figures, rtcPage, startRtcServer } from "./webrtc_peer.ts";

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
      await until(async () => (figures(await rtc.report(index), "audio").totalAudioEnergy ?? 0) > 0.001);
      await rtc.close(index);
    }
  },
);
