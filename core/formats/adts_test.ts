import assert from "node:assert/strict";
import fc from "fast-check";
import { adtsHeader, makeAudioSpecificConfig } from "../codecs/aac.ts";
import { AdtsDemuxer } from "./adts.ts";
import type { FrameListener } from "./demuxer.ts";
import { demux, ffmpeg, ffprobeTimes, hasFfmpeg } from "./testing.ts";

const make = (onFrame: FrameListener) => new AdtsDemuxer(onFrame);
const asc = makeAudioSpecificConfig({ objectType: 2, sampleRate: 16000, channels: 1 });

function frames(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const size = 50 + i;
    return new Uint8Array([...adtsHeader(asc, size), ...new Array(size).fill(i)]);
  });
}

Deno.test({
  name: "AdtsDemuxer gives all frames with the sample rate as clock (needs ffmpeg)",
  ignore: !hasFfmpeg,
  fn: () => {
    const file = ffmpeg("adts", "-f", "lavfi", "-i", "sine=sample_rate=22050:duration=2", "-c:a", "aac");
    for (const size of [1, 100, 1 << 20]) {
      const found = demux(make, file, size);
      assert.equal(found.length, ffprobeTimes(file, "a").length);
      assert.equal(found[0]!.stream.codec!.clockRate, 22050);
      for (let i = 1; i < found.length; i++) assert.equal(found[i]!.frame.pts - found[i - 1]!.frame.pts, 1024);
    }
  },
});

Deno.test("AdtsDemuxer skips garbage between frames", () => {
  const [a, b, c, d] = frames(4);
  const fake = [0xff, 0xf1, 0x60, 0x40, 0x02, 0x00, 0xfc];
  const bytes = new Uint8Array([...fake, 1, 2, ...a!, ...b!, 0xff, 0xff, 3, ...c!, ...d!]);
  const found = demux(make, bytes, 13);
  assert.deepEqual(found.map(({ frame }) => frame.payload.units()[0]![0]), [0, 1, 2, 3]);
});

Deno.test("AdtsDemuxer moves its times on when the source has paused", () => {
  const times: number[] = [];
  const demuxer = new AdtsDemuxer((_, { pts }) => times.push(pts));
  for (const [i, frame] of frames(4).entries()) demuxer.push(frame, i < 2 ? 1000 : 9000);
  assert.deepEqual(times.map((time) => time - times[0]!), [0, 1024, 128_000, 129_024]);
});

Deno.test("AdtsDemuxer neither throws nor grows on random and mutated bytes", () => {
  const base = new Uint8Array(frames(6).flatMap((frame) => [...frame]));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 20 }),
      fc.nat(99),
      (changes, size) => {
        const bytes = base.slice();
        for (const [at, value] of changes) bytes[at] = value;
        demux(make, bytes, size + 1);
      },
    ),
    { numRuns: 200 },
  );
});
