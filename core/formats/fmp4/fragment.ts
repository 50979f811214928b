import { u32 } from "./boxes.ts";
import type { Sample } from "./sample.ts";

/**
 * Where a fragment carries what differs between frames: all fragments have one layout, `moof(mfhd traf(tfhd tfdt trun))
 * mdat`, with one sample.
 */
export const FragmentAt = {
  sequence: 20,
  trackId: 44,
  duration: 48,
  size: 52,
  flags: 56,
  decodeTime: 72,
  compositionOffset: 100,
  mdatSize: 104,
  data: 112,
} as const;

/** Sample flags (ISO/IEC 14496-12 §8.8.3.1): depends on no other; depends on others and is no sync sample. */
export const KEYFRAME_FLAGS = 0x02000000;
export const DELTA_FLAGS = 0x01010000;

const MOOF_BYTES = 104;

const TEMPLATE = Uint8Array.from([
  ...head(MOOF_BYTES, "moof"),
  ...head(16, "mfhd"),
  ...u32(0),
  ...u32(0),
  ...head(80, "traf"),
  ...head(28, "tfhd"),
  ...u32(0x020038), // default-base-is-moof; duration, size and flags follow
  ...u32(0),
  ...u32(0),
  ...u32(0),
  ...u32(0),
  ...head(20, "tfdt"),
  ...u32(0x01000000),
  ...u32(0),
  ...u32(0),
  ...head(24, "trun"),
  ...u32(0x01000801), // version 1: signed composition offsets
  ...u32(1),
  ...u32(FragmentAt.data),
  ...u32(0),
  ...head(8, "mdat"),
]);

function head(size: number, type: string): number[] {
  return [...u32(size), ...Array.from(type, (char) => char.charCodeAt(0))];
}

/** The fragment of a sample, with its times and its number left open. */
export function makeFragment({ parts, isLengthPrefixed }: Sample, trackId: number, flags: number): Uint8Array {
  let size = isLengthPrefixed ? parts.length * 4 : 0;
  for (const part of parts) size += part.length;
  const bytes = new Uint8Array(FragmentAt.data + size);
  bytes.set(TEMPLATE);
  const view = viewOf(bytes);
  view.setUint32(FragmentAt.trackId, trackId);
  view.setUint32(FragmentAt.size, size);
  view.setUint32(FragmentAt.flags, flags);
  view.setUint32(FragmentAt.mdatSize, size + 8);
  let at: number = FragmentAt.data;
  for (const part of parts) {
    if (isLengthPrefixed) {
      view.setUint32(at, part.length);
      at += 4;
    }
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Writes the times of a fragment, in ticks; a negative decode time, which MP4 does not have, becomes 0. */
export function writeTimes(view: DataView, decodeTime: number, compositionOffset: number, duration: number): void {
  const time = Math.max(0, decodeTime);
  view.setUint32(FragmentAt.decodeTime, Math.floor(time / 0x100000000));
  view.setUint32(FragmentAt.decodeTime + 4, time >>> 0);
  view.setInt32(FragmentAt.compositionOffset, compositionOffset);
  view.setUint32(FragmentAt.duration, duration);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
