import assert from "node:assert/strict";
import fc from "fast-check";
import { MessageInbox, writeMessage } from "./dtls_inbox.ts";
import { packRecords, readRecords, writeRecord } from "./dtls_record.ts";

/** A piece of a message, as it stands in a record. */
function piece(body: Uint8Array, from: number, to: number, { type = 11, sequence = 0, length = body.length } = {}) {
  const bytes = new Uint8Array(12 + to - from);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length);
  bytes[0] = type;
  view.setUint16(4, sequence);
  view.setUint16(7, from);
  view.setUint16(10, to - from);
  bytes.set(body.subarray(from, to), 12);
  return bytes;
}

Deno.test("MessageInbox puts messages in order and together, whatever the order of their pieces", () => {
  const bodies = fc.array(fc.uint8Array({ minLength: 3, maxLength: 60 }), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(bodies, fc.infiniteStream(fc.nat()), (all, random) => {
    const pieces = all.flatMap((body, sequence) => {
      const cut = 1 + random.next().value! % (body.length - 1);
      return [piece(body, 0, cut, { sequence }), piece(body, cut, body.length, { sequence })];
    });
    const shuffled = pieces.map((one) => ({ one, at: random.next().value! })).sort((a, b) => a.at - b.at);
    const inbox = new MessageInbox();
    for (const { one } of shuffled) assert.equal(inbox.push(one), false);
    for (const [sequence, body] of all.entries()) {
      assert.deepEqual(inbox.next, { type: 11, sequence, body });
      assert.deepEqual(writeMessage(inbox.next!), piece(body, 0, body.length, { sequence }));
      inbox.accept();
    }
    assert.equal(inbox.next, undefined);
    assert.equal(inbox.push(shuffled[0]!.one), true);
  }));
});

Deno.test("MessageInbox lets the peer's own message follow one that was refused or contradicts it", () => {
  const inbox = new MessageInbox();
  const forged = new Uint8Array(20).fill(1);
  const real = new Uint8Array(30).fill(2);
  inbox.push(piece(forged, 0, 20));
  inbox.refuse();
  assert.equal(inbox.next, undefined);
  inbox.push(piece(forged, 0, 10));
  inbox.push(piece(real, 0, 30));
  assert.deepEqual(inbox.next!.body, real);
});

Deno.test("MessageInbox takes a message in many pieces, of which some come again and others late", () => {
  const inbox = new MessageInbox();
  const body = crypto.getRandomValues(new Uint8Array(8000));
  const pieces = Array.from({ length: 32 }, (_none, i) => piece(body, i * 250, (i + 1) * 250));
  for (let round = 0; round < 5; round++) for (const one of pieces.slice(1)) inbox.push(one);
  assert.equal(inbox.next, undefined);
  inbox.push(piece(new Uint8Array(body.length), 250, 500));
  inbox.push(pieces[1]!);
  inbox.push(pieces[0]!);
  assert.deepEqual(inbox.next!.body, body);
});

Deno.test("MessageInbox keeps no more than it must, whatever it is sent", () => {
  const inbox = new MessageInbox();
  const body = new Uint8Array(16 << 10);
  for (let sequence = 0; sequence < 8; sequence++) inbox.push(piece(body, 0, 4096, { sequence }));
  for (let i = 0; i < 20; i++) inbox.push(piece(body, i, i + 1, { sequence: 9 }));
  // Too long, too far ahead, and beyond its own end.
  inbox.push(piece(body, 0, 8, { sequence: 0, length: 1 << 20 }));
  inbox.push(piece(body, 0, 8, { sequence: 8, length: 8 }));
  inbox.push(piece(body, 4, 12, { sequence: 0, length: 8 }));
  assert.equal(inbox.next, undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void inbox.push(bytes)));
});

Deno.test("readRecords reads what writeRecord writes, and no byte of what is none", () => {
  const record = fc.record({
    type: fc.constantFrom(20, 21, 22, 23),
    version: fc.constantFrom(0xfefd, 0xfeff),
    epoch: fc.nat(0xffff),
    sequence: fc.nat(2 ** 48 - 1),
    fragment: fc.uint8Array({ maxLength: 50 }),
  }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(record, { maxLength: 6 }), fc.uint8Array({ maxLength: 12 }), (records, rest) => {
    const datagrams = packRecords(records.map(writeRecord), 100);
    for (const one of datagrams) assert.ok(one.length <= 100);
    assert.deepEqual(datagrams.flatMap((one) => readRecords(Uint8Array.of(...one, ...rest))), records);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void readRecords(bytes)));
});
