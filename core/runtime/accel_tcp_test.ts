import assert from "node:assert/strict";
import { nativeObstacle } from "./accel_native.ts";
import { connectTcp, listenTcp } from "./deno.ts";

Deno.test({
  name: "StreamConn.writeNow() writes what fits within the call, and in order with write()",
  ignore: nativeObstacle() !== undefined,
  fn: async () => {
    const listener = listenTcp({ host: "127.0.0.1", port: 0 });
    const [client, server] = await Promise.all([connectTcp(listener.address), listener.accept()]);
    const piece = Uint8Array.from({ length: 1 << 18 }, (_, i) => i % 251);
    let sent = 0;
    for (;;) {
      const count = server.writeNow!(piece);
      sent += count;
      if (count < piece.length) break;
    }
    assert(sent > 0, "nothing was taken");
    assert.equal(server.writeNow!(piece), 0);
    const rest = piece.subarray(sent % piece.length);
    const written = (async () => {
      for (let at = 0; at < rest.length;) at += await server.write(rest.subarray(at));
    })();
    const total = sent + rest.length;
    const buffer = new Uint8Array(1 << 16);
    let got = 0;
    while (got < total) {
      const count = await client.read(buffer);
      assert(count !== null);
      for (let i = 0; i < count; i++) assert.equal(buffer[i], (got + i) % (1 << 18) % 251);
      got += count;
    }
    await written;
    assert.equal(server.writeNow!(piece.subarray(0, 10)), 10);
    server.close();
    assert.equal(server.writeNow!(piece), 0);
    // The descriptor of our own does not keep the connection open.
    assert.equal(await client.read(buffer), 10);
    assert.equal(await client.read(buffer), null);
    client.close();
    listener.close();
  },
});

Deno.test({
  name: "StreamConn.writeNow() finds each connection, whatever was there with its descriptor before",
  ignore: nativeObstacle() !== undefined,
  fn: async () => {
    const listener = listenTcp({ host: "127.0.0.1", port: 0 });
    const dial = () => Promise.all([connectTcp(listener.address), listener.accept()]);
    const buffer = new Uint8Array(10);
    const there = await dial();
    assert.equal(there[1].writeNow!(Uint8Array.of(1)), 1);
    for (let round = 2; round < 6; round++) {
      const [client, server] = await dial();
      assert.equal(server.writeNow!(Uint8Array.of(round)), 1);
      assert.equal(await client.read(buffer), 1);
      assert.equal(buffer[0], round);
      server.close();
      client.close();
    }
    assert.equal(await there[0].read(buffer), 1);
    assert.equal(buffer[0], 1);
    for (const conn of there) conn.close();
    listener.close();
  },
});

Deno.test({
  name: "StreamConn.writeNow() leaves errors to write()",
  ignore: nativeObstacle() !== undefined,
  fn: async () => {
    const listener = listenTcp({ host: "127.0.0.1", port: 0 });
    const [client, server] = await Promise.all([connectTcp(listener.address), listener.accept()]);
    client.close();
    assert.equal(await server.read(new Uint8Array(1)), null);
    // The first one is answered with a reset, which the next one finds.
    while (server.writeNow!(new Uint8Array(1000)) > 0) await new Promise((resolve) => setTimeout(resolve));
    await assert.rejects(server.write(new Uint8Array(1)));
    server.close();
    listener.close();
  },
});
