import assert from "node:assert/strict";
import { bodyByte, MARK_BYTES, nowUs, scanMarks, writeMark } from "./mark.ts";

function read(bytes: Uint8Array, end = bytes.length): { marks: [boolean, number][]; rest: number } {
  const marks: [boolean, number][] = [];
  const rest = scanMarks(bytes, end, (isKey, sentUs) => marks.push([isKey, sentUs]));
  return { marks, rest };
}

Deno.test("scanMarks finds what writeMark wrote", () => {
  const bytes = Uint8Array.from({ length: 4000 }, (_, i) => bodyByte(i));
  const sentUs = nowUs();
  writeMark(bytes, 100, true, sentUs);
  writeMark(bytes, 3000, false, sentUs + 40_000);
  bytes[2000] = 0xa7;
  assert.deepEqual(read(bytes), { marks: [[true, sentUs], [false, sentUs + 40_000]], rest: 4000 });
});

Deno.test("scanMarks leaves a mark that is not complete for the next call", () => {
  const bytes = new Uint8Array(200);
  writeMark(bytes, 150, false, 1_700_000_000_000_000);
  for (let end = 151; end < 150 + MARK_BYTES; end++) assert.deepEqual(read(bytes, end), { marks: [], rest: 150 });
  assert.equal(read(bytes, 150 + MARK_BYTES).marks.length, 1);
});

Deno.test("bodyByte makes neither start codes nor marks", () => {
  for (let i = 0; i < 70_000; i++) assert.ok(bodyByte(i) !== 0 && bodyByte(i) !== 0xa7);
});
