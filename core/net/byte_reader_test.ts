import assert from "node:assert/strict";
import type { StreamConn } from "../runtime/types.ts";
import { ByteReader } from "./byte_reader.ts";

function connOf(...reads: string[]): StreamConn {
  const address = { host: "", port: 0 };
  return {
    localAddress: address,
    remoteAddress: address,
    read(buffer) {
      const text = reads.shift();
      return Promise.resolve(text === undefined ? null : new TextEncoder().encodeInto(text, buffer).written);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    close() {},
  };
}

Deno.test("ByteReader reads lines that come in pieces, then counted bytes", async () => {
  const reader = new ByteReader(connOf("HTTP/1.1 1", "01 OK\r", "\nA: b\n", "\r\nabc", "defg"));
  assert.equal(await reader.readLine(), "HTTP/1.1 101 OK");
  assert.equal(await reader.readLine(), "A: b");
  assert.equal(await reader.readLine(), "");
  assert.equal(new TextDecoder().decode(await reader.readExactly(5)), "abcde");
  assert.equal(new TextDecoder().decode(await reader.readSome(1)), "f");
  assert.equal(new TextDecoder().decode(await reader.readSome()), "g");
  assert.equal(await reader.readSome(), undefined);
});

Deno.test("ByteReader refuses a line without an end and a stream that ends in the middle", async () => {
  await assert.rejects(new ByteReader(connOf("x".repeat(100), "y".repeat(100))).readLine(150), /longer than 150 bytes/);
  await assert.rejects(new ByteReader(connOf("half")).readLine(), { code: "CLOSED" });
  await assert.rejects(new ByteReader(connOf("half")).readExactly(5), { code: "CLOSED" });
});
