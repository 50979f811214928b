import assert from "node:assert/strict";
import { codec } from "../../media/codec.ts";
import { h265, TestSender } from "../testing.ts";
import { concat, Look } from "./format.ts";
import { h265Payload } from "./h265.ts";

const { vps, sps, pps, sei, aud } = h265;
const depacketizer = h265Payload.depacketizer(codec("H265"));

function read(...payloads: readonly Uint8Array[]): number[][] {
  return depacketizer.depacketize(new TestSender().frame(payloads, 0)).map((unit) => [...unit]);
}

function look(payload: Uint8Array): number {
  const packet = new TestSender().packet(payload);
  return depacketizer.look(packet, 12, packet.length);
}

function units(...nals: readonly Uint8Array[]): number[][] {
  return nals.map((nal) => [...nal]);
}

Deno.test("h265Payload sends parameter sets in one aggregation packet, and takes it apart", () => {
  const parts = h265Payload.packetize([aud, vps, sps, pps, h265.idr()], codec("H265"), 1000);
  assert.deepEqual(parts.map(({ payload }) => payload[0]! >> 1 & 63), [48, 19]);
  assert.equal(look(parts[0]!.payload), Look.SETS | Look.START);
  assert.deepEqual(read(...parts.map(({ payload }) => payload)), units(vps, sps, pps, h265.idr()));
});

Deno.test("h265Payload Quirk(OpenIPC): a fragment with start and end bit is a whole unit", () => {
  const idr = h265.idr();
  const fragment = concat([Uint8Array.of(49 << 1, 1, 0xc0 | 19), idr.subarray(2)]);
  assert.deepEqual(read(fragment), units(idr));
  assert.equal(look(fragment), Look.KEY | Look.CONTENT | Look.START);
});

Deno.test("h265Payload drops a fragmented unit after a lost sequence number", () => {
  const payloads = h265Payload.packetize([h265.idr(500)], codec("H265"), 100).map(({ payload }) => payload);
  const packets = new TestSender().frame(payloads, 0);
  assert.deepEqual(depacketizer.depacketize(packets.filter((_packet, i) => i !== 3)), []);
});

Deno.test("h265Payload.look() tells parameter sets, keyframes and first slices", () => {
  const { KEY, SETS, CONTENT, START } = Look;
  assert.equal(look(vps), SETS | START);
  assert.equal(look(sei), START);
  assert.equal(look(h265.slice()), CONTENT | START);
  assert.equal(look(Uint8Array.of(0x02, 0x01, 0x20, 1)), CONTENT);
  assert.equal(look(h265.idr()), KEY | CONTENT | START);
});

Deno.test("h265Payload leaves decoding order numbers out", () => {
  const ordered = h265Payload.depacketizer(codec("H265", { fmtp: "sprop-max-don-diff=2" }));
  const slice = h265.slice(300);
  const single = concat([slice.subarray(0, 2), Uint8Array.of(0, 1), slice.subarray(2)]);
  const together = concat([
    Uint8Array.of(48 << 1, 1, 0, 7, 0, vps.length),
    vps,
    Uint8Array.of(0, 0, sps.length),
    sps,
  ]);
  const fragments = h265Payload.packetize([slice], codec("H265"), 200).map(({ payload }, i) =>
    i === 0 ? concat([payload.subarray(0, 3), Uint8Array.of(0, 9), payload.subarray(3)]) : payload
  );
  const packets = new TestSender().frame([together, single, ...fragments], 0);
  assert.deepEqual(ordered.depacketize(packets).map((unit) => [...unit]), units(vps, sps, slice, slice));
  assert.equal(ordered.look(packets[0]!, 12, packets[0]!.length), Look.SETS | Look.START);
  assert.equal(ordered.look(packets[1]!, 12, packets[1]!.length), Look.CONTENT | Look.START);
});
