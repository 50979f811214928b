import assert from "node:assert/strict";
import { listenUdp, type SocketAddress } from "../../core/mod.ts";
import { IceHub } from "./ice_hub.ts";
import { checkBytes, localAddress, recordingLogger, silentLogger, testSession, UdpPeer } from "./ice_testing.ts";
import { isMedia, UdpMux, type UdpMuxOptions } from "./udp_mux.ts";

const DATA = Uint8Array.of(128, 1, 2, 3);

function opened(options: Partial<UdpMuxOptions> = {}, hosts = ["127.0.0.1"]) {
  const hub = new IceHub();
  const udp = new UdpMux({ hub, log: silentLogger, port: 0, ...options });
  udp.bind(hosts.map(localAddress));
  return {
    hub,
    udp,
    [Symbol.dispose]() {
      udp[Symbol.dispose]();
      hub[Symbol.dispose]();
    },
  };
}

Deno.test("UdpMux serves all sessions on one port, one socket for each address", async () => {
  using it = opened({}, ["127.0.0.1", "127.0.0.2", "::1"]);
  const { addresses } = it.udp;
  assert.deepEqual(addresses.map(({ host }) => host), ["127.0.0.1", "127.0.0.2", "::1"]);
  assert.equal(new Set(addresses.map(({ port }) => port)).size, 1);
  const sessions = [0, 1, 2].map(() => testSession(it.hub, it.udp, { isLite: true }));
  for (const [i, { session, owner }] of sessions.entries()) {
    const at = addresses[i]!;
    using peer = new UdpPeer({ host: at.host === "::1" ? "::1" : "127.0.0.1" });
    await peer.check({ session }, at);
    assert.equal((await owner.selections.take()).local.host, at.host);
    await peer.send(Uint8Array.of(128, i), at);
    assert.deepEqual(await owner.data.take(), Uint8Array.of(128, i));
    session.close();
  }
});

Deno.test("UdpMux has its ports free again when it says so", async () => {
  const it = opened();
  const [at] = it.udp.addresses;
  // It waits for a datagram.
  await new Promise((resolve) => setTimeout(resolve));
  it[Symbol.dispose]();
  await it.udp.released;
  listenUdp({ host: at!.host, port: at!.port }).close();
});

Deno.test("UdpMux does bounded work for a flood of checks from one address, and serves others meanwhile", async () => {
  using it = opened();
  const at = it.udp.addresses[0]!;
  const { session } = testSession(it.hub, it.udp, { isLite: true });
  const viewer = testSession(it.hub, it.udp, { isLite: true });
  using known = new UdpPeer();
  await known.check({ session: viewer.session }, at);
  using flooder = new UdpPeer();
  const bytes = checkBytes({ session, pwd: "wrong" });
  for (let sent = 0; sent < 10_000; sent += 100) {
    for (let i = 0; i < 100; i++) await flooder.send(bytes, at);
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (sent % 2000 === 0) await known.check({ session: viewer.session }, at);
  }
  await known.check({ session: viewer.session }, at);
  const { unauthentic, limited } = it.hub.counters;
  assert.ok(unauthentic <= 1000, String(unauthentic));
  assert.ok(limited > 2000, String(limited));
  assert.equal(flooder.answers.size, 0);
  session.close();
  viewer.session.close();
});

Deno.test("UdpMux bounds what is in flight to one peer, and reports when all is gone", async () => {
  using it = opened();
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  await peer.check({ session }, it.udp.addresses[0]!);
  const path = await owner.selections.take();
  const drained = Promise.withResolvers<void>();
  owner.onDrained = drained.resolve;
  const packets = 2000;
  const bytes = new Uint8Array(packets * 10).fill(128);
  const taken = session.sendBatch(bytes, Array.from({ length: packets }, (_none, i) => i * 10));
  assert.ok(taken > 300 && taken < packets, String(taken));
  assert.equal(session.bytesInFlight, taken * 10);
  assert.equal(path.packetsDropped, packets - taken);
  await drained.promise;
  assert.equal(session.bytesInFlight, 0);
  assert.ok(session.send(DATA));
  session.close();
});

Deno.test("UdpMux hands frames to an accelerated sender, and sends what that one leaves", async () => {
  const calls: [number, SocketAddress][] = [];
  let disposals = 0;
  using it = opened({
    batchOf: () => ({
      send(_bytes, offsets, to) {
        calls.push([offsets.length, to]);
        return 1;
      },
      [Symbol.dispose]() {
        disposals++;
      },
    }),
  });
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  await peer.check({ session }, it.udp.addresses[0]!);
  const path = await owner.selections.take();
  const { bytesSent, packetsSent } = path;
  assert.equal(session.sendBatch(Uint8Array.of(128, 1, 128, 2, 128, 3), [0, 2, 4]), 3);
  assert.deepEqual(calls, [[3, peer.address]]);
  assert.deepEqual(await peer.data.take(), Uint8Array.of(128, 2));
  assert.deepEqual(await peer.data.take(), Uint8Array.of(128, 3));
  assert.deepEqual([path.packetsSent - packetsSent, path.bytesSent - bytesSent], [3, 6]);
  session.close();
  it.udp[Symbol.dispose]();
  assert.equal(disposals, 1);
});

Deno.test("UdpMux reports a port in use once, runs on the other addresses, and takes it as soon as it is free", () => {
  const taken = listenUdp({ host: "127.0.0.1", port: 0 });
  const { port } = taken.address;
  using it = opened({ port }, []);
  const both = ["127.0.0.1", "127.0.0.2"].map(localAddress);
  const failure = { where: `UDP 127.0.0.1:${port}`, cause: "the port is in use by another program" };
  assert.deepEqual(it.udp.bind(both), [failure]);
  assert.deepEqual(it.udp.bind(both), []);
  assert.deepEqual(it.udp.addresses, [{ host: "127.0.0.2", port }]);
  taken.close();
  assert.deepEqual(it.udp.bind(both), []);
  assert.equal(it.udp.addresses.length, 2);
});

Deno.test("UdpMux takes ports of a range", () => {
  const probe = listenUdp({ host: "127.0.0.1", port: 0 });
  const { port } = probe.address;
  const range = [port, Math.min(port + 20, 65535)] as const;
  using it = opened({ portRange: range }, ["127.0.0.1", "127.0.0.2"]);
  for (const { port: own } of it.udp.addresses) assert.ok(own >= range[0] && own <= range[1]);
  assert.equal(it.udp.addresses.length, 2);
  probe.close();
});

Deno.test("UdpMux closes the socket of an address that is gone; its sessions wait for another path", async () => {
  using it = opened({}, ["127.0.0.1", "127.0.0.2"]);
  const [gone, stays] = it.udp.addresses;
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  await peer.check({ session }, gone!);
  await owner.selections.take();
  it.udp.bind([localAddress(stays!.host)]);
  assert.equal(session.selected, undefined);
  assert.equal(session.send(DATA), false);
  await peer.check({ session }, stays!);
  assert.equal((await owner.selections.take()).local.host, stays!.host);
  session.close();
});

Deno.test("UdpMux serves the others at once when a session cannot take its datagrams", async () => {
  const lines: string[] = [];
  using it = opened({ log: recordingLogger(lines) });
  const at = it.udp.addresses[0]!;
  const odd = testSession(it.hub, it.udp, { isLite: true });
  const { session } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  using other = new UdpPeer();
  await peer.check({ session: odd.session }, at);
  odd.owner.onData = () => {
    throw new Error("odd");
  };
  for (let i = 0; i < 100; i++) await peer.send(DATA, at);
  const sentMs = performance.now();
  await other.check({ session }, at);
  assert.ok(performance.now() - sentMs < 1000);
  assert.match(lines[0]!, /^warn Cannot take a datagram of 127\.0\.0\.1:\d+: odd; it is dropped$/);
  odd.session.close();
  session.close();
});

Deno.test("UdpMux gives sessions bytes that stay valid", async () => {
  using it = opened();
  const at = it.udp.addresses[0]!;
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  await peer.check({ session }, at);
  const packets = Array.from({ length: 120 }, (_none, i) => new Uint8Array(1400).fill(i).fill(128, 0, 1));
  const received: Uint8Array[] = [];
  for (const packet of packets) {
    await peer.send(packet, at);
    received.push(await owner.data.take());
  }
  assert.deepEqual(received, packets);
  session.close();
});

Deno.test("isMedia() lets DTLS, RTP and RTCP pass", () => {
  const passing = Array.from({ length: 256 }, (_none, first) => first).filter((first) => isMedia(Uint8Array.of(first)));
  assert.deepEqual([passing.length, passing[0], passing[3], passing[4], passing.at(-1)], [68, 20, 23, 128, 191]);
  assert.equal(isMedia(new Uint8Array(0)), false);
});
