import assert from "node:assert/strict";
import { connect } from "node:net";
import { connectTcp, listenTcp } from "./deno.ts";

Deno.test("accept() passes over clients that have gone again already", async () => {
  const listener = listenTcp({ host: "127.0.0.1", port: 0 });
  try {
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => {
        const socket = connect(listener.address, () => socket.resetAndDestroy());
        socket.on("close", () => resolve());
      });
    }
    const client = await connectTcp(listener.address);
    const server = await listener.accept();
    assert.equal(server.remoteAddress.port, client.localAddress.port);
    server.close();
    client.close();
  } finally {
    listener.close();
  }
});
