/** Makes packets, streams and frames for tests. */
import fc from "fast-check";
import type { Codec } from "../media/codec.ts";
import type { Frame } from "../media/frame.ts";
import { Track } from "../media/track.ts";
import { makeRtpPacket } from "./packet.ts";
import type { PayloadFormat } from "./payloads/format.ts";
import { RtpReceiver } from "./receiver.ts";
import { ReorderBuffer } from "./reorder.ts";

/** A NAL unit: its header, then bytes that hold no start code and do not end with zero. */
export function nal(header: readonly number[], size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(header.length + size);
  bytes.set(header);
  for (let i = 0; i < size; i++) bytes[header.length + i] = (seed * 31 + i * 7) % 254 + 1;
  return bytes;
}

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16));
}

/** H.264 units of usual sizes. The slices are the first of their picture. */
export const h264 = {
  /** 640 by 360, two pictures decoded ahead. */
  sps: fromHex("6764001eacd940a02ff97011000003000100000300320f162d96"),
  pps: Uint8Array.from([0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]),
  sei: nal([0x06, 0x05], 30),
  aud: Uint8Array.of(0x09, 0xf0),
  idr: (size = 40, seed = 1) => nal([0x65, 0x88], size, seed),
  slice: (size = 40, seed = 1) => nal([0x41, 0x9a], size, seed),
  laterSlice: (size = 40, seed = 1) => nal([0x41, 0x1a], size, seed),
} as const;

/** H.265 units. The slices are the first of their picture. */
export const h265 = {
  vps: fromHex("40010c01ffff01600000030090000003000003003f959409"),
  sps: fromHex("42010101600000030090000003000003003fa0050201696595964932bc05a02000000300200000030321"),
  pps: fromHex("4401c172b46240"),
  aud: Uint8Array.of(0x46, 0x01, 0x50),
  sei: nal([0x4e, 0x01], 20, 6),
  idr: (size = 40, seed = 1) => nal([0x26, 0x01, 0x80], size, seed),
  slice: (size = 40, seed = 1) => nal([0x02, 0x01, 0x80], size, seed),
} as const;

/** Counts packets as a sender does. */
export class TestSender {
  sequence = 65530;
  ssrc = 0x1234;

  /** A packet with the next sequence number. */
  packet(payload: Uint8Array, { timestamp = 0, marker = false } = {}): Uint8Array {
    const sequence = this.sequence;
    this.sequence = (this.sequence + 1) & 0xffff;
    return makeRtpPacket({ marker, payloadType: 96, sequence, timestamp, ssrc: this.ssrc }, payload);
  }

  /** The packets of a frame; the marker is on the last. */
  frame(payloads: readonly Uint8Array[], timestamp: number): Uint8Array[] {
    return payloads.map((payload, i) => this.packet(payload, { timestamp, marker: i === payloads.length - 1 }));
  }
}

/** A receiver with all frames that came out of it. */
export class TestReceiver {
  readonly track: Track;
  readonly receiver: RtpReceiver;
  readonly frames: Frame[] = [];
  nowMs = 1000;

  constructor(codec: Codec, options: { reorder?: boolean } = {}) {
    this.track = new Track(0, codec, { maxBytes: 256 << 20 });
    this.receiver = new RtpReceiver(this.track, codec, options);
    this.track.log.addCursor({
      index: Infinity,
      wake: () => {
        const frame = this.track.log.newest!;
        frame.payload.share?.();
        this.frames.push(frame);
      },
    });
  }

  /** Pushes packets, one per millisecond. */
  push(...packets: readonly Uint8Array[]): this {
    for (const packet of packets) this.receiver.push(packet, this.nowMs++);
    return this;
  }

  /** The units of the frames, as arrays of numbers that compare well. */
  get units(): number[][][] {
    return this.frames.map((frame) => frame.payload.units().map((unit) => [...unit]));
  }
}

/** What `depacketize` makes of what `packetize` made, after packets changed places on the way. */
export function overWire(
  format: PayloadFormat,
  codec: Codec,
  { units, maxPayload, swaps = [] }: {
    units: readonly Uint8Array[];
    maxPayload: number;
    swaps?: readonly number[];
  },
): { units: Uint8Array[]; packets: Uint8Array[] } {
  const sender = new TestSender();
  let timestamp = 90000;
  const packets = format.packetize(units, codec, maxPayload).map(({ payload, marker, advance }) => {
    const packet = sender.packet(payload, { timestamp, marker });
    timestamp += advance;
    return packet;
  });
  const shuffled = [...packets];
  // Neighbours change places; the first stays, as it says where the count begins.
  for (const at of swaps) {
    const i = 1 + at % Math.max(1, shuffled.length - 1);
    if (i + 1 < shuffled.length) [shuffled[i], shuffled[i + 1]] = [shuffled[i + 1]!, shuffled[i]!];
  }
  const ordered: Uint8Array[] = [];
  const buffer = new ReorderBuffer((packet) => ordered.push(packet));
  for (const packet of shuffled) buffer.push(packet, 0);
  return { units: format.depacketizer(codec).depacketize(ordered), packets };
}

/** Any bytes of a size. */
export function bytes(minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength });
}

/**
 * The suite that each payload format passes: nothing is lost at any packet size and in any order, packets keep to the
 * size, the input stays as it was, and loss and garbage break nothing.
 */
export function checkFormat(
  format: PayloadFormat,
  codec: Codec,
  { units, minPayload = 88, isEqual }: {
    units: fc.Arbitrary<Uint8Array[]>;
    minPayload?: number;
    isEqual: (sent: readonly Uint8Array[], read: readonly Uint8Array[]) => void;
  },
): void {
  const maxPayload = fc.integer({ min: minPayload, max: 1460 });
  const swaps = fc.array(fc.nat({ max: 500 }), { maxLength: 8 });
  fc.assert(
    fc.property(units, maxPayload, swaps, (units, maxPayload, swaps) => {
      const before = units.map((unit) => unit.slice());
      const result = overWire(format, codec, { units, maxPayload, swaps });
      isEqual(units, result.units);
      for (const packet of result.packets) {
        if (packet.length - 12 > maxPayload) throw new Error(`a payload of ${packet.length - 12} passes ${maxPayload}`);
      }
      if (units.some((unit, i) => unit.some((byte, at) => byte !== before[i]![at]))) throw new Error("input changed");
    }),
    { numRuns: 100 },
  );
  fc.assert(
    fc.property(units, maxPayload, fc.array(fc.boolean(), { maxLength: 40 }), (units, maxPayload, isLost) => {
      const { packets } = overWire(format, codec, { units, maxPayload });
      format.depacketizer(codec).depacketize(packets.filter((_packet, i) => !isLost[i]));
    }),
    { numRuns: 60 },
  );
  fc.assert(
    fc.property(fc.array(bytes(0, 60), { maxLength: 6 }), (payloads) => {
      const sender = new TestSender();
      const packets = payloads.map((payload) => sender.packet(payload, { marker: payload.length % 2 === 0 }));
      const copies = packets.map((packet) => packet.slice());
      const depacketizer = format.depacketizer(codec);
      for (const packet of packets) {
        if (packet.length > 12) depacketizer.look(packet, 12, packet.length);
        depacketizer.hasNewSets?.(packet, 12, packet.length, []);
      }
      const full = packets.filter((packet) => packet.length > 12);
      if (full.length > 0) depacketizer.learn?.(full);
      depacketizer.depacketize(packets);
      depacketizer.depacketize([Uint8Array.of(1, 2, 3)]);
      if (packets.some((packet, i) => packet.some((byte, at) => byte !== copies[i]![at]))) throw new Error("changed");
    }),
    { numRuns: 200 },
  );
}
