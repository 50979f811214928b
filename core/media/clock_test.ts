import assert from "node:assert/strict";
import { SourceClock, TrackClock } from "./clock.ts";

Deno.test("TrackClock.place() anchors the first time at its arrival", () => {
  const clock = new TrackClock(90000, new SourceClock());
  assert.equal(clock.place(123456, 2000), 180_000);
  assert.equal(clock.place(123456 + 3600, 2040), 183_600);
});

Deno.test("TrackClock.place() unwraps at 32 bits", () => {
  const clock = new TrackClock(90000, new SourceClock());
  const first = clock.place(0xffffffff - 1799, 1000);
  assert.equal(clock.place(1800, 1040) - first, 3600);
});

Deno.test("TrackClock.place() unwraps again and again, pictures out of order too", () => {
  const clock = new TrackClock(90000, new SourceClock());
  const first = clock.place(0, 1000);
  // Three days of I P B B, a picture a second.
  for (let i = 3; i < 3 * 86_400; i += 3) {
    for (const second of [i, i - 2, i - 1]) {
      const placed = clock.place(second * 90_000 % 2 ** 32, 1000 + i * 1000 + second * 7919 % 300);
      if (placed - first !== second * 90_000) assert.fail(`second ${second} is placed at ${(placed - first) / 90_000}`);
    }
  }
});

Deno.test("TrackClock.place() closes a jump of an hour in either direction", () => {
  for (const jump of [3600 * 90000, -3600 * 90000]) {
    const clock = new TrackClock(90000, new SourceClock());
    const start = 2_000_000_000;
    const first = clock.place(start, 1000);
    assert.equal(clock.place(start + 3600 + jump, 1040) - first, 3600);
    assert.equal(clock.place(start + 7200 + jump, 1080) - first, 7200);
  }
});

Deno.test("TrackClock.place() keeps source times through a stall of the network", () => {
  const clock = new TrackClock(90000, new SourceClock());
  const first = clock.place(0, 1000);
  assert.equal(clock.place(3600, 9000) - first, 3600);
  assert.equal(clock.place(7200, 9001) - first, 7200);
});

Deno.test("TrackClock.restart() goes on behind the gap with any new count", () => {
  const clock = new TrackClock(90000, new SourceClock());
  const first = clock.place(1_000_000, 1000);
  clock.restart();
  assert.equal(clock.place(77, 3000) - first, 180_000);
});

Deno.test("TrackClock.synchronize() brings sound to its picture little by little, never stepping back", () => {
  const source = new SourceClock();
  const video = new TrackClock(90000, source);
  const audio = new TrackClock(8000, source);
  video.place(0, 1000);
  video.synchronize(0, 50_000);
  // This sound was taken 200 ms before it arrived beside the first picture.
  audio.place(0, 1000);
  audio.synchronize(0, 49_800);
  let last = -Infinity;
  let placed = 0;
  for (let i = 1; i <= 1000; i++) {
    placed = audio.place(i * 160, 1000 + i * 20);
    assert.ok(placed > last);
    last = placed;
  }
  assert.equal(placed, 8000 + 1000 * 160 - 1600);
});

Deno.test("TrackClock.synchronize() steps on over what a count that stood still has missed, if arrivals say so too", () => {
  for (const isOff of [true, false]) {
    const source = new SourceClock();
    const video = new TrackClock(90000, source);
    const audio = new TrackClock(8000, source);
    let last = -Infinity;
    let behindMs = 0;
    for (let ms = 0; ms < 30_000; ms += 20) {
      const picture = video.place(ms * 90, 1000 + ms);
      if (ms % 5000 === 0) video.synchronize(ms * 90, ms);
      // The microphone is off for 8 s, or its clock was set.
      if (isOff && ms >= 10_000 && ms < 18_000) continue;
      const count = (isOff && ms >= 18_000 ? ms - 8000 : ms) * 8;
      const sound = audio.place(count, 1000 + ms);
      assert.ok(sound > last);
      last = sound;
      if (ms % 5000 === 0) audio.synchronize(count, !isOff && ms >= 10_000 ? ms + 8000 : ms);
      behindMs = picture / 90 - sound / 8;
    }
    assert.equal(behindMs, 0);
  }
});

Deno.test("TrackClock.synchronize() goes as slowly with pictures out of order", () => {
  const source = new SourceClock();
  const sound = new TrackClock(8000, source);
  sound.place(0, 1000);
  sound.synchronize(0, 50_000);
  const video = new TrackClock(90_000, source);
  video.place(0, 1000);
  video.synchronize(0, 51_000);
  let placed = 0;
  // Ten seconds of I P B B: each P is three pictures ahead.
  for (let i = 3; i <= 249; i += 3) {
    for (const picture of [i, i - 2, i - 1]) placed = video.place(picture * 3600, 1000 + picture * 40);
  }
  const moved = placed - 90_000 - 248 * 3600;
  assert.ok(moved > 0.029 * 249 * 3600 && moved < 0.031 * 249 * 3600, `${moved} ticks in 10 s`);
});

Deno.test("TrackClock.synchronize() before the first frame brings it to its picture at once", () => {
  const source = new SourceClock();
  const video = new TrackClock(90000, source);
  const audio = new TrackClock(8000, source);
  video.synchronize(0, 50_000);
  audio.synchronize(0, 49_800);
  assert.equal(video.place(0, 1000), 90_000);
  assert.equal(audio.place(0, 1000), 6400);
  assert.equal(audio.place(160, 1020), 6560);
});

Deno.test("TrackClock.restart() forgets what was reported before the first frame", () => {
  const source = new SourceClock();
  const audio = new TrackClock(8000, source);
  audio.synchronize(3_000_000_000, 50_000);
  source.reset();
  audio.restart();
  assert.equal(audio.place(160, 20_000), 160_000);
  assert.equal(source.offsetMs, undefined);
});

Deno.test("TrackClock.synchronize() after a restart speaks of the new count, and what it asks never steps back", () => {
  const source = new SourceClock();
  const video = new TrackClock(90000, source);
  const audio = new TrackClock(8000, source);
  for (const clock of [video, audio]) clock.place(3_000_000_000, 1000);
  source.reset();
  for (const clock of [video, audio]) clock.restart();
  video.synchronize(500, 80_000);
  // This time the picture is 300 ms late, and after the next restart the sound 4 s.
  audio.synchronize(700, 80_300);
  assert.equal(video.place(500, 2000), 180_000);
  assert.equal(audio.place(700, 2000), 18_400);
  assert.equal(audio.place(860, 2020), 18_560);
  audio.restart();
  audio.synchronize(0, 76_000);
  assert.equal(audio.place(0, 2040), 18_561);
});
