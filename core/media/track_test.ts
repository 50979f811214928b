import assert from "node:assert/strict";
import { codec } from "./codec.ts";
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
