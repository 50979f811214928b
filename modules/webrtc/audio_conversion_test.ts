import assert from "node:assert/strict";
import { codec, decodePcma, encodeL16, type Frame, Track, Units } from "../../core/mod.ts";
import {
  audioForBrowser,
  canConvert,
  convertAudio,
  microphoneFor,
  peerCodecFor,
  widenWishes,
} from "./audio_conversion.ts";

const PCMA = codec("PCMA", { clockRate: 8000, payloadType: 8 });
const PCMU = codec("PCMU", { clockRate: 8000, payloadType: 0 });
const OPUS = codec("OPUS", { clockRate: 48_000, channels: 2, payloadType: 111 });
const L16 = codec("L16", { clockRate: 16_000, channels: 1 });

/** A tone of 500 Hz as L16 at 16 kHz: 20 ms that begin at that sample. */
function tone(begin: number): Uint8Array {
  return encodeL16(Int16Array.from({ length: 320 }, (_, i) => 8000 * Math.sin(2 * Math.PI * (begin + i) / 32)));
}

function feed(track: Track, count: number, from = 0): void {
  for (let i = from; i < from + count; i++) {
    track.append({ payload: new Units([tone(i * 320)]), pts: i * 320, isKeyframe: true, arrivalMs: 5000 + i * 20 });
  }
}

function framesOf(track: Track): Frame[] {
  const frames: Frame[] = [];
  for (let i = track.log.firstIndex; i < track.log.nextIndex; i++) frames.push(track.log.at(i)!);
  return frames;
}

Deno.test("convertAudio makes G.711 of L16 at another rate, without gaps, in step with the source", () => {
  const source = new Track(3, L16);
  const { track, release } = convertAudio(source, PCMA);
  feed(source, 50);
  const frames = framesOf(track);
  const bytes = frames.flatMap((frame) => [...frame.payload.units()[0]!]);
  assert.equal(bytes.length, 50 * 160);
  const samples = decodePcma(Uint8Array.from(bytes));
  const energy = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  assert.ok(Math.abs(energy - 8000 / Math.SQRT2) < 300, `the tone's energy is ${energy}`);
  let next = frames[0]!.timestamp;
  for (const frame of frames) {
    assert.equal(frame.timestamp, next);
    next += frame.payload.units()[0]!.length;
  }
  const sourceMs = source.log.at(0)!.timestamp / 16;
  assert.ok(Math.abs(frames[0]!.timestamp / 8 - sourceMs) < 1, "it begins with the source");
  release();
});

Deno.test("convertAudio keeps a pause of the source as long as it is", () => {
  const source = new Track(0, L16);
  const { track, release } = convertAudio(source, PCMA);
  feed(source, 5);
  feed(source, 5, 55);
  const times = framesOf(track).map(({ timestamp }) => timestamp - framesOf(track)[0]!.timestamp);
  assert.deepEqual(times, [0, 160, 320, 480, 640, 8800, 8960, 9120, 9280, 9440]);
  release();
});

Deno.test("convertAudio joins packets that are too short", () => {
  const source = new Track(0, codec("PCMU", { clockRate: 8000 }));
  const { track, release } = convertAudio(source, PCMA);
  for (let i = 0; i < 20; i++) {
    const payload = new Units([new Uint8Array(40).fill(0xff)]);
    source.append({ payload, pts: i * 40, isKeyframe: true, arrivalMs: 1000 + i * 5 });
  }
  assert.deepEqual(framesOf(track).map((frame) => frame.payload.byteLength), [160, 160, 160, 160, 160]);
  release();
});

Deno.test("convertAudio makes one track for all who ask, and stops when the last has left", () => {
  const source = new Track(0, L16);
  const first = convertAudio(source, PCMA);
  const second = convertAudio(source, PCMA);
  assert.equal(first.track, second.track);
  assert.notEqual(convertAudio(source, PCMU).track, first.track);
  first.release();
  first.release();
  feed(source, 2);
  assert.equal(second.track.frames, 2);
  second.release();
  assert.equal(source.log.cursorCount, 1);
});

Deno.test("peerCodecFor takes what needs no conversion, then the same law, then A-law", () => {
  assert.equal(peerCodecFor(codec("OPUS", { clockRate: 48_000, channels: 2 }), [OPUS, PCMU, PCMA]), OPUS);
  assert.equal(peerCodecFor(codec("PCMU", { clockRate: 16_000 }), [OPUS, PCMA, PCMU]), PCMU);
  assert.equal(peerCodecFor(codec("PCML", { clockRate: 48_000, channels: 2 }), [OPUS, PCMU, PCMA]), PCMA);
  assert.equal(peerCodecFor(L16, [OPUS, PCMU]), PCMU);
  assert.equal(peerCodecFor(codec("MPEG4-GENERIC", { clockRate: 16_000 }), [OPUS, PCMU, PCMA]), undefined);
});

Deno.test("widenWishes adds plain samples of any rate only where there is G.711", () => {
  assert.deepEqual(widenWishes([OPUS]), [OPUS]);
  const names = widenWishes([OPUS, PCMA]).map(({ name, clockRate }) => `${name}/${clockRate}`);
  assert.deepEqual(names, ["OPUS/48000", "PCMA/8000", "PCMA/0", "PCMU/0", "L16/0", "PCML/0"]);
});

Deno.test("canConvert refuses sound without a rate, and to more than one channel", () => {
  assert.equal(canConvert(codec("L16", { clockRate: 0 }), PCMA), false);
  assert.equal(canConvert(PCMA, codec("L16", { clockRate: 48_000, channels: 2 })), false);
  assert.equal(canConvert(PCMA, L16), true);
});

Deno.test("audioForBrowser converts only what the browser does not play", () => {
  assert.equal(audioForBrowser(new Track(0, PCMU), [OPUS, PCMU, PCMA]), undefined);
  assert.equal(audioForBrowser(new Track(0, codec("MPEG4-GENERIC", { clockRate: 48_000 })), [PCMA]), undefined);
  const converted = audioForBrowser(new Track(0, L16), [OPUS, PCMU, PCMA])!;
  assert.deepEqual([converted.codec.name, converted.track.codec.clockRate], ["PCMA", 8000]);
  converted.release();
});

Deno.test("microphoneFor lets a browser talk to a speaker of another rate", () => {
  const direct = microphoneFor(PCMA, [OPUS, PCMU, PCMA])!;
  assert.equal(direct.fed, direct.heard);
  const microphone = microphoneFor(L16, [OPUS, PCMU, PCMA])!;
  assert.equal(microphone.fed.codec.name, "PCMA");
  assert.equal(microphone.heard.codec, L16);
  for (let i = 0; i < 3; i++) {
    const payload = new Units([new Uint8Array(160).fill(0xd5)]);
    microphone.fed.append({ payload, pts: i * 160, isKeyframe: true, arrivalMs: 1000 + i * 20 });
  }
  assert.deepEqual(framesOf(microphone.heard).map((frame) => frame.payload.byteLength), [640, 640, 640]);
  microphone.release();
  assert.equal(microphoneFor(codec("MPEG4-GENERIC", { clockRate: 16_000 }), [OPUS, PCMU, PCMA]), undefined);
});
