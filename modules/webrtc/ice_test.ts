import assert from "node:assert/strict";
import { CLOSE_AFTER_MS, PAUSE_AFTER_MS } from "./ice.ts";
import { IceHub } from "./ice_hub.ts";
import { checkBytes, localAddress, PEER, silentLogger, testSession, UdpPeer } from "./ice_testing.ts";
import { StunMessage, StunType } from "./stun.ts";
import { UdpMux } from "./udp_mux.ts";

const DATA = Uint8Array.of(22, 1, 2, 3);

function server(hosts = ["127.0.0.1"]) {
  const hub = new IceHub();
  const udp = new UdpMux({ hub, log: silentLogger, port: 0 });
  udp.bind(hosts.map(localAddress));
  const at = udp.addresses[0]!;
  return {
    hub,
    udp,
    at,
    [Symbol.dispose]() {
      udp[Symbol.dispose]();
      hub[Symbol.dispose]();
    },
  };
}

for (const host of ["127.0.0.1", "::1"]) {
  Deno.test(`IceSession answers an authentic check and carries data both ways over ${host}`, async () => {
    using it = server([host]);
    const { session, owner } = testSession(it.hub, it.udp);
    using peer = new UdpPeer({ host });
    const answer = await peer.check({ session }, it.at);
    assert.equal(answer.type, StunType.SUCCESS);
    assert.ok(answer.isSignedWith(new TextEncoder().encode(session.pwd)));
    assert.equal(answer.mappedAddress()!.port, peer.address.port);
    const path = await owner.selections.take();
    assert.deepEqual([path.protocol, path.remote], ["udp", peer.address]);
    assert.equal(session.state, "connected");
    await peer.send(DATA, it.at);
    assert.deepEqual(await owner.data.take(), DATA);
    assert.ok(session.send(DATA));
    assert.deepEqual(await peer.data.take(), DATA);
    assert.equal(session.sendBatch(Uint8Array.of(128, 1, 2, 128, 3, 4), [0, 3]), 2);
    assert.deepEqual(await peer.data.take(), Uint8Array.of(128, 1, 2));
    assert.deepEqual(await peer.data.take(), Uint8Array.of(128, 3, 4));
    session.close();
    assert.equal(session.send(DATA), false);
  });
}

Deno.test("IceSession answers nothing that is not authentic, and forged messages change nothing", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  using forger = new UdpPeer();
  await peer.check({ session }, it.at);
  const selected = session.selected;
  const forged = [
    checkBytes({ session: { ufrag: "nobody", pwd: session.pwd } }),
    checkBytes({ session, pwd: "wrong", nominates: true }),
    checkBytes({ session, isUnsigned: true, nominates: true }),
    DATA,
    Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 0),
    Uint8Array.of(0, 1, 0, 0),
    new Uint8Array(0),
  ];
  for (const bytes of forged) await forger.send(bytes, it.at);
  // One that has to be answered comes after them: by then all of them were looked at.
  const other = testSession(it.hub, it.udp, { isLite: true });
  await forger.check({ session: other.session }, it.at);
  assert.equal(forger.answers.size, 0);
  assert.equal(forger.checks.size, 0);
  assert.equal(owner.data.size, 0);
  assert.equal(session.selected, selected);
  assert.deepEqual(owner.states, ["connected"]);
  const { unknownUser, unauthentic, stranger } = it.hub.counters;
  assert.deepEqual([unknownUser, unauthentic], [1, 2]);
  assert.ok(stranger >= 3);
  session.close();
  other.session.close();
});

Deno.test("IceSession neither answers nor follows a check that is replayed from another address", async () => {
  using it = server();
  const { session } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  using replayer = new UdpPeer();
  const bytes = checkBytes({ session, nominates: true });
  await peer.send(bytes, it.at);
  await peer.answers.take();
  await peer.send(bytes, it.at);
  await peer.answers.take();
  await replayer.send(bytes, it.at);
  await peer.check({ session }, it.at);
  assert.equal(it.hub.counters.replayed, 1);
  assert.equal(replayer.answers.size, 0);
  assert.equal(session.selected!.remote.port, peer.address.port);
  session.close();
});

Deno.test("IceSession follows a nomination to an address that answers, and no other", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp);
  using first = new UdpPeer({ answersChecks: true });
  await first.check({ session, nominates: true }, it.at);
  assert.equal((await owner.selections.take()).remote.port, first.address.port);
  using mute = new UdpPeer();
  await mute.check({ session, nominates: true }, it.at);
  await mute.checks.take();
  assert.equal(session.selected!.remote.port, first.address.port);
  using second = new UdpPeer({ answersChecks: true });
  await second.check({ session, nominates: true }, it.at);
  assert.equal((await owner.selections.take()).remote.port, second.address.port);
  session.close();
});

Deno.test("IceSession leaves a silent path for one that shows life, without a nomination", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using first = new UdpPeer();
  await first.check({ session }, it.at);
  (await owner.selections.take()).heardMs -= 3001;
  using second = new UdpPeer();
  await second.check({ session }, it.at);
  assert.equal((await owner.selections.take()).remote.port, second.address.port);
  session.close();
});

Deno.test("IceSession pauses, asks for life, goes on, and ends when nothing comes any more", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  await peer.check({ session }, it.at);
  const heardMs = session.lastHeardMs;
  session.tick(heardMs + 3000);
  await peer.checks.take();
  session.tick(heardMs + PAUSE_AFTER_MS - 1);
  assert.equal(session.state, "connected");
  session.tick(heardMs + PAUSE_AFTER_MS + 1);
  assert.equal(session.state, "paused");
  assert.equal(session.send(DATA), false);
  await peer.check({ session }, it.at);
  assert.equal(session.state, "connected");
  session.heard(session.selected!, heardMs + 10_000);
  session.tick(heardMs + 10_000 + CLOSE_AFTER_MS + 1);
  assert.match(await owner.closed.take(), /nothing came from the peer for 14 s/);
  assert.deepEqual(owner.states, ["connected", "paused", "connected"]);
  assert.equal(it.hub.size, 0);
  await peer.send(checkBytes({ session }), it.at);
  await peer.send(DATA, it.at);
});

Deno.test("IceSession ends when no check ever comes", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp);
  session.tick(session.lastHeardMs + CLOSE_AFTER_MS + 1);
  assert.match(await owner.closed.take(), /no check of the peer arrived/);
});

Deno.test("IceSession sends checks to the candidates of a peer and takes the one that answers", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp);
  using peer = new UdpPeer({ answersChecks: true });
  const line = (rest: string) => session.addRemoteCandidate(`candidate:1 1 ${rest}`);
  assert.equal(line("udp 1 5f6e4e2c-0d2d-4bb2-9b7f-2b5a4a4a4a4a.local 50000 typ host"), false);
  assert.equal(line("tcp 1 127.0.0.1 9 typ host tcptype active"), false);
  assert.equal(line("udp 1 127.0.0.1 53 typ host"), false);
  assert.equal(line("udp 1 224.0.0.1 5000 typ host"), false);
  assert.equal(line("udp 1 nonsense"), false);
  assert.equal(line(`udp 1 127.0.0.1 ${peer.address.port} typ host generation 0`), true);
  const check = new StunMessage();
  assert.ok(check.read(await peer.checks.take()));
  assert.equal(check.receiver, PEER.ufrag);
  assert.equal(check.role, "controlled");
  assert.ok(check.isSignedWith(new TextEncoder().encode(PEER.pwd)));
  assert.equal((await owner.selections.take()).remote.port, peer.address.port);
  await peer.send(DATA, it.at);
  assert.deepEqual(await owner.data.take(), DATA);
  session.close();
});

Deno.test("IceSession sends a bounded number of checks, whatever candidates it is given", async () => {
  using it = server();
  const { session } = testSession(it.hub, it.udp);
  let taken = 0;
  for (let port = 20_000; port < 21_000; port++) {
    if (session.addRemoteCandidate(`candidate:1 1 udp 1 127.0.0.1 ${port} typ host`)) taken++;
  }
  assert.equal(taken, 100);
  let sent = 0;
  const startMs = performance.now();
  for (let ms = 0; ms < 6000 && session.sendNextCheck(startMs + ms); ms += 50) sent++;
  assert.ok(sent <= 101, String(sent));
  session.close();
  await Promise.resolve();
});

Deno.test("IceSession nominates when the peer is lite", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp);
  session.setRemote({ ...PEER, isLite: true });
  using peer = new UdpPeer({ answersChecks: true });
  session.addRemoteCandidate(`candidate:1 1 udp 1 127.0.0.1 ${peer.address.port} typ host`);
  const check = new StunMessage();
  assert.ok(check.read(await peer.checks.take()));
  assert.equal(check.role, "controlling");
  assert.ok(check.useCandidate);
  await owner.selections.take();
  session.close();
});

Deno.test("IceSession tells a peer that claims its role to change it", async () => {
  using it = server();
  const { session } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  const answer = await peer.check({ session, role: "controlled" }, it.at);
  assert.equal(answer.type, StunType.ERROR);
  assert.equal(answer.errorCode, 487);
  assert.equal(session.selected, undefined);
  await peer.check({ session, role: "controlling" }, it.at);
  assert.ok(session.selected);
  session.close();
});

Deno.test("IceSession.restart() goes on with the old credentials until the new ones are used", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  const old = { ufrag: session.ufrag, pwd: session.pwd };
  await peer.check({ session: old }, it.at);
  await owner.selections.take();
  session.restart();
  assert.notEqual(session.ufrag, old.ufrag);
  session.setRemote({ ufrag: "new", pwd: PEER.pwd });
  assert.equal((await peer.check({ session: old }, it.at)).type, StunType.SUCCESS);
  using moved = new UdpPeer();
  await moved.check({ session }, it.at);
  assert.equal((await owner.selections.take()).remote.port, moved.address.port);
  await peer.send(checkBytes({ session: old }), it.at);
  await moved.check({ session }, it.at);
  assert.equal(it.hub.counters.unknownUser, 1);
  assert.equal(peer.answers.size, 0);
  session.close();
});

Deno.test("IceSession.restart() leaves the peer the credentials that it uses, however often it is called", async () => {
  using it = server();
  const { session } = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  const used = { ufrag: session.ufrag, pwd: session.pwd };
  await peer.check({ session: used }, it.at);
  session.restart();
  const skipped = { ufrag: session.ufrag, pwd: session.pwd };
  session.restart();
  await peer.send(checkBytes({ session: skipped }), it.at);
  assert.equal((await peer.check({ session: used }, it.at)).type, StunType.SUCCESS);
  assert.equal(it.hub.counters.unknownUser, 1);
  await peer.check({ session }, it.at);
  await peer.send(checkBytes({ session: used }), it.at);
  await peer.check({ session }, it.at);
  assert.equal(it.hub.counters.unknownUser, 2);
  session.close();
});

Deno.test("IceSession lives on when its address is taken over by another session", async () => {
  using it = server();
  const { session, owner } = testSession(it.hub, it.udp, { isLite: true });
  const other = testSession(it.hub, it.udp, { isLite: true });
  using peer = new UdpPeer();
  await peer.check({ session }, it.at);
  await peer.check({ session: other.session }, it.at);
  assert.equal(session.selected, undefined);
  assert.equal(session.send(DATA), false);
  await peer.send(DATA, it.at);
  await other.owner.data.take();
  assert.equal(owner.data.size, 0);
  session.close();
  assert.ok(other.session.send(DATA));
  await peer.data.take();
  other.session.close();
});

Deno.test("Quirk(pion): IceSession checks once more behind its first answer, so that it is nominated at once", async () => {
  using it = server();
  const { session } = testSession(it.hub, it.udp);
  session.setRemote(PEER);
  using peer = new UdpPeer({ answersChecks: true });
  session.addRemoteCandidate(`candidate:1 1 udp 1 127.0.0.1 ${peer.address.port} typ host`);
  await peer.checks.take();
  await peer.check({ session }, it.at);
  await peer.checks.take();
  await peer.check({ session, nominates: true }, it.at);
  assert.equal(peer.checks.size, 0);
  session.close();
});

Deno.test("A session that cannot make its checks ends alone, and those of others go on", async () => {
  using it = server();
  using peer = new UdpPeer();
  using mute = new UdpPeer();
  const candidate = ({ port }: { port: number }) => `candidate:1 1 udp 1 127.0.0.1 ${port} typ host`;
  const odd = testSession(it.hub, it.udp);
  odd.session.addRemoteCandidate(candidate(mute.address));
  const { session } = testSession(it.hub, it.udp);
  session.addRemoteCandidate(candidate(peer.address));
  // Longer than a check may be.
  odd.session.setRemote({ ...PEER, ufrag: "x".repeat(600) });
  assert.match(await odd.owner.closed.take(), /its checks failed: A user name has at most 513 bytes/);
  for (let checks = 0; checks < 3; checks++) await peer.checks.take();
  assert.equal(it.hub.size, 1);
  session.close();
});

Deno.test("IceSession asks a lite peer for its consent while its media flows, and a browser only when nothing comes", async () => {
  using it = server();
  const asked = async (isLite: boolean) => {
    const { session, owner } = testSession(it.hub, it.udp);
    using peer = new UdpPeer({ answersChecks: true });
    session.setRemote({ ...PEER, isLite });
    session.addRemoteCandidate(`candidate:1 1 udp 1 127.0.0.1 ${peer.address.port} typ host`);
    const path = await owner.selections.take();
    const before = peer.checks.size;
    const startMs = performance.now();
    for (let ms = 0; ms < 30_000; ms += 250) {
      session.heard(path, startMs + ms);
      session.tick(startMs + ms);
    }
    session.send(DATA);
    await peer.data.take();
    session.close();
    return peer.checks.size - before;
  };
  const checks = await asked(true);
  assert.ok(checks >= 5 && checks <= 8, String(checks));
  assert.equal(await asked(false), 0);
});
