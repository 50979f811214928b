import assert from "node:assert/strict";
import { Resampler } from "./audio_resampler.ts";

/** A tone of 400 Hz as a device with that rate samples it. */
function tone(rate: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) => Math.round(10_000 * Math.sin(2 * Math.PI * 400 * i / rate)));
}

/** All that is made when the samples come in pieces of different sizes. */
function inPieces(resampler: Resampler, samples: Int16Array): number[] {
  const made: number[] = [];
  for (let at = 0, size = 1; at < samples.length; at += size, size = size * 7 % 501 + 1) {
    made.push(...resampler.push(samples.subarray(at, at + size)));
  }
  return made;
}

Deno.test("Resampler keeps a tone at its pitch from and to usual rates", () => {
  for (const [from, to] of [[16_000, 8000], [44_100, 8000], [48_000, 8000], [8000, 16_000], [8000, 48_000]] as const) {
    const made = inPieces(new Resampler(from, to, 1), tone(from, from));
    const expected = tone(to, to);
    assert.ok(Math.abs(made.length - to) <= 1, `${from} to ${to} made ${made.length} samples`);
    // Averages and lines lag by up to a sample of either side: far less than the tone changes in that time.
    const worst = made.reduce((most, sample, i) => Math.max(most, Math.abs(sample - (expected[i] ?? sample))), 0);
    assert.ok(worst < 3500, `${from} to ${to} is off by ${worst}`);
  }
});

Deno.test("Resampler makes the same of samples in one piece and in many", () => {
  for (const [from, to] of [[44_100, 8000], [8000, 11_025]] as const) {
    const whole = new Resampler(from, to, 1).push(tone(from, 5000));
    assert.deepEqual(inPieces(new Resampler(from, to, 1), tone(from, 5000)), [...whole]);
  }
});

Deno.test("Resampler mixes stereo to mono and leaves out an unpaired sample", () => {
  assert.deepEqual([...new Resampler(8000, 8000, 2).push(Int16Array.of(100, 200, -100, -300, 5))], [150, -200]);
});

Deno.test("Resampler keeps the loudest samples within 16 bits", () => {
  const loud = Int16Array.from({ length: 96 }, (_, i) => i % 12 < 6 ? 32_767 : -32_768);
  for (const [from, to] of [[48_000, 8000], [8000, 48_000]] as const) {
    for (const sample of new Resampler(from, to, 1).push(loud)) assert.ok(Math.abs(sample) <= 32_768);
    assert.equal(Math.max(...new Resampler(from, to, 1).push(loud)), 32_767);
  }
});
