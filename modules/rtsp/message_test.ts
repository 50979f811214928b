import assert from "node:assert/strict";
import fc from "fast-check";
import { BODY_LIMIT_BYTES, RtspHeaders, type RtspMessage, RtspParser, writeRequest, writeResponse } from "./message.ts";

type Item = { channel: number; packet: number[] } | RtspMessage;

/** Feeds bytes in pieces of the given sizes, and answers what came out. */
function parse(
  bytes: Uint8Array,
  sizes: readonly number[] = [],
  isStrict = false,
): { items: Item[]; parser: RtspParser } {
  const items: Item[] = [];
  const parser = new RtspParser({
    onPacket: (channel, packet) => items.push({ channel, packet: [...packet] }),
    onMessage: (message) => items.push(message),
  });
  parser.isStrict = isStrict;
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const space = parser.space();
    const count = Math.min(space.length, bytes.length - at, sizes.length > 0 ? sizes[i % sizes.length]! : Infinity);
    space.set(bytes.subarray(at, at + count));
    parser.advance(count);
    at += count;
  }
  return { items, parser };
}

function concat(...parts: (Uint8Array | string | readonly number[])[]): Uint8Array {
  const arrays = parts.map((part) => typeof part === "string" ? new TextEncoder().encode(part) : Uint8Array.from(part));
  const all = new Uint8Array(arrays.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of arrays) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function frame(channel: number, size: number, first = 0x80): Uint8Array {
  const bytes = new Uint8Array(4 + size).fill(7);
  bytes.set([0x24, channel, size >> 8, size & 255]);
  if (size > 0) bytes[4] = first;
  return bytes;
}

const channels = (items: readonly Item[]) => items.map((item) => "channel" in item ? item.channel : item.kind);

Deno.test("RtspParser reads messages and frames however they are cut", () => {
  const arbitraryFrame = fc.record({ channel: fc.nat(255), packet: fc.uint8Array({ minLength: 1, maxLength: 3000 }) });
  const arbitraryMessage = fc.record({ name: fc.constantFrom("OPTIONS", "PLAY"), body: fc.string({ maxLength: 50 }) });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(arbitraryFrame, arbitraryMessage), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 }),
      (inputs, sizes) => {
        const bytes = concat(
          ...inputs.map((input) =>
            "channel" in input
              ? concat([0x24, input.channel, input.packet.length >> 8, input.packet.length & 255], input.packet)
              : writeRequest(input.name, "rtsp://h/a", new RtspHeaders([["CSeq", "1"]]), input.body)
          ),
        );
        const { items, parser } = parse(bytes, sizes);
        assert.equal(parser.resyncs, 0);
        assert.deepEqual(
          items.map((item) => "channel" in item ? item : item.kind === "request" ? [item.method, item.body] : item),
          inputs.map((input) =>
            "channel" in input ? { channel: input.channel, packet: [...input.packet] } : [input.name, input.body]
          ),
        );
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("RtspParser takes any bytes: it answers, waits or says that the input is wrong", () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.constantFrom("RTSP/1.0 200 OK\r\n", "\r\n\r\n", "$", "OPTIONS ", "Content-Length: 99999\r\n", "\r\n", "GET_x")
      .map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(
      fc.array(noise, { maxLength: 30 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 100 }),
      (parts, strict, size) => {
        try {
          parse(concat(...parts), [size], strict);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "PROTOCOL");
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("RtspParser hands out views that stay as they were", () => {
  const packets: Uint8Array[] = [];
  const parser = new RtspParser({ onPacket: (_, packet) => packets.push(packet), onMessage() {} });
  for (let i = 0; i < 300; i++) {
    const bytes = frame(0, 1400);
    bytes[5] = i & 255;
    for (let at = 0; at < bytes.length;) {
      const space = parser.space();
      const count = Math.min(space.length, bytes.length - at);
      space.set(bytes.subarray(at, at + count));
      parser.advance(count);
      at += count;
    }
  }
  assert.equal(packets.length, 300);
  packets.forEach((packet, i) => assert.equal(packet[1], i & 255));
});

Deno.test("Quirk(garbage between frames): skips to the next plausible frame", () => {
  const garbage = [1, 2, 0x24, 99, 0, 20, 0x80, 0x24, 0, 255, 255, 0x80, 0x24, 0, 0, 50, 0x10, 3];
  const { items, parser } = parse(concat(frame(0, 40), garbage, frame(2, 30), frame(0, 20)), [7]);
  assert.deepEqual(channels(items), [0, 2, 0]);
  assert.equal(parser.resyncs, 1);
});

Deno.test("Quirk(wrong frame length): a frame shorter than announced costs what follows it, not the connection", () => {
  const liar = frame(0, 100);
  liar[3] = 150;
  const { items } = parse(concat(frame(0, 40), liar, frame(0, 200), frame(2, 30), frame(0, 20)));
  assert.deepEqual(channels(items).slice(-2), [2, 0]);
});

Deno.test("Quirk(messages between frames): finds answers and requests in the midst of media and of garbage", () => {
  const answer = "RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n";
  const request = "OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 4\r\n\r\n";
  const { items } = parse(concat(frame(0, 20), answer, frame(1, 20), request, [9, 9, 9], answer, frame(0, 9)), [5]);
  assert.deepEqual(channels(items), [0, "response", 1, "request", "response", 0]);
});

Deno.test("RtspParser gives up when only garbage comes", () => {
  assert.throws(() => parse(new Uint8Array(80 << 10).fill(0x41)), /RTSP wrong input/);
  for (const text of ["GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "PLAY\r\n\r\n"]) {
    assert.throws(() => parse(concat(text), [], true), /RTSP wrong input/, text);
  }
});

Deno.test("RtspParser hands out requests with methods that it does not know, where nothing but messages is expected", () => {
  const { items } = parse(concat("PING rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\n\r\nPLAY * RTSP/1.0\r\n\r\n"), [], true);
  assert.deepEqual(items.map((item) => "method" in item && item.method), ["PING", "PLAY"]);
});

Deno.test("RtspParser refuses headers and bodies without measure", () => {
  assert.throws(() => parse(concat("OPTIONS * RTSP/1.0\r\n", "A: b\r\n".repeat(20_000))), /header passes/);
  assert.throws(() => parse(concat(`PLAY * RTSP/1.0\r\nContent-Length: ${BODY_LIMIT_BYTES + 1}\r\n\r\n`)), /body of/);
});

Deno.test("Quirk(wrong Content-Length): a body longer than announced is skipped, a number that is none counts as 0", () => {
  const short = "RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nv=0\r\nm=video\r\n";
  const { items } = parse(concat(short, "RTSP/1.0 404 Not Found\r\nContent-Length: -5\r\n\r\n", frame(0, 10)));
  assert.deepEqual(items.map((item) => "channel" in item ? item.channel : item.kind === "response" && item.status), [
    200,
    404,
    0,
  ]);
});

Deno.test("Quirk(folded headers): a field may go on in the next line", () => {
  const { items } = parse(
    concat('RTSP/1.0 401 No\nWWW-Authenticate: Digest realm="a",\n  nonce="b"\ncseq:7\nbroken\n\n'),
  );
  const [message] = items;
  assert.ok(message && "headers" in message);
  assert.equal(message.headers.get("www-authenticate"), 'Digest realm="a", nonce="b"');
  assert.equal(message.headers.get("CSeq"), "7");
});

Deno.test("writeResponse() lets no header begin a second one", () => {
  const text = new TextDecoder().decode(writeResponse(404, new RtspHeaders([["X", "a\r\nY: b"]]), "é"));
  assert.equal(text, "RTSP/1.0 404 Not Found\r\nX: a Y: b\r\nContent-Length: 2\r\n\r\né");
});
