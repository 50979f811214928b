import assert from "node:assert/strict";
import fc from "fast-check";
import { codec, Track, Units } from "../../core/mod.ts";
import { Replay, timestampDeltaOf } from "./edits.ts";

function trackOf(offsets: readonly number[], interval = 3600): Track {
  const track = new Track(0, codec("VP8"));
  offsets.forEach((offset, i) => {
    const dts = (i + 1) * interval;
    const isKeyframe = i === 0;
    track.append({ payload: new Units([]), dts, pts: dts + offset, isKeyframe, arrivalMs: 1000 + i * 40 });
  });
  return track;
}

Deno.test("timestampDeltaOf is nothing without an edit, else what its time and picture order change", () => {
  const frame = trackOf([7200]).log.newest!;
  assert.equal(timestampDeltaOf(frame, undefined), 0);
  assert.equal(timestampDeltaOf(frame, { timeDelta: 100, sequenceDelta: 0 }), 100);
  assert.equal(timestampDeltaOf(frame, { timeDelta: 100, compositionOffset: 200, sequenceDelta: 0 }), 100 - 7000);
});

Deno.test("Replay puts pictures behind the last one and before the next one, in their order", () => {
  fc.assert(fc.property(
    // Pictures ahead of their turn by up to three.
    fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 150 }),
    fc.nat({ max: 20 }),
    (ahead, behind) => {
      const track = trackOf(ahead.map((pictures) => pictures * 3600));
      const { log } = track;
      const shown = Array.from({ length: log.nextIndex }, (_, i) => log.at(i)!)
        .map((frame) => ({ frame, time: frame.timestamp + frame.compositionOffset }));
      const last = log.newest!.timestamp - behind * 3600;
      const replay = new Replay(track, last);
      const times = shown.map(({ frame, time }) => ({ time, again: time + replay.deltaOf(frame) }));
      const newest = log.newest!.timestamp;
      const next = newest + 3600;
      for (const { time, again } of times) {
        assert.ok(again > last);
        if (time <= newest) assert.ok(again < next, `${again} is not before ${next}`);
      }
      const inOrder = times.toSorted((a, b) => a.time - b.time);
      for (const [i, one] of inOrder.entries()) {
        const before = inOrder[i - 1];
        if (before && one.time > before.time) assert.ok(one.again > before.again);
      }
      track.close();
    },
  ));
});

Deno.test("Replay makes no time of a single picture", () => {
  const track = trackOf([0]);
  const frame = track.log.newest!;
  const replay = new Replay(track, frame.timestamp);
  const again = frame.timestamp + replay.deltaOf(frame);
  assert.ok(again > frame.timestamp && again < frame.timestamp + 3600);
  track.close();
});
