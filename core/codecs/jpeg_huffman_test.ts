import assert from "node:assert/strict";
import { parseJpeg } from "./jpeg.ts";
import { withStandardHuffman } from "./jpeg_huffman.ts";
import { RESTARTED, SMALL, SMALL_BYTES, SMALL_OWN_TABLES } from "./jpeg_testing.ts";
import { hex, survives } from "./testing.ts";
import { toHex } from "./text.ts";

// The same tables under other ids, so that every bit is read and written again.
const RENAMED = hex(
  RESTARTED.head + RESTARTED.huffman.replace("ffc401a200", "ffc401a202").replace("0b10000201", "0b12000201") +
    RESTARTED.tail.replace("ffda000c03010002110311", "ffda000c03012202110311"),
);

Deno.test("withStandardHuffman() codes a picture as an encoder with the usual tables does", () => {
  const standard = withStandardHuffman(SMALL_OWN_TABLES)!;
  assert.deepEqual(parseJpeg(standard), parseJpeg(SMALL_BYTES));
});

Deno.test("withStandardHuffman() keeps restart markers", () => {
  const standard = withStandardHuffman(RENAMED)!;
  const expected = parseJpeg(hex(RESTARTED.head + RESTARTED.huffman + RESTARTED.tail));
  assert.notEqual(expected, undefined);
  assert.deepEqual(parseJpeg(standard), expected);
});

Deno.test("withStandardHuffman() gives back what has the usual tables, or none", () => {
  assert.equal(withStandardHuffman(SMALL_BYTES), SMALL_BYTES);
  const without = hex("ffd8" + SMALL.quantTable + SMALL.frame + SMALL.scan);
  assert.equal(withStandardHuffman(without), without);
});

Deno.test("withStandardHuffman() refuses what is cut short, progressive or of one component", () => {
  assert.equal(withStandardHuffman(SMALL_OWN_TABLES.subarray(0, -8)), undefined);
  const text = toHex(SMALL_OWN_TABLES);
  assert.equal(withStandardHuffman(hex(text.replace("ffc00011", "ffc20011"))), undefined);
  const grey = text.replace(SMALL.frame, "ffc0000b08000d001701011100").replace(
    "ffda000c03010002110311",
    "ffda00080101",
  );
  assert.equal(withStandardHuffman(hex(grey)), undefined);
});

Deno.test("withStandardHuffman() does not hang on a huge picture with little data", () => {
  const huge = toHex(SMALL_OWN_TABLES).replace("08000d0017", "08ffffffff");
  assert.equal(withStandardHuffman(hex(huge)), undefined);
});

Deno.test("withStandardHuffman() survives any bytes", () => survives(withStandardHuffman, [SMALL_OWN_TABLES, RENAMED]));
