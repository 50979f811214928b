import assert from "node:assert/strict";
import { IceHub } from "./ice_hub.ts";
import { checkBytes, TcpPeer, TestListener, testSession } from "./ice_testing.ts";
import { TcpMux, type TcpMuxOptions } from "./tcp_mux.ts";

const DATA = Uint8Array.of(128, 1, 2, 3);

function served(options: Partial<TcpMuxOptions> = {}) {
  const hub = new IceHub();
  const mux = new TcpMux({ hub, ...options });
  const listener = new TestListener(mux);
  return {
    hub,
    mux,
    at: listener.address,
    [Symbol.dispose]() {
      listener[Symbol.dispose]();
      hub[Symbol.dispose]();
    },
  };
}

async function connected(it: ReturnType<typeof served>) {
  const { session, owner } = testSession(it.hub, undefined, { isLite: true });
  const peer = await TcpPeer.connect(it.at);
  await peer.send(checkBytes({ session }));
  await peer.answers.take();
  return { session, owner, peer };
}

Deno.test("TcpMux carries framed packets both ways once a check was authentic", async () => {
  using it = served();
  const { session, owner, peer } = await connected(it);
  const path = await owner.selections.take();
  assert.equal(path.protocol, "tcp");
  assert.deepEqual([it.mux.size, it.mux.pending], [1, 0]);
  await peer.send(DATA);
  assert.deepEqual(await owner.data.take(), DATA);
  // In one piece, cut in the middle of a frame.
  await peer.sendRaw(Uint8Array.of(0, 2, 128, 1, 0, 3, 22));
  assert.deepEqual(await owner.data.take(), Uint8Array.of(128, 1));
  await peer.sendRaw(Uint8Array.of(5, 6));
  assert.deepEqual(await owner.data.take(), Uint8Array.of(22, 5, 6));
  assert.equal(session.sendBatch(Uint8Array.of(128, 1, 128, 2, 3), [0, 2]), 2);
  assert.deepEqual(await peer.data.take(), Uint8Array.of(128, 1));
  assert.deepEqual(await peer.data.take(), Uint8Array.of(128, 2, 3));
  session.close();
  await peer.closed;
  peer[Symbol.dispose]();
});

Deno.test("TcpMux gives sessions bytes that stay valid, however they are cut", async () => {
  using it = served();
  const { session, owner, peer } = await connected(it);
  const packets = Array.from({ length: 60 }, (_none, i) => new Uint8Array(1000 + i).fill(i).fill(128, 0, 1));
  const stream = packets.flatMap((packet) => [packet.length >> 8, packet.length & 0xff, ...packet]);
  for (let at = 0; at < stream.length; at += 777) await peer.sendRaw(Uint8Array.from(stream.slice(at, at + 777)));
  const received: Uint8Array[] = [];
  for (const _packet of packets) received.push(await owner.data.take());
  assert.deepEqual(received, packets);
  session.close();
  await peer.closed;
  peer[Symbol.dispose]();
});

Deno.test("TcpMux ends the session when the viewer closes its connection", async () => {
  using it = served();
  const { owner, peer } = await connected(it);
  peer[Symbol.dispose]();
  assert.match(await owner.closed.take(), /closed its connection/);
  assert.equal(it.hub.size, 0);
});

Deno.test("TcpMux closes connections that never speak, and serves others meanwhile", async () => {
  using it = served({ firstCheckMs: 300 });
  const silent = await Promise.all(Array.from({ length: 63 }, () => TcpPeer.connect(it.at)));
  const { session, owner, peer } = await connected(it);
  await owner.selections.take();
  await Promise.all(silent.map((one) => one.closed));
  assert.deepEqual([it.mux.size, it.mux.pending], [1, 0]);
  session.close();
  await peer.closed;
  for (const one of [...silent, peer]) one[Symbol.dispose]();
});

Deno.test("TcpMux closes a connection of strange, forged, too large or too many words at once", async () => {
  using it = served({ firstCheckMs: 60_000 });
  const { session } = testSession(it.hub, undefined, { isLite: true });
  const http = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const wrong = checkBytes({ session, pwd: "wrong" });
  for (const bytes of [http, Uint8Array.of(0, 1, 128), Uint8Array.of(0, wrong.length, ...wrong)]) {
    using peer = await TcpPeer.connect(it.at);
    await peer.sendRaw(bytes);
    await peer.closed;
    assert.equal(peer.answers.size, 0);
  }
  const good = await connected(it);
  await good.peer.sendRaw(Uint8Array.of(255, 255));
  await good.peer.closed;
  good.peer[Symbol.dispose]();
  assert.match(await good.owner.closed.take(), /closed its connection/);
  const many = await Promise.all(Array.from({ length: 70 }, () => TcpPeer.connect(it.at)));
  await Promise.any(many.map((one) => one.closed));
  assert.ok(it.mux.pending <= 64);
  for (const one of many) one[Symbol.dispose]();
  session.close();
});

Deno.test("TcpMux drops frames for a peer that does not read, within a bound", async () => {
  using it = served();
  const { session, owner } = testSession(it.hub, undefined, { isLite: true });
  const conn = await Deno.connect({ hostname: it.at.host, port: it.at.port });
  const check = checkBytes({ session });
  await conn.write(Uint8Array.of(0, check.length, ...check));
  const path = await owner.selections.take();
  const frame = new Uint8Array(100_000).fill(128);
  const offsets = Array.from({ length: 100 }, (_none, i) => i * 1000);
  let dropped = 0;
  for (let i = 0; i < 300; i++) {
    if (session.sendBatch(frame, offsets) === 0) dropped++;
    await Promise.resolve();
  }
  assert.ok(dropped > 0);
  assert.ok(session.bytesInFlight <= 512 << 10);
  assert.equal(path.packetsDropped, dropped * 100);
  assert.ok(session.send(Uint8Array.of(128, 1)));
  const drained = Promise.withResolvers<void>();
  owner.onDrained = drained.resolve;
  const buffer = new Uint8Array(64 << 10);
  const reading = (async () => {
    while (await conn.read(buffer) !== null);
  })().catch(() => {});
  await drained.promise;
  assert.equal(session.bytesInFlight, 0);
  assert.equal(session.sendBatch(frame, offsets), 100);
  session.close();
  await reading;
  conn.close();
});

Deno.test("TcpMux refuses families that the filters leave out", async () => {
  using it = served({ allows: (family) => family === "IPv6" });
  using peer = await TcpPeer.connect(it.at);
  await peer.closed;
  assert.equal(it.mux.size, 0);
});
