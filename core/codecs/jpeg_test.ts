import assert from "node:assert/strict";
import fc from "fast-check";
import { fixJpeg, jpegHeaders, jpegSize, jpegSizeOfRtp, parseJpeg } from "./jpeg.ts";
import { RESTARTED, SMALL, SMALL_BYTES, SMALL_OWN_TABLES } from "./jpeg_testing.ts";
import { hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

const EOI = Uint8Array.of(0xff, 0xd9);
const RESTARTED_BYTES = hex(RESTARTED.head + RESTARTED.huffman + RESTARTED.tail);

Deno.test("parseJpeg() reads what RTP carries of an odd-sized picture", () => {
  const picture = parseJpeg(SMALL_BYTES)!;
  const { type, width, height, restartInterval, quantTables, scan } = picture;
  assert.deepEqual({ type, width, height, restartInterval }, { type: 1, width: 23, height: 13, restartInterval: 0 });
  const table = SMALL.quantTable.slice(10);
  assert.equal(toHex(quantTables), table + table);
  assert.equal(toHex(scan), SMALL.scan.slice(28, -4));
  assert.equal(scan.buffer, SMALL_BYTES.buffer);
});

Deno.test("parseJpeg() reads restart intervals and keeps their markers", () => {
  const { width, height, restartInterval, scan } = parseJpeg(RESTARTED_BYTES)!;
  assert.deepEqual({ width, height, restartInterval }, { width: 64, height: 32, restartInterval: 4 });
  assert.equal(toHex(scan), RESTARTED.tail.slice(38 + 28, -4));
});

Deno.test("parseJpeg() reads 4:2:2, two quantizer tables, no Huffman tables, no EOI, bytes behind EOI", () => {
  const frame = SMALL.frame.replace("0122", "0121").replaceAll("1100", "1101");
  const two = SMALL.quantTable + "ffdb004301" + "11".repeat(64);
  const head = "ffd8" + two + frame;
  const picture = parseJpeg(hex(head + SMALL.scan.slice(0, -4)))!;
  assert.equal(picture.type, 0);
  assert.equal(toHex(picture.quantTables), SMALL.quantTable.slice(10) + "11".repeat(64));
  assert.equal(toHex(picture.scan), SMALL.scan.slice(28, -4));
  assert.deepEqual(parseJpeg(hex(head + SMALL.scan + "00000000"))!.scan, picture.scan);
});

const REFUSED: readonly (readonly [string, Uint8Array])[] = [
  ["own Huffman tables", SMALL_OWN_TABLES],
  ["a progressive picture", hex(toHex(SMALL_BYTES).replace("ffc00011", "ffc20011"))],
  ["4:4:4", hex(toHex(SMALL_BYTES).replace("0122000211", "0111000211"))],
  ["12 bits", hex(toHex(SMALL_BYTES).replace("ffc0001108", "ffc000110c"))],
  ["quantizers that are missing", hex("ffd8" + SMALL.frame + SMALL.scan)],
  [
    "quantizers of 16 bits",
    hex("ffd8" + SMALL.quantTable.replace("ffdb004300", "ffdb004310") + SMALL.frame + SMALL.scan),
  ],
  ["a picture without SOS", hex("ffd8" + SMALL.quantTable + SMALL.frame)],
  ["what is no JPEG", hex("89504e470d0a1a0a")],
];

for (const [name, bytes] of REFUSED) {
  Deno.test(`parseJpeg() refuses ${name}`, () => assert.equal(parseJpeg(bytes), undefined));
}

Deno.test("jpegSize() reads every kind of JPEG", () => {
  assert.deepEqual(jpegSize(SMALL_OWN_TABLES), { width: 23, height: 13 });
  assert.deepEqual(jpegSize(hex(toHex(SMALL_BYTES).replace("ffc00011", "ffc20011"))), { width: 23, height: 13 });
  assert.equal(jpegSize(hex("ffd8")), undefined);
});

Deno.test("jpegHeaders() undoes parseJpeg()", () => {
  for (const bytes of [SMALL_BYTES, RESTARTED_BYTES]) {
    const picture = parseJpeg(bytes)!;
    const rebuilt = Uint8Array.from([...jpegHeaders(picture), ...picture.scan, ...EOI]);
    assert.deepEqual(parseJpeg(rebuilt), picture);
    assert.equal(String.fromCharCode(...rebuilt.subarray(6, 10)), "JFIF");
  }
});

Deno.test("jpegHeaders() writes any fields that parseJpeg() reads, restart types included", () => {
  const fields = fc.record({
    type: fc.constantFrom<0 | 1>(0, 1),
    width: fc.integer({ min: 1, max: 65535 }),
    height: fc.integer({ min: 1, max: 65535 }),
    quantTables: fc.uint8Array({ minLength: 128, maxLength: 128 }),
    restartInterval: fc.nat({ max: 65535 }),
    scan: fc.uint8Array({ maxLength: 20, max: 254 }),
  });
  fc.assert(fc.property(fields, (picture) => {
    for (const type of [picture.type, picture.type + 64]) {
      const headers = jpegHeaders({ ...picture, type });
      assert.deepEqual(parseJpeg(Uint8Array.from([...headers, ...picture.scan, ...EOI])), { ...picture });
    }
  }));
});

Deno.test("jpegHeaders() takes one table for both, and refuses other lengths", () => {
  const fields = { type: 1, width: 640, height: 480, restartInterval: 0 };
  const one = jpegHeaders({ ...fields, quantTables: new Uint8Array(64).fill(9) });
  assert.deepEqual(one, jpegHeaders({ ...fields, quantTables: new Uint8Array(128).fill(9) }));
  assert.throws(() => jpegHeaders({ ...fields, quantTables: new Uint8Array(63) }), RangeError);
});

Deno.test("jpegSizeOfRtp() restores the sizes that 8 bits cut", () => {
  assert.deepEqual(jpegSizeOfRtp(1792, 112), { width: 3840, height: 2160 });
  assert.deepEqual(jpegSizeOfRtp(512, 1440), { width: 2560, height: 1440 });
  assert.deepEqual(jpegSizeOfRtp(512, 1920), { width: 2560, height: 1920 });
  assert.deepEqual(jpegSizeOfRtp(256, 1296), { width: 2304, height: 1296 });
  assert.deepEqual(jpegSizeOfRtp(1920, 1080), { width: 1920, height: 1080 });
});

const AVI1 = "ffe0001041564931000000000000000000";
const OTHER = "ffe60008766e64720000";

Deno.test("fixJpeg() leaves a JPEG alone that every program knows", () => {
  for (const bytes of [SMALL_BYTES, SMALL_OWN_TABLES, hex("ffd8" + toHex(SMALL_BYTES).slice(40)), hex("1234")]) {
    assert.equal(fixJpeg(bytes), bytes);
  }
});

Deno.test("fixJpeg() puts the usual Huffman tables into AVI1 before SOS", () => {
  const avi = "ffd8" + AVI1 + "00" + SMALL.quantTable + SMALL.frame;
  assert.equal(toHex(fixJpeg(hex(avi + SMALL.scan))), avi + SMALL.huffman + SMALL.scan);
  assert.equal(
    toHex(fixJpeg(hex("ffd8" + SMALL.quantTable + SMALL.frame + SMALL.scan))),
    "ffd8" + SMALL.quantTable + SMALL.frame + SMALL.huffman + SMALL.scan,
  );
});

Deno.test("fixJpeg() puts a JFIF header before another application's, but for Adobe's", () => {
  const rest = SMALL.quantTable + SMALL.huffman + SMALL.frame + SMALL.scan;
  const fixed = fixJpeg(hex("ffd8" + OTHER + rest));
  assert.equal(toHex(fixed), "ffd8ffe000104a46494600010100000100010000" + OTHER + rest);
  assert.equal(fixJpeg(fixed), fixed);
  const adobe = hex("ffd8" + "ffee000e41646f626500640000000001" + rest);
  assert.equal(fixJpeg(adobe), adobe);
});

Deno.test("parseJpeg(), jpegSize() and fixJpeg() survive any bytes", () => {
  const seeds = [SMALL_BYTES, hex("ffd8" + OTHER + SMALL.quantTable + SMALL.frame + SMALL.scan)];
  for (const parse of [parseJpeg, jpegSize, fixJpeg]) survives(parse, seeds);
});
