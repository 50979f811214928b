import { Av1Obu, av1ObuType, isAv1Keyframe, splitObus, withObuSize } from "../../codecs/av1.ts";
import { rtpPayloadEnd, rtpPayloadStart, rtpSequence } from "../packet.ts";
import { concat, type Depacketizer, Look, partsOfFrame, type PayloadFormat } from "./format.ts";

const CONTINUES_BEFORE = 0x80;
const CONTINUES_AFTER = 0x40;
const NEW_SEQUENCE = 0x08;
const HAS_EXTENSION = 4;
const HAS_SIZE = 2;

/**
 * AV1 (RTP payload format for AV1, version 1.0, §4). A unit is a temporal unit without its delimiter, whose OBUs carry
 * their sizes.
 */
export const av1Payload: PayloadFormat = {
  isPassedOn: true,
  depacketizer: () => av1Depacketizer,
  packetize: (units, _codec, maxPayload) => partsOfFrame(units.flatMap((unit) => packetizeUnit(unit, maxPayload))),
};

function packetizeUnit(unit: Uint8Array, maxPayload: number): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let elements: Uint8Array[] = [];
  let size = 1;
  let header = isAv1Keyframe(unit) ? NEW_SEQUENCE : 0;
  const flush = (isCut: boolean) => {
    payloads.push(concat([Uint8Array.of(header | (isCut ? CONTINUES_AFTER : 0)), ...elements]));
    header = isCut ? CONTINUES_BEFORE : 0;
    elements = [];
    size = 1;
  };
  for (const whole of splitObus(unit)) {
    const type = av1ObuType(whole);
    if (type === Av1Obu.TEMPORAL_DELIMITER || type === Av1Obu.TILE_LIST) continue;
    const obu = withoutSize(whole);
    for (let at = 0; at < obu.length;) {
      const room = maxPayload - size - leb128(Math.max(1, maxPayload - size)).length;
      const rest = obu.length - at;
      // No crumbs at the end of a packet.
      if (room < Math.min(rest, 16) && size > 1) {
        flush(false);
        continue;
      }
      const taken = Math.max(1, Math.min(rest, room));
      const length = leb128(taken);
      elements.push(length, obu.subarray(at, at + taken));
      size += length.length + taken;
      at += taken;
      if (at < obu.length) flush(true);
    }
  }
  if (elements.length > 0) flush(false);
  return payloads;
}

function withoutSize(obu: Uint8Array): Uint8Array {
  if ((obu[0]! & HAS_SIZE) === 0) return obu;
  const headerBytes = obu[0]! & HAS_EXTENSION ? 2 : 1;
  let payload = headerBytes;
  while (payload < obu.length && obu[payload++]! > 127);
  const plain = new Uint8Array(headerBytes + obu.length - payload);
  plain.set(obu.subarray(0, headerBytes));
  plain[0] = obu[0]! & ~HAS_SIZE;
  plain.set(obu.subarray(payload), headerBytes);
  return plain;
}

function leb128(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value;; rest >>>= 7) {
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push(rest & 127 | 128);
  }
}

/** The OBU elements of a packet as pairs of start and end; empty when a length passes the end. */
function splitElements(packet: Uint8Array, start: number, end: number): [number, number][] {
  const count = packet[start]! >> 4 & 3;
  const elements: [number, number][] = [];
  let at = start + 1;
  while (at < end) {
    let length = end - at;
    if (count === 0 || elements.length < count - 1) {
      length = 0;
      let shift = 0;
      let byte: number;
      do {
        if (at >= end || shift > 28) return [];
        byte = packet[at++]!;
        length += (byte & 127) * 2 ** shift;
        shift += 7;
      } while (byte > 127);
      if (length > end - at) return [];
    }
    elements.push([at, at + length]);
    at += length;
  }
  return elements;
}

const av1Depacketizer: Depacketizer = {
  look(packet, start, end) {
    const header = packet[start]!;
    if (end - start < 2) return 0;
    if (header & CONTINUES_BEFORE) return Look.CONTENT;
    let look = Look.CONTENT | Look.START;
    if (header & NEW_SEQUENCE) return look | Look.KEY | Look.SETS;
    // Encoders that do not say so begin with the sequence header all the same.
    const [first] = splitElements(packet, start, end);
    if (first && packet[first[0]]! >> 3 === Av1Obu.SEQUENCE_HEADER) look |= Look.SETS;
    return look;
  },

  depacketize(packets) {
    const obus: Uint8Array[] = [];
    let fragments: Uint8Array[] = [];
    let next = -1;
    for (const packet of packets) {
      const start = rtpPayloadStart(packet);
      if (start < 0) continue;
      const end = rtpPayloadEnd(packet);
      if (end - start < 2) continue;
      const header = packet[start]!;
      const elements = splitElements(packet, start, end);
      const sequence = rtpSequence(packet);
      let isContinued = (header & CONTINUES_BEFORE) !== 0 && fragments.length > 0 && sequence === next;
      if (!isContinued) fragments = [];
      next = (sequence + 1) & 0xffff;
      elements.forEach(([from, to], i) => {
        // What continues a lost fragment is of no use.
        if (i === 0 && (header & CONTINUES_BEFORE) !== 0 && !isContinued) return;
        fragments.push(packet.subarray(from, to));
        isContinued = true;
        if (i === elements.length - 1 && (header & CONTINUES_AFTER) !== 0) return;
        obus.push(concat(fragments));
        fragments = [];
      });
    }
    const kept = obus.filter((obu) => obu.length > 0 && av1ObuType(obu) !== Av1Obu.TEMPORAL_DELIMITER);
    return kept.length > 0 ? [concat(kept.map(withObuSize))] : [];
  },
};
