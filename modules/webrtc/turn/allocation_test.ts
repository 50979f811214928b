import assert from "node:assert/strict";
import { parseIp, type SocketAddress } from "../../../core/mod.ts";
import { Inbox, UdpPeer } from "../ice_testing.ts";
import { TurnAllocation } from "./allocation.ts";
import type { TurnServer } from "./server.ts";
import { FakeTurnServer } from "./turn_testing.ts";

const LOCAL = parseIp("127.0.0.1")!;
const bytesOf = (text: string) => new TextEncoder().encode(text).map((byte) => byte | 0x80);

/** An allocation that keeps what it is told. */
async function opened(
  server: TurnServer,
  options: { readonly signal?: AbortSignal; readonly upkeepMs?: number } = {},
) {
  const data = new Inbox<{ bytes: Uint8Array; from: SocketAddress }>();
  const ends = new Inbox<string>();
  const allocation = await TurnAllocation.open(server, {
    onData: (bytes, from) => data.put({ bytes: bytes.slice(), from }),
    onDrained() {},
    onEnd: (reason) => ends.put(reason),
  }, { signal: new AbortController().signal, ...options });
  return { allocation, data, ends };
}

for (const transport of ["udp", "tcp"] as const) {
  Deno.test(`TurnAllocation relays to a peer and back over ${transport}, and gives the address back`, async () => {
    using server = new FakeTurnServer();
    using peer = new UdpPeer();
    const { allocation, data } = await opened(server.known(transport));
    assert.equal(allocation.relayed.host, "127.0.0.1");
    await allocation.permit(LOCAL);
    assert.ok(allocation.sendTo({ ip: LOCAL, port: peer.address.port }, bytesOf("one")));
    assert.deepEqual(await peer.data.take(), bytesOf("one"));
    await peer.send(bytesOf("hello"), allocation.relayed);
    assert.deepEqual(await data.take(), { bytes: bytesOf("hello"), from: peer.address });

    const channel = await allocation.openChannel(peer.address);
    assert.ok(allocation.sendOver(channel, bytesOf("three")));
    assert.deepEqual(await peer.data.take(), bytesOf("three"));
    await peer.send(bytesOf("there"), allocation.relayed);
    assert.deepEqual(await data.take(), { bytes: bytesOf("there"), from: peer.address });
    assert.deepEqual(server.relayed, { indications: 1, channels: 1 });

    await allocation.release();
    assert.equal(server.size, 0);
    assert.deepEqual(server.asked, ["ALLOCATE", "ALLOCATE", "CREATE_PERMISSION", "CHANNEL_BIND", "REFRESH"]);
    assert.ok(!allocation.sendOver(channel, bytesOf("late")));
  });
}

Deno.test("TurnAllocation takes a new nonce when the old one is stale", async () => {
  using server = new FakeTurnServer();
  const { allocation } = await opened(server.known("udp"));
  server.nonce = "second";
  await allocation.permit(LOCAL);
  assert.deepEqual(server.asked.slice(2), ["CREATE_PERMISSION", "CREATE_PERMISSION"]);
  server.nonce = "third";
  await allocation.release();
  assert.equal(server.size, 0);
});

Deno.test("TurnAllocation is renewed before its time is over, with its permissions and channels", async () => {
  using server = new FakeTurnServer();
  server.lifetimeS = 1;
  const { allocation } = await opened(server.known("udp"), { upkeepMs: 300 });
  await allocation.permit(LOCAL);
  await allocation.openChannel({ host: "127.0.0.1", port: 9999 });
  const count = (method: string) => server.asked.filter((one) => one === method).length;
  await server.until(() => count("REFRESH") >= 2 && count("CREATE_PERMISSION") >= 2 && count("CHANNEL_BIND") >= 2);
  await allocation.release();
});

Deno.test("TurnAllocation takes one channel to a peer, however often it is asked for", async () => {
  using server = new FakeTurnServer();
  const { allocation } = await opened(server.known("udp"));
  const [one, other] = [{ host: "127.0.0.1", port: 9999 }, { host: "127.0.0.1", port: 9998 }];
  assert.equal(await allocation.openChannel(one), 0x4000);
  assert.equal(await allocation.openChannel(other), 0x4001);
  assert.equal(await allocation.openChannel({ ...one }), 0x4000);
  await allocation.release();
});

Deno.test("TurnAllocation asks again when a datagram is lost", async () => {
  using server = new FakeTurnServer();
  server.silentFor.add("ALLOCATE");
  const opening = opened(server.known("udp"));
  await server.until(() => server.asked.length === 1);
  server.silentFor.clear();
  const { allocation } = await opening;
  await allocation.release();
});

Deno.test("TurnAllocation says which login is refused, and that one is missing", async () => {
  using server = new FakeTurnServer();
  await assert.rejects(opened(server.known("udp", { credential: "wrong" })), {
    code: "UNAUTHORIZED",
    message: /^webrtc: turn:127.0.0.1:\d+ refuses the login of ice_servers: check username and credential$/,
  });
  await assert.rejects(opened(server.known("tcp", { username: "" })), { message: /it needs username and credential$/ });
  assert.equal(server.size, 0);
});

Deno.test("TurnAllocation gives back what is granted to who has given up", async () => {
  using server = new FakeTurnServer();
  const controller = new AbortController();
  server.silentFor.add("ALLOCATE");
  const opening = opened(server.known("udp"), { signal: controller.signal });
  await server.until(() => server.asked.length === 1);
  controller.abort(new Error("Nobody watches"));
  server.silentFor.clear();
  await assert.rejects(opening, /Nobody watches/);
  assert.equal(server.asked.at(-1), "REFRESH");
  assert.equal(server.size, 0);
});

Deno.test("TurnAllocation tells nothing more while it is given back", async () => {
  using server = new FakeTurnServer();
  using peer = new UdpPeer();
  const { allocation, data } = await opened(server.known("udp"));
  await allocation.permit(LOCAL);
  server.silentFor.add("REFRESH");
  const released = allocation.release();
  await server.until(() => server.asked.at(-1) === "REFRESH");
  await peer.send(bytesOf("late"), allocation.relayed);
  server.silentFor.clear();
  await released;
  assert.equal(server.size, 0);
  assert.equal(data.size, 0);
});

Deno.test("TurnAllocation ends with its connection, and when it is not renewed", async () => {
  using server = new FakeTurnServer();
  {
    const { allocation, ends } = await opened(server.known("tcp"));
    server.dropConnections();
    assert.equal(await ends.take(), "the server closed the connection");
    assert.ok(!allocation.sendTo({ ip: LOCAL, port: 9 }, bytesOf("x")));
    await assert.rejects(allocation.permit(LOCAL), { code: "CLOSED" });
  }
  server.lifetimeS = 1;
  const { ends } = await opened(server.known("udp"));
  server.forget();
  assert.match(await ends.take(), /answered 437$/);
});
