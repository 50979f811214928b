import assert from "node:assert/strict";
import fc from "fast-check";
import { makeRtpPacket, rtpSequence } from "./packet.ts";
import { ReorderBuffer, type ReorderOptions } from "./reorder.ts";

function packet(sequence: number, ssrc = 1): Uint8Array {
  return makeRtpPacket({ marker: false, payloadType: 96, sequence, timestamp: 0, ssrc }, Uint8Array.of(1));
}

function collect(options: ReorderOptions = {}): { buffer: ReorderBuffer; out: number[] } {
  const out: number[] = [];
  return { buffer: new ReorderBuffer((packet) => out.push(rtpSequence(packet)), options), out };
}

Deno.test("ReorderBuffer puts packets in order over the wrap of the numbers", () => {
  const { buffer, out } = collect();
  for (const sequence of [65533, 65535, 65534, 1, 0, 2]) buffer.push(packet(sequence), 0);
  assert.deepEqual(out, [65533, 65534, 65535, 0, 1, 2]);
  assert.deepEqual([buffer.lost, buffer.late, buffer.duplicates], [0, 0, 0]);
});

Deno.test("ReorderBuffer gives up what is missing when too many packets wait", () => {
  const { buffer, out } = collect({ maxPackets: 3 });
  for (const sequence of [1, 3, 4, 6]) buffer.push(packet(sequence), 0);
  assert.deepEqual(out, [1]);
  buffer.push(packet(7), 0);
  assert.deepEqual(out, [1, 3, 4]);
  buffer.push(packet(2), 0);
  assert.deepEqual([buffer.lost, buffer.late], [1, 1]);
  buffer.drain();
  assert.deepEqual(out, [1, 3, 4, 6, 7]);
});

Deno.test("ReorderBuffer gives up what is missing when a packet has waited too long", () => {
  const { buffer, out } = collect({ maxAgeMs: 50 });
  buffer.push(packet(1), 0);
  buffer.push(packet(3), 10);
  buffer.push(packet(5), 40);
  buffer.flush(60);
  assert.deepEqual(out, [1]);
  buffer.push(packet(6), 70);
  assert.deepEqual(out, [1, 3]);
  buffer.flush(95);
  assert.deepEqual(out, [1, 3, 5, 6]);
  assert.equal(buffer.lost, 2);
});

Deno.test("ReorderBuffer drops duplicates", () => {
  const { buffer, out } = collect();
  for (const sequence of [1, 1, 3, 3, 2]) buffer.push(packet(sequence), 0);
  assert.deepEqual(out, [1, 2, 3]);
  assert.equal(buffer.duplicates, 2);
});

Deno.test("ReorderBuffer begins anew with another sender, and with a new count", () => {
  const { buffer, out } = collect();
  for (const sequence of [10, 12]) buffer.push(packet(sequence), 0);
  buffer.push(packet(5000, 2), 0);
  buffer.push(packet(5001, 2), 0);
  buffer.push(packet(100, 2), 0);
  buffer.push(packet(20000, 2), 0);
  assert.deepEqual(out, [10, 12, 5000, 5001, 100, 20000]);
  assert.equal(buffer.lost, 1);
});

Deno.test("ReorderBuffer drops packets from far behind, unless two are near one another", () => {
  const { buffer, out } = collect();
  for (const sequence of [5000, 5001, 3000, 5003, 2000, 2500, 5002]) buffer.push(packet(sequence), 0);
  assert.deepEqual(out, [5000, 5001, 5002, 5003]);
  buffer.push(packet(3000), 0);
  buffer.push(packet(5304), 0);
  assert.equal(buffer.lost, 300, "the old count goes on");
  for (const sequence of [100, 101, 102]) buffer.push(packet(sequence), 0);
  assert.deepEqual(out.slice(4), [5304, 100, 101, 102]);
  assert.equal(buffer.lost, 300);
  for (const sequence of [60002, 60001, 60004, 60003, 60006]) buffer.push(packet(sequence), 0);
  assert.deepEqual(out.slice(8), [60001, 60002, 60003, 60004]);
  for (const sequence of [50000, 50002, 50004]) buffer.push(packet(sequence), 0);
  buffer.drain();
  assert.deepEqual(out.slice(12), [60006, 50000, 50002, 50004]);
});

Deno.test("ReorderBuffer restores any order within its size, and never hands on one twice or out of order", () => {
  const moves = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 300 });
  fc.assert(fc.property(moves, fc.nat(65535), (moves, first) => {
    const { buffer, out } = collect({ maxPackets: 128 });
    const order = moves.map((delay, i) => ({ i, at: i === 0 ? -1 : i + delay })).sort((a, b) => a.at - b.at);
    for (const { i } of order) {
      buffer.push(packet((first + i) & 0xffff), 0);
      buffer.push(packet((first + i) & 0xffff), 0);
    }
    buffer.drain();
    assert.deepEqual(out, moves.map((_delay, i) => (first + i) & 0xffff));
    assert.equal(buffer.lost, 0);
  }));
  fc.assert(fc.property(fc.array(fc.nat(65535), { maxLength: 200 }), (sequences) => {
    const { buffer, out } = collect();
    for (const sequence of sequences) buffer.push(packet(sequence), 0);
    buffer.drain();
    assert.ok(out.length <= sequences.length);
  }));
});
