import assert from "node:assert/strict";
import { serveHttp, upgradeWebSocket } from "./mod.ts";

// Viewers share the bytes of a frame: each has its times written into them right before they are sent.
Deno.test("ServerSocket.send() has copied the bytes when it returns", async () => {
  const server = serveHttp({ host: "127.0.0.1" }, (request) => {
    const { response, socket } = upgradeWebSocket(request);
    socket.onOpen = () => {
      const shared = new Uint8Array(100_000);
      for (const mark of [1, 2, 3]) {
        shared.fill(mark);
        socket.send(shared);
      }
      shared.fill(9);
    };
    return response;
  });
  const client = new WebSocket(`ws://127.0.0.1:${server.address.port}/`);
  client.binaryType = "arraybuffer";
  const marks: number[] = [];
  await new Promise<void>((resolve) => {
    client.onmessage = ({ data }) => {
      const bytes = new Uint8Array(data);
      assert(bytes.every((byte) => byte === bytes[0]));
      if (marks.push(bytes[0]!) === 3) resolve();
    };
  });
  assert.deepEqual(marks, [1, 2, 3]);
  const closed = new Promise((resolve) => client.onclose = resolve);
  client.close();
  await closed;
  await server.close();
});
