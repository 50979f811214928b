import assert from "node:assert/strict";
import { budget } from "./budget.ts";
import { TestVideo } from "./testing.ts";

Deno.test("Log.append() keeps what came since the newest keyframe", () => {
  const video = new TestVideo();
  video.feed(50, { isKeyframe: true });
  assert.equal(video.track.log.firstIndex, 0);
  video.feed(3, { isKeyframe: true });
  const { log } = video.track;
  assert.equal(log.firstIndex, 50);
  assert.equal(log.nextIndex, 53);
  assert.equal(log.keyframe, log.at(50));
  assert.equal(log.at(49), undefined);
  assert.equal(log.byteLength, 300);
  video.track.close();
});

Deno.test("Log.append() keeps the still and the tail when a GOP passes the cap", () => {
  const video = new TestVideo({ maxBytes: 10_000 });
  video.feed(1, { isKeyframe: true, size: 2000 });
  video.feed(500, { size: 100 });
  const { log } = video.track;
  assert.equal(log.keyframe?.index, 0);
  assert.equal(log.at(0), undefined);
  assert.ok(log.byteLength <= 10_000, `${log.byteLength} bytes held`);
  assert.ok(log.byteLength > 7000, `${log.byteLength} bytes held`);
  assert.equal(log.newest?.index, 500);
  video.track.close();
});

Deno.test("Log.append() keeps for a live cursor what it has not read, within the lag limit", () => {
  const video = new TestVideo();
  video.feed(25, { isKeyframe: true });
  const cursor = { index: 22, wake() {} };
  video.track.log.addCursor(cursor);
  video.feed(1, { isKeyframe: true });
  assert.equal(video.track.log.firstIndex, 22);
  cursor.index = 26;
  video.feed(1);
  assert.equal(video.track.log.firstIndex, 25);
  video.track.close();
});

Deno.test("Log.append() lets go of what a stalled cursor has not read after 2 s", () => {
  const video = new TestVideo();
  video.track.log.addCursor({ index: 0, wake() {} });
  for (let gop = 0; gop < 20; gop++) video.feed(25, { isKeyframe: true });
  const { log } = video.track;
  assert.ok(log.nextIndex - log.firstIndex <= 51, `${log.nextIndex - log.firstIndex} frames held`);
  video.track.close();
});

Deno.test("budget: logs that nobody reads give way first, and closed logs give everything back", () => {
  const before = budget.usedBytes;
  const watched = new TestVideo();
  const idle = new TestVideo();
  watched.track.log.addCursor({ index: Infinity, wake() {} });
  watched.feed(20, { isKeyframe: true, size: 1000 });
  idle.feed(20, { isKeyframe: true, size: 1000 });
  budget.limitBytes = before + 40_000;
  try {
    watched.feed(1, { size: 1000 });
    assert.equal(watched.track.log.byteLength, 21_000);
    assert.equal(idle.track.log.byteLength, 2000);
    assert.equal(idle.track.log.keyframe?.isKeyframe, true);
  } finally {
    budget.limitBytes = Infinity;
    watched.track.close();
    idle.track.close();
  }
  assert.equal(budget.usedBytes, before);
});
