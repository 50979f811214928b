import type { Codec } from "../../media/codec.ts";

/** What a look at a packet tells; bits to be or-ed. None at all: the packet is of no use. */
export const Look = {
  /** A frame may begin here: packets that come before it belong to another frame. */
  START: 1,
  /** Part of the picture or sound itself. What has none of it (parameter sets, SEI) joins the frame that follows. */
  CONTENT: 2,
  /** A decoder can start at this frame. */
  KEY: 4,
  /** Parameter sets are inside. */
  SETS: 8,
  /** The frame is complete, whatever the marker says. */
  END: 16,
  /** Must be taken apart on arrival: several audio frames in one packet, or a form that is not passed on. */
  SPLIT: 32,
} as const;

/** Reads packets of one stream in one payload format. */
export interface Depacketizer {
  /** The marker does not mean the end of a frame. */
  readonly ignoresMarker?: boolean;
  /** Bits of {@linkcode Look} for a payload at `start` to `end` of a packet; looks at its first bytes only. */
  look(packet: Uint8Array, start: number, end: number): number;
  /** Whether a packet with `Look.SETS` has one that is not among those known. Absent: it may have. */
  hasNewSets?(packet: Uint8Array, start: number, end: number, known: readonly Uint8Array[]): boolean;
  /** Keeps what later frames need from this one; called for each frame, in order. */
  learn?(packets: readonly Uint8Array[]): void;
  /** Parameter sets that were learnt. */
  readonly parameterSets?: readonly Uint8Array[] | undefined;
  /** The units of the packets of one frame, in order. What is broken is left out; packets are not changed. */
  depacketize(packets: readonly Uint8Array[]): Uint8Array[];
}

/** The payload of one packet to be sent. */
export interface RtpPart {
  readonly payload: Uint8Array;
  readonly marker: boolean;
  /** Ticks from this packet's timestamp to the next one's. */
  readonly advance: number;
}

/** One RTP payload format: how units become packets and packets become units. */
export interface PayloadFormat {
  /** Whether players are sent the form in which it arrives, so that packets can be passed on. */
  readonly isPassedOn: boolean;
  /** Packets tell which frame they belong to: one that is made anew in the middle of those passed on would break the count. */
  readonly countsFrames?: boolean;
  depacketizer(codec: Codec): Depacketizer;
  /** Packets of at most `maxPayload` bytes for the units of a frame; what the format cannot carry is left out. */
  packetize(units: readonly Uint8Array[], codec: Codec, maxPayload: number): RtpPart[];
  /** How long a unit lasts, in ticks, where a frame may have several, one after the other (audio). */
  ticks?(unit: Uint8Array, codec: Codec): number;
}

/** The packets of one frame: the same timestamp for all, the marker on the last. */
export function partsOfFrame(payloads: readonly Uint8Array[]): RtpPart[] {
  return payloads.map((payload, i) => ({ payload, marker: i === payloads.length - 1, advance: 0 }));
}

/** Joins views into one array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
