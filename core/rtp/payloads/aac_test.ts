import assert from "node:assert/strict";
import { aacFmtp, adtsHeader, makeAudioSpecificConfig } from "../../codecs/aac.ts";
import { codec } from "../../media/codec.ts";
import { nal, TestReceiver, TestSender } from "../testing.ts";
import { concat } from "./format.ts";

const asc = makeAudioSpecificConfig({ objectType: 2, sampleRate: 48000, channels: 2 });
const aac = codec("MPEG4-GENERIC", { clockRate: 48000, channels: 2, fmtp: aacFmtp(asc), parameterSets: [asc] });
const frame = nal([0x21], 50);

/** The payload of whole AUs. */
function payload(...units: readonly Uint8Array[]): Uint8Array {
  const header = units.flatMap((unit) => [unit.length >> 5, (unit.length & 31) << 3]);
  return concat([Uint8Array.of(0, units.length * 16, ...header), ...units]);
}

Deno.test("aacPayload makes a frame of each of several AUs in a packet", () => {
  const receiver = new TestReceiver(aac);
  const second = nal([0x21], 20, 5);
  receiver.push(new TestSender().packet(payload(frame, second), { timestamp: 1000, marker: true }));
  assert.deepEqual(receiver.units, [[[...frame]], [[...second]]]);
  assert.equal(receiver.frames[1]!.timestamp - receiver.frames[0]!.timestamp, 1024);
});

Deno.test("aacPayload joins the fragments of an AU, with and without markers", () => {
  const whole = nal([0x21], 999);
  const header = Uint8Array.of(0, 16, 1000 >> 5, (1000 & 31) << 3);
  for (const marker of [true, false]) {
    const receiver = new TestReceiver(aac);
    const sender = new TestSender();
    receiver.push(
      sender.packet(concat([header, whole.subarray(0, 600)]), { timestamp: 1024 }),
      sender.packet(concat([header, whole.subarray(600)]), { timestamp: 1024, marker }),
      sender.packet(payload(frame), { timestamp: 2048, marker }),
    );
    assert.deepEqual(receiver.units, [[[...whole]], [[...frame]]]);
  }
});

Deno.test("aacPayload Quirk(AAC payload that is actually ADTS): the header is stripped", () => {
  const adts = concat([adtsHeader(asc, frame.length), frame]);
  for (const sent of [payload(adts), adts, concat([adts, adts])]) {
    const receiver = new TestReceiver(aac);
    receiver.push(new TestSender().packet(sent, { marker: true }));
    assert.deepEqual(receiver.units[0], [[...frame]]);
  }
});

Deno.test("aacPayload learns the configuration from ADTS when nothing else tells it", () => {
  const receiver = new TestReceiver(codec("MPEG4-GENERIC", { clockRate: 48000 }));
  receiver.push(new TestSender().packet(concat([adtsHeader(asc, frame.length), frame]), { marker: true }));
  assert.deepEqual(receiver.track.codec.parameterSets.map((set) => [...set]), [[...asc]]);
});

Deno.test("aacPayload takes a wrong size for the rest of the packet", () => {
  const receiver = new TestReceiver(aac);
  const wrong = payload(frame);
  wrong[2] = 0xff;
  receiver.push(new TestSender().packet(wrong, { marker: true }));
  assert.deepEqual(receiver.units, [[[...frame]]]);
});

Deno.test("latmPayload gives AAC, with its configuration from the fmtp or in band", () => {
  const inFmtp = codec("MPEG4-GENERIC", { clockRate: 44100, fmtp: "cpresent=0;config=400024203fc0" });
  const receiver = new TestReceiver(inFmtp);
  const element = concat([Uint8Array.of(frame.length), frame]);
  const sender = new TestSender();
  receiver.push(
    sender.packet(element, { timestamp: 0, marker: true }),
    sender.packet(element.subarray(0, 20), { timestamp: 1024 }),
    sender.packet(element.subarray(20), { timestamp: 1024, marker: true }),
  );
  assert.deepEqual(receiver.units, [[[...frame]], [[...frame]]]);
  assert.deepEqual([...receiver.track.codec.parameterSets[0]!], [0x12, 0x10]);

  // A bit that says that a configuration follows, the 44 bits of the one above, the size and the frame.
  const config = Uint8Array.of(0x40, 0x00, 0x24, 0x20, 0x3f, 0xc0);
  const bits = [0];
  const pushBits = (bytes: Uint8Array, count: number) => {
    for (let i = 0; i < count; i++) bits.push(bytes[i >> 3]! >> (7 - (i & 7)) & 1);
  };
  pushBits(config, 44);
  pushBits(element, element.length * 8);
  while (bits.length % 8) bits.push(0);
  const moved = Uint8Array.from(
    { length: bits.length / 8 },
    (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8).join(""), 2),
  );
  const inBand = new TestReceiver(codec("MPEG4-GENERIC", { clockRate: 44100, fmtp: "cpresent=1" }));
  inBand.push(new TestSender().packet(moved, { marker: true }));
  assert.deepEqual(inBand.units, [[[...frame]]]);
  assert.deepEqual([...inBand.track.codec.parameterSets[0]!], [0x12, 0x10]);
});

Deno.test("mpaPayload makes a frame of each of several in a packet, and joins fragments", () => {
  const mp3 = nal([0xff, 0xfb, 0x90, 0x40], 413);
  const mpa = codec("MPA", { clockRate: 90000 });
  const receiver = new TestReceiver(mpa);
  const sender = new TestSender();
  receiver.push(
    sender.packet(concat([new Uint8Array(4), mp3, mp3]), { timestamp: 1000 }),
    sender.packet(concat([new Uint8Array(4), mp3.subarray(0, 200)]), { timestamp: 6000 }),
    sender.packet(concat([Uint8Array.of(0, 0, 0, 200), mp3.subarray(200)]), { timestamp: 6000 }),
    sender.packet(concat([new Uint8Array(4), mp3]), { timestamp: 8000 }),
  );
  assert.deepEqual(receiver.units, [[[...mp3]], [[...mp3]], [[...mp3]], [[...mp3]]]);
  assert.equal(receiver.frames[1]!.timestamp - receiver.frames[0]!.timestamp, 2351);
});
