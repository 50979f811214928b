import assert from "node:assert/strict";
import { upgradeHttps } from "./https.ts";
import type { ServerSocket } from "./types.ts";

Deno.test("A socket of the runtime's server tells who saw something left when it is gone", async () => {
  const opened = Promise.withResolvers<ServerSocket>();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { response, socket } = upgradeHttps(request);
    socket.onOpen = () => opened.resolve(socket);
    return response;
  });
  const client = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
  const closed = new Promise((resolve) => client.addEventListener("close", resolve, { once: true }));
  const socket = await opened.promise;
  const drained = new Promise<void>((resolve) => socket.onDrain = resolve);
  socket.send(new Uint8Array(4 << 20));
  assert.ok(socket.bufferedAmount > 0);
  await drained;
  assert.equal(socket.bufferedAmount, 0);
  client.close();
  await closed;
});
