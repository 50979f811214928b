import assert from "node:assert/strict";
import { copiesFor, Resender } from "./rtx.ts";
import { SentFrames } from "./sent_frames.ts";

const PACKET = 1000;

/** A history of frames of ten packets each, all sent at 0. */
function history(frames: number): { sent: SentFrames; sequences: number[] } {
  const sent = new SentFrames(0);
  for (let i = 0; i < frames; i++) {
    const offsets = Array.from({ length: 10 }, (_, k) => k * PACKET);
    sent.add({ bytes: new Uint8Array(10 * PACKET), count: 10, number: 0, offsets }, 0, 0).sent = 10;
  }
  return { sent, sequences: Array.from({ length: frames * 10 }, (_, i) => i) };
}

Deno.test("Resender sends a packet again at once, and once more when it can have been missed", () => {
  const resender = new Resender<string>();
  const { sent } = history(1);
  const ask = (nowMs: number, rttMs?: number) => resender.choose(sent, [3], nowMs, rttMs).length;
  assert.deepEqual([ask(100), ask(120), ask(190), ask(200), ask(280)], [1, 0, 1, 0, 1]);
  assert.deepEqual([ask(400, 2), ask(405, 2), ask(411, 2)], [1, 0, 1], "with a known round trip sooner");
  assert.equal(resender.refused, 3);
});

Deno.test("Resender leaves out packets of a frame that have not gone out yet", () => {
  const resender = new Resender<string>();
  const { sent } = history(1);
  sent.find(0)!.sent = 4;
  assert.deepEqual(resender.choose(sent, [3, 4, 5], 0).map(({ packet }) => packet), [3]);
});

Deno.test("Resender spends as much as was earned, and the first credit", () => {
  const resender = new Resender<string>();
  const { sent, sequences } = history(100);
  const first = resender.choose(sent, sequences, 0).length;
  assert.equal(first, Math.ceil((64 << 10) / PACKET));
  resender.earn(50 * PACKET);
  assert.equal(resender.choose(sent, sequences, 1000).length, 50);
});

Deno.test("Resender sends more copies the more is lost, a little apart", () => {
  assert.deepEqual([0, 0.01, 0.05, 0.2].map(copiesFor), [1, 2, 3, 4]);
  const resender = new Resender<string>();
  const { sent } = history(1);
  const picks = resender.choose(sent, [1, 2], 0);
  resender.repeat("line", picks, 2, 0);
  assert.equal(resender.nextCopies(7), undefined);
  assert.deepEqual(resender.nextCopies(8), { owner: "line", picks, left: 1, dueMs: 16 });
  assert.equal(resender.nextCopies(8), undefined);
  assert.equal(resender.nextCopies(16)?.picks, picks);
  assert.equal(resender.hasCopies, false);
});

Deno.test("Resender leaves copies out when they cost too much", () => {
  const resender = new Resender<string>();
  const { sent, sequences } = history(10);
  const picks = resender.choose(sent, sequences, 0);
  resender.repeat("line", picks, 3, 0);
  assert.equal(resender.nextCopies(8), undefined);
  assert.equal(resender.hasCopies, false);
  resender.repeat("line", picks, 0, 0);
  resender.repeat("line", [], 3, 0);
  assert.equal(resender.hasCopies, false);
  resender.earn(1 << 20);
  resender.repeat("line", picks, 1, 0);
  resender.clear();
  assert.equal(resender.hasCopies, false);
});
