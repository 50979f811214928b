import { bodyByte, MARK_BYTES, writeMark } from "./mark.ts";

/** Constrained Baseline, 1280×720 at 25 pictures a second, no reordering. */
export const SPS = Uint8Array.fromHex("6742c01fd9005005bb011000000300100000030320f1832480");
export const PPS = Uint8Array.fromHex("68cb83cb20");

/** The largest part of a slice in one packet. */
const PART_BYTES = 1400;
const INTERLEAVED_BYTES = 4;
const RTP_BYTES = 12;
const PAYLOAD_TYPE = 96;
/** NAL unit header and first byte of a slice: IDR, all of I; not IDR, all of P. Both begin at macroblock 0. */
const KEY_SLICE = [0x65, 0x88] as const;
const DELTA_SLICE = [0x41, 0x9a] as const;
const FU_A = 28;

/**
 * One picture as RTP packets behind their interleaved heads, ready to be written once numbers, times and the mark are
 * filled in. It holds no picture: nothing between a camera and a player looks into slices.
 */
export class Picture {
  readonly bytes: Uint8Array;
  /** Where each packet begins in `bytes`. */
  readonly packets: readonly number[];
  readonly #isKey: boolean;
  readonly #markAt: number;
  readonly #view: DataView;

  constructor(isKey: boolean, sliceBytes: number) {
    const [nal, first] = isKey ? KEY_SLICE : DELTA_SLICE;
    const slice = Uint8Array.from({ length: Math.max(sliceBytes, 2 * MARK_BYTES) }, (_, i) => bodyByte(i));
    slice[0] = first;
    const payloads = [...(isKey ? [SPS, PPS] : []), ...fragments(nal, slice)];
    const total = payloads.reduce((sum, payload) => sum + INTERLEAVED_BYTES + RTP_BYTES + payload.length, 0);
    this.bytes = new Uint8Array(total);
    this.#view = new DataView(this.bytes.buffer);
    this.#isKey = isKey;
    const packets: number[] = [];
    let at = 0;
    payloads.forEach((payload, i) => {
      packets.push(at);
      const length = RTP_BYTES + payload.length;
      this.bytes.set([0x24, 0, length >> 8, length & 255, 0x80], at);
      this.bytes[at + 5] = PAYLOAD_TYPE | (i === payloads.length - 1 ? 0x80 : 0);
      this.bytes.set(payload, at + INTERLEAVED_BYTES + RTP_BYTES);
      at += INTERLEAVED_BYTES + length;
    });
    this.packets = packets;
    // Behind the two bytes of the fragment's head and the first byte of the slice.
    this.#markAt = packets[isKey ? 2 : 0]! + INTERLEAVED_BYTES + RTP_BYTES + 3;
  }

  /** Fills in what is different each time; answers the next sequence number. */
  stamp(sequence: number, timestamp: number, ssrc: number, sentUs: number): number {
    for (const at of this.packets) {
      this.#view.setUint16(at + 6, sequence);
      this.#view.setUint32(at + 8, timestamp);
      this.#view.setUint32(at + 12, ssrc);
      sequence = (sequence + 1) & 0xffff;
    }
    writeMark(this.bytes, this.#markAt, this.#isKey, sentUs);
    return sequence;
  }
}

// A slice in fragments (RFC 6184 §5.8); even a small one, so that all pictures look alike.
function fragments(nal: number, slice: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const size = Math.min(PART_BYTES, Math.ceil(slice.length / 2));
  for (let at = 0; at < slice.length; at += size) {
    const part = slice.subarray(at, at + size);
    const start = at === 0 ? 0x80 : 0;
    const end = at + size >= slice.length ? 0x40 : 0;
    const payload = new Uint8Array(2 + part.length);
    payload.set([(nal & 0x60) | FU_A, start | end | (nal & 0x1f)]);
    payload.set(part, 2);
    parts.push(payload);
  }
  return parts;
}

/** What a camera sends. */
export interface Shape {
  readonly bitsPerSecond: number;
  readonly fps: number;
  /** Pictures from one keyframe to the next. */
  readonly gop: number;
}

/** A keyframe is as large as this many other pictures. */
const KEY_WEIGHT = 8;

/** The two pictures that a camera of this shape sends. */
export function picturesOf({ bitsPerSecond, fps, gop }: Shape): { key: Picture; delta: Picture } {
  const deltaBytes = Math.round(bitsPerSecond / 8 / fps * gop / (gop - 1 + KEY_WEIGHT));
  return { key: new Picture(true, deltaBytes * KEY_WEIGHT), delta: new Picture(false, deltaBytes) };
}
