import assert from "node:assert/strict";
import { openBrowser } from "../support/browser.ts";
import { openLan } from "../support/lan.ts";
import { needs } from "../support/programs.ts";
import { until } from "../support/server.ts";
import { publish, TEST_PICTURE, TONE, X264 } from "./cameras.ts";
import { consumers, decoded, figures, rtcPage, startRtcServer } from "./webrtc_peer.ts";

const STREAMS = 'streams:\n  demo: "demo:"\n  cam:\n  phone:\n';
const OPUS = ["-c:a", "libopus", "-ar", "48000", "-ac", "2"];

Deno.test(await needs("Chromium plays a stream over WHEP with picture and sound", "chromium", "ffmpeg"), async () => {
  await using server = await startRtcServer(STREAMS);
  await using _camera = publish(`rtsp://${server.rtsp}/cam`, {
    input: [...TEST_PICTURE, ...TONE],
    codecs: [...X264, ...OPUS],
    gop: 15,
  });
  await until(async () => (await server.json<{ producers: unknown[] }>("/api/streams?src=cam")).producers.length > 0);
  await using browser = await openBrowser();
  const rtc = await rtcPage(await browser.newPage(), server.api);
  const index = await rtc.whep("cam");
  const report = await until(async () => {
    const report = await rtc.report(index);
    const isHeard = (figures(report, "audio").totalAudioEnergy ?? 0) > 0.001;
    return (figures(report, "video").framesDecoded ?? 0) >= 60 && isHeard && "remotevideo" in report && report;
  }, 20_000);
  assert.equal(report.connection, "connected");
  assert.equal(figures(report, "video").packetsLost, 0);
  assert.equal(figures(report, "video").freezeCount ?? 0, 0);
  const transport = report.transport as Record<string, string>;
  assert.match(transport.srtpCipher!, /^SRTP_AEAD_AES_128_GCM$|^SRTP_AES128_CM_HMAC_SHA1_80$/);
  assert.equal(transport.dtlsRole, "client");
  // Lip sync: both tracks are told by the wall clock.
  for (const kind of ["remotevideo", "remoteaudio"]) {
    assert.ok(Math.abs(figures(report, kind).remoteTimestamp! - Date.now()) < 5000, kind);
  }
  const [viewer] = await consumers(server, "cam");
  assert.equal(viewer!.format_name, "webrtc/whep");
  assert.equal(viewer!.protocol, "http+udp");
  assert.match(String(viewer!.remote_addr), /^\S+:\d+ prflx$/);
  assert.equal((viewer!.senders as unknown[]).length, 2);
  await rtc.close(index);
  await until(async () => (await consumers(server, "cam")).length === 0, 5000);
});

Deno.test(await needs("Chromium plays over the WebSocket, with candidates one by one", "chromium"), async () => {
  await using server = await startRtcServer(STREAMS);
  await using browser = await openBrowser();
  const rtc = await rtcPage(await browser.newPage(), server.api);
  const index = await rtc.socket("demo");
  const report = await decoded(rtc, index, 50);
  assert.equal(figures(report, "video").frameWidth, 1280);
  const [viewer] = await consumers(server, "demo");
  assert.deepEqual([viewer!.format_name, viewer!.protocol], ["webrtc", "ws+udp"]);
});

Deno.test(await needs("Chromium plays over TCP when it has no UDP", "chromium"), async () => {
  await using server = await startRtcServer(STREAMS);
  await using browser = await openBrowser();
  const rtc = await rtcPage(await browser.newPage(), server.api);
  await decoded(rtc, await rtc.socket("demo", true), 50);
  assert.equal((await consumers(server, "demo"))[0]!.protocol, "ws+tcp");
});

Deno.test(await needs("A WHEP session goes on when Chromium begins ICE anew", "chromium"), async () => {
  await using server = await startRtcServer(STREAMS);
  await using browser = await openBrowser();
  const rtc = await rtcPage(await browser.newPage(), server.api);
  const index = await rtc.whep("demo");
  await decoded(rtc, index, 10);
  const status = await rtc.run<number>(`
    const { pc, location, answer } = rtc.peers[${index}];
    pc.restartIce();
    await rtc.gathered(pc);
    const lines = pc.localDescription.sdp.split("\\r\\n").filter((line) => /^a=(ice-|candidate)/.test(line));
    const response = await fetch("/api/" + location, {
      method: "PATCH",
      headers: { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" },
      body: lines.join("\\r\\n"),
    });
    const fragment = await response.text();
    const value = (key) => fragment.match(new RegExp("a=" + key + ":(.*)"))[1].trim();
    const sdp = answer.replace(/a=ice-ufrag:.*/g, "a=ice-ufrag:" + value("ice-ufrag"))
      .replace(/a=ice-pwd:.*/g, "a=ice-pwd:" + value("ice-pwd"));
    await pc.setRemoteDescription({ type: "answer", sdp });
    return response.status;`);
  assert.equal(status, 200);
  const before = figures(await rtc.report(index), "video").framesDecoded!;
  const report = await decoded(rtc, index, before + 50);
  assert.equal(report.connection, "connected");
  assert.equal((await consumers(server, "demo")).length, 1);
});

Deno.test(await needs("Chromium gets 50 pictures of 50 connections", "chromium"), async () => {
  await using server = await startRtcServer(STREAMS);
  await using browser = await openBrowser();
  const rtc = await rtcPage(await browser.newPage(), server.api);
  const times: number[] = [];
  for (let i = 0; i < 50; i++) {
    const index = await (i % 2 === 0 ? rtc.whep("demo") : rtc.socket("demo"));
    const ms = await rtc.picture(index);
    assert.ok(
      ms !== undefined,
      `No picture at try ${i}: ${JSON.stringify(await rtc.report(index))}\n${server.output()}`,
    );
    times.push(ms);
    await rtc.close(index);
  }
  times.sort((a, b) => a - b);
  assert.ok(times[25]! < 1000, `Half of the pictures took longer than ${times[25]} ms`);
  await until(async () => (await consumers(server, "demo")).length === 0, 5000);
});

Deno.test(await needs("The forms of Home Assistant are answered so that Chromium plays", "chromium"), async () => {
  await using server = await startRtcServer(STREAMS);
  await using browser = await openBrowser();
  const rtc = await rtcPage(await browser.newPage(), server.api);
  const peer = (exchange: string) =>
    rtc.run<number>(`
      const peer = await rtc.begin([], ["video", "audio"]);
      await rtc.gathered(peer.pc);
      const { sdp } = peer.pc.localDescription;
      const answer = await (async () => { ${exchange} })();
      await peer.pc.setRemoteDescription({ type: "answer", sdp: answer });
      return rtc.peers.length - 1;`);
  const json = await peer(`
    const response = await fetch("/api/webrtc?src=demo", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ type: "offer", sdp }),
    });
    return (await response.json()).sdp;`);
  await decoded(rtc, json, 10);
  const form = await peer(`
    const response = await fetch("/stream/demo/channel/0/webrtc", {
      method: "POST", body: new URLSearchParams({ data: btoa(sdp) }),
    });
    return atob(await response.text());`);
  await decoded(rtc, form, 10);
  const names = (await consumers(server, "demo")).map(({ format_name }) => format_name);
  assert.deepEqual(names.sort(), ["hass/webrtc", "webrtc/json"]);
});

Deno.test(
  await needs("Chromium plays when it hides its addresses, and when a data channel is its first line", "chromium"),
  async () => {
    await using server = await startRtcServer(STREAMS);
    await using browser = await openBrowser({ hidesAddresses: true });
    const rtc = await rtcPage(await browser.newPage(), server.api);
    const socket = await rtc.socket("demo");
    await decoded(rtc, socket, 30);
    const own = await rtc.run<string>(`return rtc.peers[${socket}].pc.localDescription.sdp`);
    assert.match(own, /^a=candidate:.*\.local /m);
    assert.doesNotMatch(own, /^a=candidate:.* \d+\.\d+\.\d+\.\d+ .*typ host/m);

    const withData = await rtc.run<number>(`
      const peer = await rtc.begin([], []);
      const channel = peer.pc.createDataChannel("first");
      await peer.pc.setLocalDescription(await peer.pc.createOffer());
      for (const kind of ["video", "audio"]) peer.pc.addTransceiver(kind, { direction: "recvonly" });
      await rtc.gathered(peer.pc);
      const { sdp } = peer.pc.localDescription;
      if (!/^m=application[^]*^m=video/m.test(sdp)) throw new Error("The data channel is not first: " + sdp);
      const response = await fetch("/api/webrtc?src=demo", {
        method: "POST", headers: { "content-type": "application/sdp" }, body: sdp,
      });
      await peer.pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
      return rtc.peers.length - 1;`);
    await decoded(rtc, withData, 30);
  },
);

Deno.test(await needs("A browser publishes its camera by WHIP, and another watches it", "chromium"), async () => {
  await using server = await startRtcServer(STREAMS);
  await using browser = await openBrowser({ secureOrigin: `http://${server.api}` });
  const rtc = await rtcPage(await browser.newPage(), server.api);
  const publisher = await rtc.run<number>(`
    const media = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    return await rtc.http("dst=phone", media.getTracks(), []);`);
  const [producer] = await until(async () => {
    const { producers } = await server.json<{ producers: { state?: string }[] }>("/api/streams?src=phone");
    return producers[0]?.state === "live" && producers;
  });
  assert.ok(producer);
  await decoded(rtc, await rtc.whep("phone"), 30);
  const location = await rtc.run<string>(`return rtc.peers[${publisher}].location`);
  assert.equal((await server.fetch(`/api/${location}`, { method: "DELETE" })).status, 200);
  await until(async () => (await rtc.report(publisher)).connection !== "connected");
});

Deno.test(await needs("A viewer that vanishes is gone within 15 s", "chromium", "netns"), async () => {
  await using lan = await openLan();
  await using server = await startRtcServer(STREAMS, { host: lan.host }, `listen: "${lan.host}:0"`);
  await using browser = await openBrowser({ namespace: lan.namespace });
  const rtc = await rtcPage(await browser.newPage(), server.api);
  await decoded(rtc, await rtc.socket("demo"), 10);
  const sinceMs = performance.now();
  await lan.cut();
  await until(async () => (await consumers(server, "demo")).length === 0, 16_000);
  assert.ok(performance.now() - sinceMs < 15_500);
});
