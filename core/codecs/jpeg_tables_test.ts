import assert from "node:assert/strict";
import { jpegQuantTables, STANDARD_HUFFMAN_TABLES } from "./jpeg_tables.ts";

Deno.test("jpegQuantTables() derives the tables of a quality", () => {
  const middle = jpegQuantTables(50);
  assert.deepEqual([...middle.subarray(0, 8)], [16, 11, 12, 14, 12, 10, 16, 14]);
  assert.deepEqual([...middle.subarray(64, 72)], [17, 18, 18, 24, 21, 24, 47, 26]);
  assert.deepEqual([...jpegQuantTables(25).subarray(0, 4)], [32, 22, 24, 28]);
  assert.deepEqual([...jpegQuantTables(75).subarray(0, 4)], [8, 6, 6, 7]);
  assert.deepEqual([...jpegQuantTables(1)], new Array(128).fill(255));
  assert.deepEqual(jpegQuantTables(127), jpegQuantTables(99));
  assert.ok(jpegQuantTables(99).every((value) => value >= 1 && value <= 3));
});

Deno.test("STANDARD_HUFFMAN_TABLES holds four tables", () => {
  const ids: number[] = [];
  for (let at = 0; at < STANDARD_HUFFMAN_TABLES.length;) {
    ids.push(STANDARD_HUFFMAN_TABLES[at]!);
    at += 17 + STANDARD_HUFFMAN_TABLES.subarray(at + 1, at + 17).reduce((sum, count) => sum + count);
  }
  assert.deepEqual(ids, [0, 1, 0x10, 0x11]);
});
