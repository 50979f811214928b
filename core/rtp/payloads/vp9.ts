import { isVp9Keyframe } from "../../codecs/vp9.ts";
import { rtpPayloadEnd, rtpPayloadStart, rtpSequence } from "../packet.ts";
import { concat, type Depacketizer, Look, partsOfFrame, type PayloadFormat } from "./format.ts";

const HAS_PICTURE_ID = 0x80;
const IS_PREDICTED = 0x40;
const HAS_LAYERS = 0x20;
const IS_FLEXIBLE = 0x10;
const BEGINS = 0x08;
const ENDS = 0x04;
const HAS_STRUCTURE = 0x02;

/** VP9 of one spatial layer (RFC 9628 §4). Written with the descriptor of one byte. */
export const vp9Payload: PayloadFormat = {
  isPassedOn: true,
  countsFrames: true,
  depacketizer: () => vp9Depacketizer,
  packetize: (units, _codec, maxPayload) => partsOfFrame(units.flatMap((unit) => split(unit, maxPayload - 1))),
};

function split(frame: Uint8Array, room: number): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const step = Math.max(1, room);
  const predicted = isVp9Keyframe(frame) ? 0 : IS_PREDICTED;
  for (let at = 0; at < frame.length; at += step) {
    const descriptor = predicted | (at === 0 ? BEGINS : 0) | (at + step >= frame.length ? ENDS : 0);
    payloads.push(concat([Uint8Array.of(descriptor), frame.subarray(at, at + step)]));
  }
  return payloads;
}

/** Where the frame's data begin, behind the payload descriptor (RFC 9628 §4.2). */
function dataStart(packet: Uint8Array, start: number, end: number): number {
  const descriptor = packet[start]!;
  const byte = (at: number) => at < end ? packet[at]! : 0;
  let at = start + 1;
  if (descriptor & HAS_PICTURE_ID) at += byte(at) > 127 ? 2 : 1;
  if (descriptor & HAS_LAYERS) at += descriptor & IS_FLEXIBLE ? 1 : 2;
  if ((descriptor & IS_FLEXIBLE) !== 0 && (descriptor & IS_PREDICTED) !== 0) {
    let differences = 1;
    while (byte(at++) & 1 && differences < 3) differences++;
  }
  if (descriptor & HAS_STRUCTURE) {
    const structure = byte(at++);
    if (structure & 0x10) at += ((structure >> 5) + 1) * 4;
    if (structure & 0x08) {
      for (let pictures = byte(at++); pictures > 0 && at < end; pictures--) at += 1 + (byte(at) >> 2 & 3);
    }
  }
  return at;
}

function isStart(packet: Uint8Array, start: number, end: number): boolean {
  const descriptor = packet[start]!;
  if ((descriptor & BEGINS) === 0) return false;
  if ((descriptor & HAS_LAYERS) === 0) return true;
  let at = start + 1;
  if (descriptor & HAS_PICTURE_ID) at += at < end && packet[at]! > 127 ? 2 : 1;
  return at < end && (packet[at]! >> 1 & 7) === 0;
}

const vp9Depacketizer: Depacketizer = {
  look(packet, start, end) {
    const data = dataStart(packet, start, end);
    if (data >= end) return 0;
    if (!isStart(packet, start, end)) return Look.CONTENT;
    return Look.CONTENT | Look.START | (isVp9Keyframe(packet.subarray(data, Math.min(end, data + 4))) ? Look.KEY : 0);
  },

  depacketize(packets) {
    const parts: Uint8Array[] = [];
    let next = -1;
    for (const packet of packets) {
      const start = rtpPayloadStart(packet);
      if (start < 0) continue;
      const end = rtpPayloadEnd(packet);
      if (end <= start) continue;
      const data = dataStart(packet, start, end);
      if (data >= end) continue;
      if (parts.length === 0 ? !isStart(packet, start, end) : rtpSequence(packet) !== next) return [];
      next = (rtpSequence(packet) + 1) & 0xffff;
      parts.push(packet.subarray(data, end));
    }
    return parts.length > 0 ? [concat(parts)] : [];
  },
};
