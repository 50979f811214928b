/** Bytes of a header without CSRCs and extension. */
export const RTP_HEADER_BYTES = 12;
/** Bytes of the frame header of RFC 2326 §10.12: `$`, channel, length. */
export const INTERLEAVED_HEADER_BYTES = 4;

/** The fields of a fixed RTP header (RFC 3550 §5.1). */
export interface RtpHeader {
  readonly marker: boolean;
  readonly payloadType: number;
  readonly sequence: number;
  /** Wrapped to 32 bits when written. */
  readonly timestamp: number;
  readonly ssrc: number;
}

/** The sequence number of a packet. All field readers need `rtpPayloadStart(packet) >= 0` first. */
export function rtpSequence(packet: Uint8Array): number {
  return packet[2]! << 8 | packet[3]!;
}

/** The timestamp, unsigned 32 bits. */
export function rtpTimestamp(packet: Uint8Array): number {
  return (packet[4]! << 24 | packet[5]! << 16 | packet[6]! << 8 | packet[7]!) >>> 0;
}

export function rtpSsrc(packet: Uint8Array): number {
  return (packet[8]! << 24 | packet[9]! << 16 | packet[10]! << 8 | packet[11]!) >>> 0;
}

export function rtpMarker(packet: Uint8Array): boolean {
  return packet[1]! > 127;
}

export function rtpPayloadType(packet: Uint8Array): number {
  return packet[1]! & 0x7f;
}

/** Where the payload begins, behind CSRCs and header extension; -1: not an RTP packet. */
export function rtpPayloadStart(packet: Uint8Array): number {
  const { length } = packet;
  if (length < RTP_HEADER_BYTES) return -1;
  const first = packet[0]!;
  if (first >> 6 !== 2) return -1;
  let start = RTP_HEADER_BYTES + (first & 15) * 4;
  if (first & 0x10) {
    if (start + 4 > length) return -1;
    start += 4 + (packet[start + 2]! << 8 | packet[start + 3]!) * 4;
  }
  return start > length ? -1 : start;
}

/** Where the payload ends, before the padding. A padding that cannot be is taken for payload. */
export function rtpPayloadEnd(packet: Uint8Array): number {
  const { length } = packet;
  if ((packet[0]! & 0x20) === 0) return length;
  const padding = packet[length - 1]!;
  return padding > 0 && rtpPayloadStart(packet) + padding <= length ? length - padding : length;
}

/** A view of the payload; empty when it is not an RTP packet. */
export function rtpPayload(packet: Uint8Array): Uint8Array {
  const start = rtpPayloadStart(packet);
  return start < 0 ? packet.subarray(0, 0) : packet.subarray(start, rtpPayloadEnd(packet));
}

/** Writes a header of `RTP_HEADER_BYTES`. */
export function writeRtpHeader(into: Uint8Array, offset: number, header: RtpHeader): void {
  into[offset] = 0x80;
  into[offset + 1] = header.payloadType & 0x7f | (header.marker ? 0x80 : 0);
  writeU16(into, offset + 2, header.sequence);
  writeU32(into, offset + 4, header.timestamp);
  writeU32(into, offset + 8, header.ssrc);
}

/** Makes a packet of a header and a payload. */
export function makeRtpPacket(header: RtpHeader, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(RTP_HEADER_BYTES + payload.length);
  writeRtpHeader(packet, 0, header);
  packet.set(payload, RTP_HEADER_BYTES);
  return packet;
}

/** The signed distance from one sequence number to another, by the shorter way round. */
export function sequenceDistance(from: number, to: number): number {
  return (to - from) << 16 >> 16;
}

export function readU16(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! << 8 | bytes[offset + 1]!;
}

export function readU32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 24 | bytes[offset + 1]! << 16 | bytes[offset + 2]! << 8 | bytes[offset + 3]!) >>> 0;
}

/** Writes the low 16 bits of an integer. */
export function writeU16(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 8;
  into[offset + 1] = value;
}

/** Writes the low 32 bits of an integer of any size. */
export function writeU32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}
