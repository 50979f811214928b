import { rtpPayloadEnd, rtpPayloadStart, rtpSequence } from "../packet.ts";
import { concat, type Depacketizer, Look, partsOfFrame, type PayloadFormat } from "./format.ts";

const STARTS_PARTITION = 0x10;

/** VP8 (RFC 7741 §4). Written with the descriptor of one byte. */
export const vp8Payload: PayloadFormat = {
  isPassedOn: true,
  countsFrames: true,
  depacketizer: () => vp8Depacketizer,
  packetize: (units, _codec, maxPayload) => partsOfFrame(units.flatMap((unit) => split(unit, maxPayload - 1))),
};

function split(frame: Uint8Array, room: number): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < frame.length; at += Math.max(1, room)) {
    const descriptor = Uint8Array.of(at === 0 ? STARTS_PARTITION : 0);
    payloads.push(concat([descriptor, frame.subarray(at, at + Math.max(1, room))]));
  }
  return payloads;
}

/** Where the frame's data begin, behind the payload descriptor (RFC 7741 §4.2). */
function dataStart(packet: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  if (packet[start]! & 0x80) {
    const extension = packet[at++] ?? 0;
    if (extension & 0x80) at += at < end && packet[at]! > 127 ? 2 : 1;
    if (extension & 0x40) at++;
    if (extension & 0x30) at++;
  }
  return at;
}

function isStart(descriptor: number): boolean {
  return (descriptor & STARTS_PARTITION) !== 0 && (descriptor & 7) === 0;
}

const vp8Depacketizer: Depacketizer = {
  look(packet, start, end) {
    const data = dataStart(packet, start, end);
    if (data >= end) return 0;
    if (!isStart(packet[start]!)) return Look.CONTENT;
    return Look.CONTENT | Look.START | (packet[data]! & 1 ? 0 : Look.KEY);
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
      if (parts.length === 0 ? !isStart(packet[start]!) : rtpSequence(packet) !== next) return [];
      next = (rtpSequence(packet) + 1) & 0xffff;
      parts.push(packet.subarray(data, end));
    }
    return parts.length > 0 ? [concat(parts)] : [];
  },
};
