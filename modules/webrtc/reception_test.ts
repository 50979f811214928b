import assert from "node:assert/strict";
import { Reception } from "./reception.ts";

const WALL_MS = 1_800_000_000_000;

/** The middle 32 bits of the NTP time. */
const ntp = (wallMs: number) => Math.floor((wallMs / 1000 + 2_208_988_800) * 65536 % 2 ** 32);

function block(more: { lost?: number; highestSequence?: number; lastReport?: number; delay?: number }) {
  return { ssrc: 1, fractionLost: 0, lost: 0, highestSequence: 0, jitter: 0, lastReport: 0, delay: 0, ...more };
}

Deno.test("Reception tells the loss of the last seconds, across wraps of the sequence number", () => {
  const reception = new Reception();
  reception.take(block({ highestSequence: 65_000 }), 0, WALL_MS);
  assert.equal(reception.loss, undefined);
  reception.take(block({ highestSequence: 65_050, lost: 5 }), 200, WALL_MS);
  assert.equal(reception.loss, undefined, "too few to tell");
  reception.take(block({ highestSequence: 66_000, lost: 200 }), 4100, WALL_MS);
  assert.equal(reception.loss, 0.2);
  assert.equal(reception.isCongested, false, "radio loses as much");
  reception.take(block({ highestSequence: 67_000, lost: 200 }), 8000, WALL_MS);
  assert.equal(reception.loss, 0);
  // Duplicates make the count smaller.
  reception.take(block({ highestSequence: 67_200, lost: 190 }), 8050, WALL_MS);
  assert.equal(reception.loss, 0);
  reception.take(block({ highestSequence: 67_500, lost: 900 }), 8100, WALL_MS);
  assert.ok(reception.loss! > 0.4);
  assert.equal(reception.isCongested, true);
});

Deno.test("Reception measures the round trip and sees that a link is full", () => {
  const reception = new Reception();
  assert.equal(reception.isCongested, false);
  const sentMs = WALL_MS - 520;
  reception.take(block({ lastReport: ntp(sentMs), delay: 65536 / 2 }), 0, WALL_MS);
  assert.ok(Math.abs(reception.rttMs! - 20) < 1);
  assert.equal(reception.isCongested, false);
  reception.take(block({ lastReport: ntp(sentMs - 230), delay: 65536 / 2 }), 0, WALL_MS);
  assert.ok(Math.abs(reception.rttMs! - 250) < 1);
  assert.equal(reception.isCongested, true);
  reception.take(block({ lastReport: ntp(WALL_MS + 1), delay: 0 }), 0, WALL_MS);
  assert.equal(reception.rttMs, 0, "clocks tell no more than milliseconds");
  reception.take(block({ lastReport: ntp(WALL_MS - 60_000), delay: 0 }), 0, WALL_MS);
  assert.equal(reception.rttMs, 0, "a minute is no round trip");
});

Deno.test("Reception believes a loss no longer than its window, also where few packets are sent", () => {
  for (const [perSecond, loss] of [[18, 0], [2, undefined]] as const) {
    const reception = new Reception();
    for (let s = 0; s <= 10; s++) reception.take(block({ highestSequence: s * 40, lost: s * 16 }), s * 1000, WALL_MS);
    assert.equal(reception.isCongested, true);
    for (let s = 1; s <= 10; s++) {
      reception.take(block({ highestSequence: 400 + s * perSecond, lost: 160 }), (10 + s) * 1000, WALL_MS);
    }
    assert.equal(reception.loss, loss);
    assert.equal(reception.isCongested, false);
  }
});

Deno.test("Reception takes a way that stays longer for an empty one, after a minute or when the path is another", () => {
  const reception = new Reception();
  let nowMs = 0;
  const reports = (rttMs: number, seconds: number) => {
    for (let s = 0; s < seconds; s++) {
      reception.take(block({ lastReport: ntp(WALL_MS - rttMs) }), nowMs += 1000, WALL_MS);
    }
  };
  reports(3, 10);
  reports(180, 15);
  assert.equal(reception.isCongested, true);
  reports(180, 60);
  assert.equal(reception.isCongested, false);
  reports(400, 1);
  assert.equal(reception.isCongested, true);
  reception.forget();
  assert.deepEqual([reception.rttMs, reception.isCongested], [undefined, false]);
  reports(400, 1);
  assert.equal(reception.isCongested, false);
});

Deno.test("Reception is not deceived by a clock that was set back", () => {
  const reception = new Reception();
  for (const rttMs of [160, 160 - 2000, 170]) {
    reception.take(block({ lastReport: ntp(WALL_MS - rttMs) }), 0, WALL_MS);
  }
  assert.ok(Math.abs(reception.rttMs! - 170) < 1);
  assert.equal(reception.isCongested, false);
});
