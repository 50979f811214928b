import assert from "node:assert/strict";
import { jpegHeaders, jpegSize, parseJpeg } from "../../codecs/jpeg.ts";
import { jpegQuantTables } from "../../codecs/jpeg_tables.ts";
import { codec } from "../../media/codec.ts";
import { nal, TestSender } from "../testing.ts";
import { concat, Look } from "./format.ts";
import { jpegPayload } from "./jpeg.ts";

/** The payload of a picture in one packet. */
function payload(
  { type = 1, quality = 50, width = 80, height = 60, extra = [] as number[], scan = nal([1], 30) },
): Uint8Array {
  return concat([Uint8Array.of(0, 0, 0, 0, type, quality, width, height, ...extra), scan]);
}

function read(...payloads: readonly Uint8Array[]): Uint8Array | undefined {
  return jpegPayload.depacketizer(codec("JPEG")).depacketize(new TestSender().frame(payloads, 0))[0];
}

Deno.test("jpegPayload makes the tables of a quality below 100", () => {
  const picture = parseJpeg(read(payload({ quality: 50 }))!)!;
  assert.deepEqual([picture.type, picture.width, picture.height], [1, 640, 480]);
  assert.deepEqual([...picture.quantTables], [...jpegQuantTables(50)]);
});

Deno.test("jpegPayload reads restart intervals", () => {
  const picture = parseJpeg(read(payload({ type: 64, extra: [0, 40, 0xff, 0xff] }))!)!;
  assert.deepEqual([picture.type, picture.restartInterval], [0, 40]);
});

Deno.test("jpegPayload keeps tables that are sent once", () => {
  const depacketizer = jpegPayload.depacketizer(codec("JPEG"));
  const sender = new TestSender();
  const tables = Array.from({ length: 128 }, (_, i) => i + 1);
  const first = sender.frame([payload({ quality: 200, extra: [0, 0, 0, 128, ...tables] })], 0);
  const second = sender.frame([payload({ quality: 200, extra: [0, 0, 0, 0] })], 1);
  assert.deepEqual(depacketizer.depacketize(second), []);
  depacketizer.learn!(first);
  assert.deepEqual([...parseJpeg(depacketizer.depacketize(second)[0]!)!.quantTables], tables);
});

Deno.test("jpegPayload Quirk(JPEG wider or higher than 2040): known cut sizes are mapped back", () => {
  const sizes = [
    [64, 240, 2560, 1920],
    [64, 180, 2560, 1440],
    [224, 14, 3840, 2160],
    [32, 162, 2304, 1296],
  ] as const;
  for (const [cutWidth, cutHeight, width, height] of sizes) {
    assert.deepEqual(jpegSize(read(payload({ width: cutWidth, height: cutHeight }))!), { width, height });
  }
});

Deno.test("jpegPayload Quirk(JPEG without EOI): it is put behind", () => {
  assert.deepEqual([...read(payload({}))!.slice(-2)], [0xff, 0xd9]);
  const ended = read(payload({ scan: Uint8Array.of(1, 2, 0xff, 0xd9) }))!;
  assert.deepEqual([...ended.slice(-4)], [1, 2, 0xff, 0xd9]);
});

Deno.test("jpegPayload reads nothing of a picture that misses a part", () => {
  const tables = jpegQuantTables(80);
  const headers = jpegHeaders({ type: 1, width: 640, height: 480, quantTables: tables, restartInterval: 0 });
  const jpeg = concat([headers, nal([1], 3000), Uint8Array.of(0xff, 0xd9)]);
  const payloads = jpegPayload.packetize([jpeg], codec("JPEG"), 500).map(({ payload }) => payload);
  assert.ok(read(...payloads));
  assert.equal(read(...payloads.toSpliced(2, 1)), undefined);
  assert.equal(read(...payloads.slice(1)), undefined);
});

Deno.test("jpegPayload.look() tells the first packet of a picture", () => {
  const depacketizer = jpegPayload.depacketizer(codec("JPEG"));
  const packet = new TestSender().packet(payload({}));
  assert.equal(depacketizer.look(packet, 12, packet.length), Look.START | Look.KEY | Look.CONTENT);
  packet[15] = 9;
  assert.equal(depacketizer.look(packet, 12, packet.length), Look.KEY | Look.CONTENT);
});
