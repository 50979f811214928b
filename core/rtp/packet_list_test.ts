import assert from "node:assert/strict";
import { PacketList } from "./packet_list.ts";
import { heldSlab, leaveSlab } from "./slab_memory.ts";

Deno.test("PacketList gives back the bytes of packets of several buffers in order", () => {
  const first = Uint8Array.from({ length: 20 }, (_, i) => i);
  const second = Uint8Array.from({ length: 20 }, (_, i) => 100 + i);
  const packets = [first.subarray(4, 9), first.subarray(13, 20), second.subarray(0, 3), first.subarray(0, 0)];
  const list = new PacketList();
  for (const packet of packets) list.push(packet);
  assert.equal(list.length, 4);
  assert.deepEqual(list.views(), packets);
});

Deno.test("PacketList gives memory back when it is discarded, and is empty then", () => {
  const bytes = heldSlab(1000);
  const list = new PacketList();
  for (let i = 0; i < 9; i++) list.push(bytes.subarray(i * 100, i * 100 + 50));
  leaveSlab(bytes.buffer);
  assert.equal(bytes.length, 1000);
  list.discard();
  if ("transfer" in ArrayBuffer.prototype) assert.equal(bytes.length, 0);
  assert.deepEqual([list.length, list.views()], [0, []]);
});

Deno.test("PacketList takes nothing from those who were shown its packets", () => {
  const bytes = heldSlab(1000);
  const [one, other] = [new PacketList(), new PacketList()];
  one.push(bytes.subarray(0, 10));
  other.push(bytes.subarray(10, 20));
  leaveSlab(bytes.buffer);
  const [view] = one.views();
  one.discard();
  other.discard();
  assert.deepEqual([bytes.length, view!.length, one.views().length], [1000, 10, 1]);
});
