import assert from "node:assert/strict";
import type { Frame } from "./frame.ts";
import { Reader } from "./reader.ts";
import { TestAudio, TestVideo } from "./testing.ts";

function drain(reader: Reader): Frame[] {
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame);
  return frames;
}

Deno.test("Reader.next() starts live at the next keyframe, sound with it", () => {
  const video = new TestVideo();
  const audio = new TestAudio();
  video.feed(10, { isKeyframe: true });
  using reader = new Reader([video.track, audio.track], { start: "live", dropsCorrupt: true });
  video.feed(5);
  audio.feed(5, video.nowMs);
  assert.deepEqual(drain(reader), []);
  video.feed(1, { isKeyframe: true });
  audio.feed(2, video.nowMs);
  const frames = drain(reader);
  assert.deepEqual(frames.map((frame) => frame.index), [10 + 5, 5, 6]);
});

Deno.test("Reader.next() starts at the newest keyframe with true times", () => {
  const video = new TestVideo();
  video.feed(10, { isKeyframe: true });
  using reader = new Reader([video.track], { start: "keyframe", dropsCorrupt: true });
  let count = 0;
  for (let frame = reader.next(); frame; frame = reader.next()) {
    assert.equal(frame.index, count++);
    assert.equal(reader.edit, undefined);
  }
  assert.equal(count, 10);
});

Deno.test("Reader.next() squeezes the backlog of a start at once: distinct, in order, ending at live", () => {
  const video = new TestVideo();
  video.feed(50, { isKeyframe: true });
  using reader = new Reader([video.track], { start: "now", dropsCorrupt: true });
  const times: number[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) {
    times.push(frame.timestamp + (reader.edit?.timeDelta ?? 0));
  }
  assert.equal(times.length, 50);
  for (let i = 1; i < 50; i++) assert.equal(times[i]! - times[i - 1]!, 90);
  assert.equal(times[49], video.track.log.newest!.timestamp);
  video.feed(1);
  assert.equal(reader.next()?.index, 50);
  assert.equal(reader.edit, undefined);
});

Deno.test("Reader.next() shows the still and waits when the backlog is too long to squeeze", () => {
  const video = new TestVideo();
  video.feed(200, { isKeyframe: true });
  using reader = new Reader([video.track], { start: "now", dropsCorrupt: true });
  assert.deepEqual(drain(reader).map((frame) => frame.index), [0]);
  video.feed(3);
  assert.deepEqual(drain(reader), []);
  video.feed(2, { isKeyframe: true });
  assert.deepEqual(drain(reader).map((frame) => frame.index), [203, 204]);
});

Deno.test("Reader.next() moves a slow viewer to the newest keyframe and counts it", () => {
  const video = new TestVideo();
  video.feed(1, { isKeyframe: true });
  using reader = new Reader([video.track], { start: "keyframe", dropsCorrupt: true });
  assert.equal(reader.next()?.index, 0);
  for (let gop = 0; gop < 4; gop++) video.feed(25, { isKeyframe: true });
  assert.equal(reader.next()?.index, 76);
  assert.equal(reader.skips, 1);
  assert.equal(reader.dropped, 75);
});

Deno.test("Reader.catchUp() counts what a viewer misses that does not read, and takes nothing from it", () => {
  const video = new TestVideo();
  video.feed(1, { isKeyframe: true });
  using reader = new Reader([video.track], { start: "keyframe", dropsCorrupt: true });
  assert.equal(reader.next()?.index, 0);
  reader.catchUp();
  assert.deepEqual([reader.skips, reader.dropped], [0, 0]);
  for (let gop = 0; gop < 4; gop++) video.feed(25, { isKeyframe: true });
  reader.catchUp();
  reader.catchUp();
  assert.deepEqual([reader.skips, reader.dropped], [1, 75]);
  assert.equal(reader.next()?.index, 76);
});

Deno.test("Reader.next() does not skip for a viewer that is less than 2 s behind", () => {
  const video = new TestVideo();
  video.feed(1, { isKeyframe: true });
  using reader = new Reader([video.track], { start: "keyframe", dropsCorrupt: true });
  video.feed(20);
  video.feed(10, { isKeyframe: true });
  assert.deepEqual(drain(reader).map((frame) => frame.index), [...Array(31).keys()]);
  assert.equal(reader.skips, 0);
});

Deno.test("Reader.next() drops a corrupt frame and all up to the next keyframe, for muxers", () => {
  const video = new TestVideo();
  video.feed(2, { isKeyframe: true });
  using muxer = new Reader([video.track], { start: "keyframe", dropsCorrupt: true });
  using relay = new Reader([video.track], { start: "keyframe", dropsCorrupt: false });
  video.feed(1, { isCorrupt: true });
  video.feed(3);
  assert.deepEqual(drain(muxer).map((frame) => frame.index), [0, 1]);
  assert.deepEqual(drain(relay).map((frame) => frame.index), [0, 1, 2, 3, 4, 5]);
  video.feed(2, { isKeyframe: true });
  assert.deepEqual(drain(muxer).map((frame) => frame.index), [6, 7]);
});

Deno.test("Reader wakes its owner at each frame, and no more after its end", () => {
  const video = new TestVideo();
  let wakes = 0;
  const reader = new Reader([video.track], { start: "live", dropsCorrupt: true, wake: () => wakes++ });
  video.feed(3, { isKeyframe: true });
  assert.equal(wakes, 3);
  reader[Symbol.dispose]();
  video.feed(1);
  assert.equal(wakes, 3);
  assert.equal(reader.next(), undefined);
});

Deno.test("Reader asks for a keyframe whenever it begins to wait for one", () => {
  const video = new TestVideo();
  let asked = 0;
  video.track.onKeyframeWanted = () => asked++;
  using _none = new Reader([video.track], { start: "now", dropsCorrupt: true });
  assert.equal(asked, 1, "there is none yet");
  video.feed(5, { isKeyframe: true });
  using reader = new Reader([video.track], { start: "keyframe", dropsCorrupt: true });
  using _live = new Reader([video.track], { start: "live", dropsCorrupt: true });
  assert.equal(asked, 2, "at the live edge");
  video.feed(1, { isCorrupt: true });
  drain(reader);
  assert.equal(asked, 3, "a picture is broken");
  const other = new TestVideo();
  other.track.onKeyframeWanted = () => asked++;
  reader.replace(video.track, other.track);
  assert.equal(asked, 4, "another track took the place of the first");
});
