/** A browser behind a router that translates addresses, and a server that is reached by a forwarded port alone. */
import assert from "node:assert/strict";
import { openBrowser } from "../support/browser.ts";
import { openNat } from "../support/nat.ts";
import { needs } from "../support/programs.ts";
import { consumers, decoded, rtcPage, startRtcServer } from "./webrtc_peer.ts";

const PORTS = { api: 80, webrtc: 8555 } as const;

Deno.test(
  await needs(
    "A browser behind NAT plays over a forwarded port, by TCP when UDP is dropped",
    "chromium",
    "nft",
    "netns",
  ),
  async () => {
    await using nat = await openNat();
    // Only the manual candidate leads to us, and no datagram of ours reaches the client unasked.
    const webrtc = `listen: "${nat.host}:8555"\ncandidates: ["${nat.publicHost}:${PORTS.webrtc}"]\n` +
      "filters: { candidates: [] }";
    await using server = await startRtcServer('streams:\n  demo: "demo:"\n', { host: nat.host }, webrtc);
    await nat.forward(PORTS.api, Number(server.api.split(":")[1]));
    await nat.forward(PORTS.webrtc, 8555);
    await using browser = await openBrowser({ namespace: nat.namespace });
    const rtc = await rtcPage(await browser.newPage(), `${nat.publicHost}:${PORTS.api}`);

    const byUdp = await rtc.whep("demo");
    const report = await decoded(rtc, byUdp, 30);
    assert.equal(report.connection, "connected");
    const [viewer] = await consumers(server, "demo");
    assert.equal(viewer!.protocol, "http+udp");
    assert.ok(!String(viewer!.remote_addr).includes(nat.client), "we see the router");
    await rtc.close(byUdp);

    await nat.dropUdp();
    const byTcp = await rtc.socket("demo");
    await decoded(rtc, byTcp, 30);
    assert.equal((await consumers(server, "demo")).at(-1)!.protocol, "ws+tcp");
  },
);
