import assert from "node:assert/strict";
import { connectTcp, type StreamConn } from "../runtime/mod.ts";
import { parseListenAddress } from "./address.ts";
import { ConnectionListener } from "./connections.ts";
import { recordingLogger } from "./testing.ts";

async function readAll(conn: StreamConn): Promise<string> {
  const buffer = new Uint8Array(100);
  let text = "";
  for (;;) {
    const count = await conn.read(buffer).catch(() => null);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  conn.close();
  return text;
}

const dial = ({ address }: ConnectionListener) => connectTcp({ host: "127.0.0.1", port: address.port });

Deno.test("ConnectionListener serves each connection, whatever happens to the others", async () => {
  const lines: string[] = [];
  let count = 0;
  const listener = new ConnectionListener("127.0.0.1:0", async (conn, peer) => {
    if (count++ === 0) throw new Error("bad request");
    await conn.write(new TextEncoder().encode(`hello ${peer.host} ${peer.transport}`));
  }, { name: "test", log: recordingLogger(lines) });
  assert.equal(await readAll(await dial(listener)), "");
  assert.equal(await readAll(await dial(listener)), "hello 127.0.0.1 tcp");
  assert.deepEqual(lines, ["info listen", "warn bad request"]);
  await listener.stop();
  await assert.rejects(dial(listener));
});

Deno.test("ConnectionListener refuses more connections than it may have open", async () => {
  const lines: string[] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let count = 0;
  const listener = new ConnectionListener("127.0.0.1:0", async (conn) => {
    await conn.write(new Uint8Array([65 + count]));
    await gates[count++]!.promise;
  }, { name: "test", log: recordingLogger(lines), maxConnections: 1 });
  const first = await dial(listener);
  await first.read(new Uint8Array(1));
  assert.equal(await readAll(await dial(listener)), "");
  assert.match(lines.at(-1)!, /Refused a connection: 1 are open already/);
  gates[0]!.resolve();
  assert.equal(await readAll(first), "");
  const third = await dial(listener);
  assert.equal(await third.read(new Uint8Array(1)), 1);
  gates[1]!.resolve();
  await readAll(third);
  await listener.stop();
});

Deno.test("ConnectionListener.stop() has its address free again", async () => {
  const log = recordingLogger([]);
  const first = new ConnectionListener("127.0.0.1:0", async () => {}, { name: "test", log });
  const address = `127.0.0.1:${first.address.port}`;
  // It waits for a connection.
  await new Promise((resolve) => setTimeout(resolve));
  await first.stop();
  const second = new ConnectionListener(address, async () => {}, { name: "test", log });
  await second.stop();
});

Deno.test("ConnectionListener.stop() lets connections end and cuts off those that do not", async () => {
  const listener = new ConnectionListener("127.0.0.1:0", async (conn, _peer, signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    await conn.write(new TextEncoder().encode("bye"));
    await conn.read(new Uint8Array(1));
  }, { name: "test", log: recordingLogger([]) });
  const conn = await dial(listener);
  while (listener.connectionCount === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const buffer = new Uint8Array(3);
  const stopped = listener.stop();
  assert.equal(await conn.read(buffer), 3);
  const startMs = performance.now();
  await stopped;
  assert.ok(performance.now() - startMs < 2800);
  assert.equal(listener.connectionCount, 0);
  conn.close();
});

Deno.test("ConnectionListener says which key to change when the port is taken", async () => {
  const first = new ConnectionListener("127.0.0.1:0", async () => {}, { name: "a", log: recordingLogger([]) });
  const address = `127.0.0.1:${first.address.port}`;
  assert.throws(
    () => new ConnectionListener(address, async () => {}, { name: "rtsp", log: recordingLogger([]) }),
    { message: `Cannot listen on ${address}: the port is in use by another program, set rtsp.listen to another one` },
  );
  await first.stop();
});

Deno.test("parseListenAddress() reads the contract's form", () => {
  assert.deepEqual(parseListenAddress(":8554"), { host: "", port: 8554 });
  assert.deepEqual(parseListenAddress("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
  assert.deepEqual(parseListenAddress("[::1]:80"), { host: "::1", port: 80 });
  for (const text of ["", "8554", ":", ":99999", "::1:80", ":8554/tcp", "host"]) {
    assert.throws(() => parseListenAddress(text), TypeError, text);
  }
});
