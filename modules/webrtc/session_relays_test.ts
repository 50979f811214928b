import assert from "node:assert/strict";
import { codec, type Principal, systemPrincipal } from "../../core/mod.ts";
import { TestCamera, TestEngine } from "./engine_testing.ts";
import type { Answered } from "./http.ts";
import { UdpPeer } from "./ice_testing.ts";
import { CHROMIUM_OFFER } from "./sdp_testing.ts";
import { FakeTurnServer } from "./turn/turn_testing.ts";

/** An engine, and a viewer who names a relay and can be reached at an address of its own. */
async function asked(peer: UdpPeer, relay: FakeTurnServer, principal: Principal) {
  const it = await TestEngine.open(
    new TestCamera({ kind: "video", direction: "recvonly", codecs: [codec("VP8")] }),
  );
  const { host, port } = peer.address;
  const sdp = `${CHROMIUM_OFFER}a=candidate:1 1 udp 2122260223 ${host} ${port} typ host\r\n`;
  const offer = it.offer(sdp, { isTrickle: true, iceServers: [relay.entry()], principal });
  return { it, answered: await it.engine.accept(offer) };
}

function relayedCandidate(answered: Answered): Promise<string> {
  return new Promise((resolve) => answered.onCandidate((text) => text.includes(" typ relay ") && resolve(text)));
}

Deno.test("A session uses the relay that the offer came with, tells of it, and gives it back", async () => {
  using peer = new UdpPeer();
  using relay = new FakeTurnServer();
  const { it, answered } = await asked(peer, relay, systemPrincipal);
  await using _it = it;
  const [, , , , host = "", port] = (await relayedCandidate(answered)).split(" ");
  const [ufrag, pwd] = ["ufrag", "pwd"].map((key) =>
    new RegExp(`^a=ice-${key}:(\\S+)`, "m").exec(answered.answer)![1]!
  );
  await relay.until(() => relay.asked.includes("CREATE_PERMISSION"));
  await peer.check({ session: { ufrag: ufrag!, pwd: pwd! } }, { host, port: Number(port) });
  const [stats] = it.engine.stats();
  assert.equal(stats!.local, "relay");
  assert.ok(String(stats!.path).startsWith(`udp ${host}:${port} 127.0.0.1:${peer.address.port} `));
  answered.close("the test is over");
  await relay.until(() => relay.asked.includes("REFRESH"));
  assert.equal(relay.size, 0);
});

Deno.test("A session asks no server that somebody names who may only watch", async () => {
  using peer = new UdpPeer({ answersChecks: true });
  using relay = new FakeTurnServer();
  const viewer: Principal = { ...systemPrincipal, isAdmin: false, mayOperate: false, isTrusted: false };
  const { it, answered } = await asked(peer, relay, viewer);
  await using _it = it;
  answered.onCandidate(() => {});
  await peer.checks.take();
  assert.deepEqual(relay.asked, []);
});
