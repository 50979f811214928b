import assert from "node:assert/strict";
import { codec } from "./codec.ts";
import { Reader } from "./reader.ts";
import { payload } from "./testing.ts";
import { Track } from "./track.ts";

const picture = (set: number) => ({ ...codec("H264"), parameterSets: [Uint8Array.of(0x67, set), Uint8Array.of(0x68)] });

Deno.test("Track.restart() with other parameter sets begins with a keyframe, if one comes within 10 s", () => {
  const track = new Track(0, picture(1));
  let pts = 0;
  const append = (isKeyframe: boolean, afterMs = 0) => {
    track.append({ payload: payload(), pts: pts += 3600, isKeyframe, arrivalMs: performance.now() + afterMs });
    return track.log.nextIndex;
  };
  assert.equal(append(true), 1);
  assert.equal(append(false), 2);
  track.restart(picture(1));
  assert.equal(append(false), 3);
  track.restart(picture(2));
  assert.equal(append(false), 3);
  assert.equal(append(false), 3);
  assert.equal(append(true), 4);
  assert.equal(append(false), 5);
  track.restart(picture(3));
  assert.equal(append(false), 5);
  assert.equal(append(false, 11_000), 6);
  track.close();
});

Deno.test("Track.restart() in the middle of a GOP makes viewers wait for the next keyframe, but for those who take all", () => {
  const track = new Track(0, picture(1));
  let pts = 0;
  const append = (isKeyframe: boolean) => {
    track.append({ payload: payload(), pts: pts += 3600, isKeyframe, arrivalMs: pts / 90 });
  };
  const read = (reader: Reader) => {
    const indices: number[] = [];
    for (let frame = reader.next(); frame; frame = reader.next()) indices.push(frame.index);
    return indices;
  };
  append(true);
  using muxer = new Reader([track], { start: "now", dropsCorrupt: true });
  using relay = new Reader([track], { start: "now", dropsCorrupt: false });
  track.restart(picture(1));
  for (const isKeyframe of [false, false, true, false]) append(isKeyframe);
  assert.deepEqual(read(muxer), [0, 3, 4]);
  assert.deepEqual(read(relay), [0, 1, 2, 3, 4]);
  track.restart(picture(1));
  for (const isKeyframe of [true, false]) append(isKeyframe);
  assert.deepEqual(read(muxer), [5, 6]);
  track.close();
});

Deno.test("Track.restart() before the first frame says nothing of it", () => {
  const track = new Track(0, picture(1));
  track.restart(picture(1));
  track.append({ payload: payload(), pts: 0, isKeyframe: false });
  assert.equal(track.log.newest!.isCorrupt, false);
  track.close();
});
