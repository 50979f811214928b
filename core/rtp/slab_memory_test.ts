import assert from "node:assert/strict";
import { slab } from "../runtime/mod.ts";
import { heldSlab, holdSlab, leaveSlab, releaseSlab, shareSlab } from "./slab_memory.ts";

const canFree = "transfer" in ArrayBuffer.prototype;

Deno.test("heldSlab() is given back when the last one lets go", { ignore: !canFree }, () => {
  const { buffer } = heldSlab(100);
  holdSlab(buffer);
  holdSlab(buffer);
  leaveSlab(buffer);
  releaseSlab(buffer);
  assert.equal(buffer.byteLength, 100);
  releaseSlab(buffer);
  assert.equal(buffer.byteLength, 0);
});

Deno.test("heldSlab() stays when it is shared, and when nobody but its maker held it", () => {
  const shared = heldSlab(100);
  holdSlab(shared.buffer);
  shareSlab(shared.buffer);
  leaveSlab(shared.buffer);
  releaseSlab(shared.buffer);
  assert.equal(shared.length, 100);
  const plain = heldSlab(100);
  leaveSlab(plain.buffer);
  assert.equal(plain.length, 100);
});

Deno.test("holdSlab() and releaseSlab() leave other buffers alone", () => {
  const bytes = slab(100);
  holdSlab(bytes.buffer);
  releaseSlab(bytes.buffer);
  releaseSlab(bytes.buffer);
  assert.equal(bytes.length, 100);
});
