import assert from "node:assert/strict";
import { listenTcp, StreamError, writeAll } from "../../../core/mod.ts";
import { Inbox } from "../ice_testing.ts";
import { openLink } from "./link.ts";

/** What a link to a server that writes `bytes` tells, the last being the reason of its end. */
async function told(...bytes: readonly Uint8Array[]): Promise<(number | string)[]> {
  const listener = listenTcp({ host: "127.0.0.1", port: 0 });
  const { host, port } = listener.address;
  const events: (number | string)[] = [];
  const ends = new Inbox<string>();
  const opening = openLink({ host, port, transport: "tcp", username: "", credential: "", shown: "turn:test" }, {
    onMessage: (message) => events.push(message.length),
    onDrained() {},
    onEnd: (reason) => ends.put(reason),
  }, AbortSignal.timeout(5000));
  const conn = await listener.accept();
  const link = await opening;
  for (const one of bytes) await writeAll(conn, one);
  if (bytes.length === 0) conn.close();
  try {
    events.push(await ends.take());
    return events;
  } finally {
    link.close();
    conn.close();
    listener.close();
  }
}

function message(type: number, bodyBytes: number): Uint8Array {
  const bytes = new Uint8Array(20 + bodyBytes);
  new DataView(bytes.buffer).setUint32(0, type << 16 | bodyBytes);
  return bytes;
}

Deno.test("openLink() tells messages however they are cut, and ends when one is longer than any of TURN", async () => {
  const whole = message(0x0101, 100);
  const tooLong = Uint8Array.of(0x01, 0x01, 0xff, 0xff);
  assert.deepEqual(
    await told(whole.subarray(0, 2), new Uint8Array([...whole.subarray(2), ...whole]), tooLong),
    [120, 120, "the server does not speak TURN"],
  );
  assert.deepEqual(
    await told(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n")),
    ["the server does not speak TURN"],
  );
});

Deno.test("openLink() tells the end of a connection, and where there is none", async () => {
  assert.deepEqual(await told(), ["the server closed the connection"]);
  const server = { host: "127.0.0.1", port: 1, username: "", credential: "", shown: "turn:test" };
  const handlers = { onMessage() {}, onDrained() {}, onEnd() {} };
  const opening = openLink({ ...server, transport: "tcp" }, handlers, AbortSignal.timeout(5000));
  await assert.rejects(opening, (error: StreamError) => /^webrtc: cannot reach turn:test: /.test(error.message));
});
