import assert from "node:assert/strict";
import fc from "fast-check";
import { Inbox } from "./inbox.ts";
import { Wire } from "./testing.ts";
import { WebSocketLink } from "./websocket.ts";

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
const MASK = [1, 2, 3, 4];
const bytesOf = (text: string) => new TextEncoder().encode(text);
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A frame as a client sends it. */
function frame(
  opcode: number,
  payload: Uint8Array,
  { isLast = true, isMasked = true, reserved = 0 } = {},
): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const size = length < 126 ? [length] : length < 0x10000 ? [126, length >> 8, length & 255] : [
    127,
    0,
    0,
    0,
    0,
    length >>> 24,
    length >> 16 & 255,
    length >> 8 & 255,
    length & 255,
  ];
  size[0]! |= isMasked ? 0x80 : 0;
  const body = isMasked ? payload.map((byte, i) => byte ^ MASK[i & 3]!) : payload;
  return new Uint8Array([(isLast ? 0x80 : 0) | reserved | opcode, ...size, ...(isMasked ? MASK : []), ...body]);
}

function open(): { wire: Wire; link: WebSocketLink; messages: (string | Uint8Array)[]; done: Promise<void> } {
  const wire = new Wire();
  const link = new WebSocketLink("server");
  const messages: (string | Uint8Array)[] = [];
  link.onMessage = (message) => messages.push(message);
  return { wire, link, messages, done: link.run(wire, new Inbox(wire)) };
}

/** The code of the close frame at the end of what the client got. */
function closeCodeOf({ sent }: Wire): number {
  const at = sent.findLastIndex((byte) => byte === (0x80 | CLOSE));
  return sent[at + 2]! << 8 | sent[at + 3]!;
}

Deno.test("A WebSocket puts fragments together, with a ping between them, however they are cut", async () => {
  const all = new Uint8Array([
    ...frame(TEXT, bytesOf("a\u20ac"), { isLast: false }),
    ...frame(PING, bytesOf("hey")),
    ...frame(CONTINUATION, bytesOf("b"), { isLast: false }),
    ...frame(CONTINUATION, bytesOf("c")),
    ...frame(BINARY, new Uint8Array(70_000).fill(7)),
    ...frame(TEXT, new Uint8Array(0)),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 8 }), async (cuts) => {
      const { wire, messages, done } = open();
      const at = [0, ...[...new Set(cuts)].sort((a, b) => a - b), all.length];
      at.slice(1).forEach((end, i) => wire.say(all.slice(at[i], end)));
      wire.say(null);
      await done;
      assert.deepEqual(messages, ["a\u20acbc", new Uint8Array(70_000).fill(7), ""]);
      assert.deepEqual([...wire.sent], [0x80 | PONG, 3, ...bytesOf("hey")]);
    }),
    { numRuns: 20 },
  );
});

Deno.test("A WebSocket closes with a reason when a frame is not allowed, and listens no more", async () => {
  const big = new Uint8Array(9).fill(255);
  const refused: readonly (readonly [what: string, bytes: Uint8Array, code: number])[] = [
    ["not masked", frame(TEXT, bytesOf("a"), { isMasked: false }), 1002],
    ["a reserved bit", frame(TEXT, bytesOf("a"), { reserved: 0x40 }), 1002],
    ["an unknown kind", frame(3, bytesOf("a")), 1002],
    ["a fragment of nothing", frame(CONTINUATION, bytesOf("a")), 1002],
    ["a ping in parts", frame(PING, bytesOf("a"), { isLast: false }), 1002],
    ["a ping that is too long", frame(PING, new Uint8Array(126)), 1002],
    ["a length beyond all bounds", new Uint8Array([0x82, 0xff, ...big]), 1009],
    ["a good-bye with half a code", frame(CLOSE, new Uint8Array([13])), 1002],
    ["a good-bye with a code that nobody sends", frame(CLOSE, new Uint8Array([3, 0xee])), 1002],
    ["text that is none", frame(TEXT, new Uint8Array([0xc3, 0x28])), 1007],
  ];
  for (const [what, bytes, code] of refused) {
    const { wire, messages, done } = open();
    wire.say(bytes);
    wire.say(frame(TEXT, bytesOf("more")));
    wire.say(null);
    await done;
    assert.deepEqual([closeCodeOf(wire), messages.length, wire.isClosed], [code, 0, true], what);
  }
});

Deno.test("A message whose fragments never end is refused", async () => {
  const { wire, done } = open();
  wire.say(frame(BINARY, new Uint8Array(1000), { isLast: false }));
  for (let i = 0; i < 1100; i++) wire.say(frame(CONTINUATION, new Uint8Array(1000), { isLast: false }));
  wire.say(null);
  await done;
  assert.equal(closeCodeOf(wire), 1009);
});

Deno.test("A message of very many empty fragments takes no memory", async () => {
  const { wire, messages, done } = open();
  const empty = frame(CONTINUATION, new Uint8Array(0), { isLast: false });
  const piece = new Uint8Array(empty.length * 10_000);
  for (let at = 0; at < piece.length; at += empty.length) piece.set(empty, at);
  wire.say(frame(TEXT, bytesOf("a"), { isLast: false }));
  await turn();
  const before = Deno.memoryUsage().heapUsed;
  for (let i = 0; i < 100; i++) {
    wire.say(piece);
    await turn();
  }
  const grownMb = (Deno.memoryUsage().heapUsed - before) >> 20;
  assert.ok(grownMb < 50, `${grownMb} MB`);
  wire.say(frame(CONTINUATION, bytesOf("b")));
  wire.say(null);
  await done;
  assert.deepEqual(messages, ["ab"]);
});

Deno.test("A client that pings without reading is not answered without end", async () => {
  const { wire, link, done } = open();
  wire.block();
  for (let i = 0; i < 1000; i++) wire.say(frame(PING, new Uint8Array(125)));
  for (let i = 0; i < 20; i++) await turn();
  assert.ok(link.bufferedAmount <= 127, `${link.bufferedAmount} bytes`);
  // The last one is answered, as soon as the client takes something.
  wire.say(frame(PING, bytesOf("still there?")));
  await turn();
  wire.release();
  await turn();
  assert.match(wire.text, /still there\?$/);
  wire.say(null);
  await done;
});

Deno.test("A client that says good-bye is answered with its code, and the connection ends", async () => {
  const { wire, link, done } = open();
  let closes = 0;
  link.onClose = () => closes++;
  wire.say(frame(CLOSE, new Uint8Array([3, 0xe9, 104, 105])));
  await done;
  assert.deepEqual([[...wire.sent], link.closeCode, closes, link.isOpen], [[0x88, 2, 3, 0xe9], 1001, 1, false]);
  assert.throws(() => link.send("late"), TypeError);
});

Deno.test("A client that says good-bye again and again is left once", { sanitizeOps: true }, async () => {
  const { wire, link, done } = open();
  wire.block();
  link.send("not taken yet");
  for (let i = 0; i < 3; i++) wire.say(frame(CLOSE, new Uint8Array([3, 0xe8])));
  for (let i = 0; i < 5; i++) await turn();
  wire.release();
  // A timer that is left behind fails the test.
  await done;
  assert.ok(wire.isClosed);
});

Deno.test("Any bytes end a WebSocket or are messages", async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
    const { wire, done } = open();
    wire.say(noise);
    wire.say(null);
    await done;
    assert.ok(wire.isClosed);
  }));
});
