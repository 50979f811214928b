import assert from "node:assert/strict";
import { nativeObstacle } from "./accel_native.ts";
import { SilentPeers } from "./silent_peers.ts";

const encoder = new TextEncoder();

async function say(conn: Deno.Conn, text: string): Promise<string> {
  await conn.write(encoder.encode(text));
  const buffer = new Uint8Array(4096);
  const count = await conn.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}

const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

Deno.test({
  name: "SilentPeers ends connections that never ask, and no others",
  ignore: nativeObstacle() !== undefined,
  fn: async () => {
    const asked = new Set<number>();
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (_, { remoteAddr }) => {
      asked.add(remoteAddr.port);
      return new Response("here");
    });
    const { port } = server.addr;
    using peers = new SilentPeers(port);
    const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
    using silent = await connect();
    using halfway = await connect();
    using talker = await connect();
    await halfway.write(encoder.encode("GET / HTTP/1.1\r\nHost"));
    assert.match(await say(talker, REQUEST), /here$/);
    for (const own of asked) peers.spoke(own);
    assert.equal(peers.look(0), 0);
    assert.equal(peers.look(19_000), 0);
    assert.equal(peers.look(20_000), 2);
    const end = async (conn: Deno.Conn) => await conn.read(new Uint8Array(1)).catch(() => null);
    assert.equal(await end(silent), null);
    assert.equal(await end(halfway), null);
    assert.match(await say(talker, REQUEST), /here$/);
  },
});

Deno.test({
  name: "SilentPeers looks when there are many connections, and forgets the ports of those that have gone",
  ignore: nativeObstacle() !== undefined,
  fn: () => {
    using peers = new SilentPeers(1);
    assert.deepEqual([peers.isDue(63), peers.isDue(64)], [false, true]);
    for (let port = 1024; port < 2048; port++) peers.spoke(port);
    assert.equal(peers.isDue(10), true);
    assert.equal(peers.look(0), 0);
    assert.equal(peers.isDue(10), false);
  },
});
