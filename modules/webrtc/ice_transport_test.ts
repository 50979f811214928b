import assert from "node:assert/strict";
import { type InterfaceAddress, listenTcp, listenUdp } from "../../core/mod.ts";
import { IceTransport, type IceTransportOptions } from "./ice_transport.ts";
import { checkBytes, openListener, PEER, recordingLogger, TcpPeer, TestOwner, UdpPeer } from "./ice_testing.ts";

const LO: InterfaceAddress = { name: "lo", address: "127.0.0.1", family: "IPv4", cidr: "127.0.0.1/8" };
const LO2: InterfaceAddress = { ...LO, address: "127.0.0.2" };

async function opened(options: Partial<IceTransportOptions> = {}) {
  const lines: string[] = [];
  const transport = await IceTransport.open({
    listen: ":0",
    candidates: [],
    filters: {},
    serverUrls: [],
    log: recordingLogger(lines),
    openListener,
    interfaces: () => [LO],
    ...options,
  });
  return Object.assign(transport, { lines });
}

/** What of each line matters: protocol, host, kind. */
function short(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const [, , protocol, , host, , , type] = line.split(" ");
    return `${protocol} ${host} ${type}`;
  });
}

Deno.test("IceTransport has one session served over UDP and another over TCP", async () => {
  using transport = await opened();
  assert.deepEqual(short(transport.candidates()), ["udp 127.0.0.1 host", "tcp 127.0.0.1 host"]);
  const [byUdp, byTcp] = [new TestOwner(), new TestOwner()];
  const sessions = [byUdp, byTcp].map((owner) => transport.session(owner));
  for (const session of sessions) session.setRemote(PEER);
  using udp = new UdpPeer();
  await udp.check({ session: sessions[0]! }, transport.udpAddresses[0]!);
  using tcp = await TcpPeer.connect({ host: "127.0.0.1", port: transport.tcpPort });
  await tcp.send(checkBytes({ session: sessions[1]! }));
  assert.equal((await byUdp.selections.take()).protocol, "udp");
  assert.equal((await byTcp.selections.take()).protocol, "tcp");
  assert.deepEqual([transport.stats.sessions, transport.stats.tcpConnections], [2, 1]);
  for (const session of sessions) session.close();
  await tcp.closed;
});

Deno.test("IceTransport listens as each form of listen says", async () => {
  const forms = { ":0/tcp": ["udp", "tcp"], ":0/udp": ["udp"], "": ["udp"], "127.0.0.1:0": ["udp", "tcp"] };
  for (const [listen, protocols] of Object.entries(forms)) {
    using transport = await opened({ listen });
    assert.deepEqual(short(transport.candidates()).map((line) => line.split(" ")[0]), protocols, listen);
  }
  const probe = listenUdp({ host: "127.0.0.1", port: 0 });
  const { port } = probe.address;
  probe.close();
  using transport = await opened({ listen: "", filters: { udp_ports: [port, port] } });
  assert.deepEqual(transport.udpAddresses, [{ host: "127.0.0.1", port }]);
  await assert.rejects(opened({ listen: "nonsense" }), TypeError);
  await assert.rejects(opened({ listen: "", filters: { udp_ports: [9, 8] } }), TypeError);
});

/** Takes a port for UDP and TCP, each to be given back by itself. */
function takePort() {
  for (;;) {
    const udp = listenUdp({ host: "127.0.0.1", port: 0 });
    const { port } = udp.address;
    try {
      const tcp = listenTcp({ host: "127.0.0.1", port });
      const close = () => {
        udp.close();
        tcp.close();
      };
      return { port, udp, tcp, [Symbol.dispose]: close };
    } catch {
      // Somebody has the other one's: the next port may be free for both.
      udp.close();
    }
  }
}

Deno.test("IceTransport says when a port is in use, and the rest runs", async () => {
  {
    using taken = takePort();
    const { port } = taken;
    taken.tcp.close();
    using transport = await opened({ listen: `127.0.0.1:${port}` });
    assert.equal(transport.tcpPort, port);
    assert.deepEqual(short(transport.candidates()), ["tcp 127.0.0.1 host"]);
    assert.match(
      transport.lines.join(),
      new RegExp(`^error Cannot listen on UDP 127.0.0.1:${port}: the port is in use`),
    );
  }
  {
    using taken = takePort();
    taken.udp.close();
    using transport = await opened({ listen: `127.0.0.1:${taken.port}` });
    assert.equal(transport.tcpPort, 0);
    assert.deepEqual(short(transport.candidates()), ["udp 127.0.0.1 host"]);
    assert.match(transport.lines.join(), /^error Cannot listen on TCP 127.0.0.1:\d+: the port is in use/);
  }
  {
    using taken = takePort();
    using transport = await opened({ listen: `127.0.0.1:${taken.port}` });
    assert.equal(transport.lines.length, 1);
    assert.match(transport.lines.join(), /^error Cannot listen on UDP 127.0.0.1:\d+, TCP 127.0.0.1:\d+: the port is/);
  }
});

Deno.test("IceTransport adds manual candidates in order and leaves out bad ones with a warning", async () => {
  const candidates = ["203.0.113.9:8555", "my.name:443", "nonsense", "stun:8555"];
  using transport = await opened({ candidates, interfaces: () => [LO, LO2], filters: { loopback: true } });
  assert.deepEqual(short(transport.candidates()), [
    "udp 127.0.0.1 host",
    "udp 127.0.0.2 host",
    "udp 203.0.113.9 host",
    "udp my.name host",
    "tcp 127.0.0.1 host",
    "tcp 127.0.0.2 host",
    "tcp 203.0.113.9 host",
    "tcp my.name host",
  ]);
  assert.match(transport.lines.join(), /^warn Cannot read the candidate "nonsense"/);
  const undo = transport.addCandidate("198.51.100.7:1234", "tcp");
  assert.equal(short(transport.candidates()).at(-1), "tcp 198.51.100.7 host");
  undo();
  assert.equal(short(transport.candidates()).at(-1), "tcp my.name host");
  using tcpOnly = await opened({ listen: ":0/tcp", candidates: ["203.0.113.9:8555"], filters: { candidates: [] } });
  assert.deepEqual(short(tcpOnly.candidates()), ["tcp 203.0.113.9 host"]);
});

Deno.test("IceTransport connects over a loopback address that only a manual candidate names", async () => {
  const lan: InterfaceAddress = { ...LO, name: "eth0", address: "198.51.100.250" };
  using transport = await opened({ candidates: ["127.0.0.1:8555"], interfaces: () => [LO, lan] });
  assert.deepEqual(transport.udpAddresses.map(({ host }) => host), ["127.0.0.1"]);
  const owner = new TestOwner();
  using session = transport.session(owner);
  using peer = new UdpPeer();
  await peer.check({ session }, transport.udpAddresses[0]!);
  await owner.selections.take();
});

Deno.test("IceTransport waits for no STUN server when there is none to be reached", async () => {
  const never = new Promise<string[]>(() => {});
  using transport = await opened({
    candidates: ["stun:8555"],
    filters: { loopback: true },
    serverUrls: ["stun:stun.invalid:3478"],
    resolve: () => never,
  });
  const startMs = performance.now();
  assert.deepEqual(short(transport.candidates()), ["udp 127.0.0.1 host", "tcp 127.0.0.1 host"]);
  assert.ok(performance.now() - startMs < 50);
  assert.equal((await transport.gather(100)).length, 2);
  assert.ok(performance.now() - startMs < 400);
  const nextMs = performance.now();
  await transport.gather(100);
  assert.ok(performance.now() - nextMs < 50, "who comes while the question is open does not wait for it");
});

Deno.test("IceTransport tells the public address as soon as a STUN server has", async () => {
  using server = new UdpPeer({ answersChecks: true });
  using transport = await opened({
    candidates: ["stun:8555"],
    filters: { loopback: true },
    serverUrls: [`stun:127.0.0.1:${server.address.port}`],
  });
  const late = await transport.lateCandidates();
  assert.deepEqual(short(late), ["udp 127.0.0.1 host", "tcp 127.0.0.1 host"]);
  assert.ok(late.every((line) => line.includes(" 127.0.0.1 8555 ")));
  assert.equal((await transport.gather()).length, 4);
});
