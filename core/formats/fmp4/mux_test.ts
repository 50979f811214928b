import assert from "node:assert/strict";
import { BufferSource, EncodedPacketSink, Input, MP4 } from "mediabunny";
import { encodePcma } from "../../codecs/g711.ts";
import { codec } from "../../media/codec.ts";
import { Units } from "../../media/frame.ts";
import { MpegTsDemuxer } from "../mpegts/demuxer.ts";
import { demux, type Demuxed, ffmpeg, ffprobe, hasFfmpeg, muxFmp4, testPicture } from "../testing.ts";
import { readFmp4 } from "./reader.ts";
import { sampleOf } from "./sample.ts";

const make = (onFrame: ConstructorParameters<typeof MpegTsDemuxer>[0]) => new MpegTsDemuxer(onFrame);
const h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-b_strategy", "0", "-g", "25"];
const h265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:bframes=2:keyint=25"];
const tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"];

function bytesOf(parts: readonly Uint8Array[], isLengthPrefixed: boolean): number[] {
  return parts.flatMap((part) =>
    isLengthPrefixed ? [0, part.length >> 16, part.length >> 8 & 255, part.length & 255, ...part] : [...part]
  );
}

/** Muxes, reads back with our reader, mediabunny and ffprobe, and compares each frame. */
async function roundTrip(frames: readonly Demuxed[], entries: Readonly<Record<string, string>>): Promise<void> {
  const { file, tracks } = muxFmp4(frames);
  const read = readFmp4(file);
  assert.deepEqual(read.sequence, frames.map((_, i) => i + 1));
  using input = new Input({ source: new BufferSource(file), formats: [MP4] });
  for (const track of tracks) {
    const own = frames.filter(({ stream }) => stream.codec!.name === track.codec.name);
    const { clockRate } = track.codec;
    const file4 = read.tracks.find(({ id }) => id === track.id + 1)!;
    assert.equal(file4.entry, entries[track.codec.name]);
    assert.equal(file4.timescale, clockRate);
    const { samples } = file4;
    assert.equal(samples.length, own.length);
    const first = own[0]!.frame.pts - samples[0]!.pts;
    for (const [i, { frame }] of own.entries()) {
      const sample = samples[i]!;
      const expected = sampleOf(track.codec, { ...track.log.newest!, timestamp: 0, payload: frame.payload });
      // FLAC frames carry their place.
      if (track.codec.name !== "PCMA") {
        assert.deepEqual([...sample.bytes], bytesOf(expected.parts, expected.isLengthPrefixed));
      }
      assert.equal(sample.pts, frame.pts - first);
      if (frame.dts !== undefined) assert.equal(sample.dts, frame.dts - first);
      assert.equal(sample.isKeyframe, frame.isKeyframe);
      if (i > 0) assert(sample.dts > samples[i - 1]!.dts);
    }

    const found = (await input.getTracks()).find(({ id }) => id === track.id + 1)!;
    let count = 0;
    const byTime = samples.map(({ pts, isKeyframe }) => ({ pts, isKeyframe }));
    for await (const packet of new EncodedPacketSink(found).packets()) {
      const sample = byTime[count++]!;
      assert(Math.abs(packet.timestamp - sample.pts / clockRate) < 1e-4, `${packet.timestamp} is not ${sample.pts}`);
      assert.equal(packet.type, sample.isKeyframe ? "key" : "delta");
    }
    assert.equal(count, own.length);

    const { fields, complaints } = ffprobe(file, track.kind === "video" ? "v" : "a");
    assert.equal(complaints, "");
    assert.equal(Number(fields["nb_read_frames"]), own.length);
    if (track.kind === "video") assert.equal(`${fields["width"]}x${fields["height"]}`, "320x240");
    else assert.equal(Number(fields["sample_rate"]), clockRate);
  }
}

const cases: { name: string; args: string[]; entries: Readonly<Record<string, string>> }[] = [
  {
    name: "H264 with B-frames and AAC",
    args: [...testPicture(2), ...tone, ...h264, "-c:a", "aac"],
    entries: { H264: "avc1", "MPEG4-GENERIC": "mp4a" },
  },
  {
    name: "H265 with B-frames and Opus",
    args: [...testPicture(2), ...tone, ...h265, "-c:a", "libopus"],
    entries: { H265: "hvc1", OPUS: "Opus" },
  },
];
for (const { name, args, entries } of cases) {
  Deno.test({
    name: `Fmp4Rendition muxes ${name} so that ours, mediabunny and ffprobe read the same (needs ffmpeg)`,
    ignore: !hasFfmpeg,
    fn: () => roundTrip(demux(make, ffmpeg("mpegts", ...args)), entries),
  });
}

const alaw = codec("PCMA", { clockRate: 8000, channels: 1 });
const wave = Int16Array.from({ length: 16000 }, (_, i) => 20000 * Math.sin(i / 3));

Deno.test({
  name: "Fmp4Rendition muxes G.711 as FLAC, sample by sample (needs ffmpeg)",
  ignore: !hasFfmpeg,
  fn: async () => {
    const bytes = encodePcma(wave);
    const stream = { id: 0, codec: alaw };
    const frames = Array.from({ length: 50 }, (_, i) => ({
      stream,
      frame: { payload: new Units([bytes.subarray(i * 320, i * 320 + 320)]), pts: i * 320, isKeyframe: true },
    }));
    await roundTrip(frames, { PCMA: "fLaC" });
  },
});
