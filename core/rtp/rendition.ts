import type { Frame } from "../media/frame.ts";
import { type Chunk, type Edit, Rendition } from "../media/rendition.ts";
import type { Track } from "../media/track.ts";
import {
  INTERLEAVED_HEADER_BYTES,
  readU16,
  readU32,
  RTP_HEADER_BYTES,
  rtpMarker,
  rtpPayloadEnd,
  rtpPayloadStart,
  writeRtpHeader,
  writeU16,
  writeU32,
} from "./packet.ts";
import { payloadFormatOf } from "./payload_formats.ts";
import { aacPayload } from "./payloads/aac.ts";
import type { PayloadFormat } from "./payloads/format.ts";
import { jpegPayload } from "./payloads/jpeg.ts";
import { opaquePayload } from "./payloads/opaque.ts";
import { writeNtpTime } from "./rtcp.ts";
import { RtpPayload } from "./rtp_payload.ts";

/** Bytes of a packet that is made here, RTP header included, unless a player wants others (contract §5.1). */
export const DEFAULT_PACKET_BYTES = 1472;
/** The same for JPEG. */
const DEFAULT_JPEG_BYTES = 1436;
/** What the length field of interleaved framing can say. */
const MAX_INTERLEAVED_BYTES = 0xffff;

/** What the time of capture takes in a packet. */
const CAPTURE_TIME_BYTES = 16;

/** What tells one RTP rendition of a track from another. */
export interface RtpForm {
  /** `interleaved`: each packet behind `$`, channel and length (RFC 2326 §10.12); `packets`: one after the other. */
  readonly framing: "interleaved" | "packets";
  readonly payloadType: number;
  /** The interleaved channel. */
  readonly channel?: number;
  /** The id (1 to 14) under which each frame's first packet tells when the frame was captured (abs-capture-time). */
  readonly captureTimeId?: number;
  /** RTP header included; unset: packets of RTP sources are passed on as they are, others are made of the default size. */
  readonly maxPacketBytes?: number;
}

/** A frame's packets in one buffer. */
export interface RtpChunk extends Chunk {
  /** Where the RTP headers begin: a packet reaches to the next one's, or with interleaved framing 4 bytes before it. */
  readonly offsets: readonly number[];
}

/** The packet of a chunk, for framing `packets`; `bytes` are the chunk's own or a patched copy. */
export function packetOf(chunk: RtpChunk, index: number, bytes: Uint8Array = chunk.bytes): Uint8Array {
  return bytes.subarray(chunk.offsets[index], chunk.offsets[index + 1] ?? bytes.length);
}

/** One packet to be built: its payload is `source` from `start` to `end`. */
interface Piece {
  readonly source: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly marker: boolean;
  readonly timestamp: number;
}

/**
 * The log of one track as RTP packets with one SSRC, their numbers and timestamps (presentation time, 32 bits) counted by
 * us. Packets of RTP sources keep their payload; CSRCs, header extensions and padding are left out.
 */
export class RtpRendition extends Rendition<RtpChunk> {
  readonly form: RtpForm;
  readonly ssrc: number;
  readonly #prefixBytes: number;
  /** Packets and payload bytes that were made, for sender reports. */
  packets = 0;
  payloadBytes = 0;

  constructor(track: Track, form: RtpForm) {
    const [ssrc, sequence] = crypto.getRandomValues(new Uint32Array(2));
    super(track, sequence! & 0xffff);
    this.ssrc = ssrc!;
    this.form = form;
    this.#prefixBytes = form.framing === "interleaved" ? INTERLEAVED_HEADER_BYTES : 0;
  }

  protected override build(frame: Frame): RtpChunk {
    const pieces = this.#pieces(frame);
    const { payloadType, channel = 0, captureTimeId } = this.form;
    let extensionBytes = captureTimeId === undefined || pieces.length === 0 ? 0 : CAPTURE_TIME_BYTES;
    const overhead = (this.#prefixBytes + RTP_HEADER_BYTES) * pieces.length + extensionBytes;
    let size = overhead;
    for (const { start, end } of pieces) size += end - start;
    const bytes = new Uint8Array(size);
    const offsets: number[] = [];
    let at = 0;
    for (const { source, start, end, marker, timestamp } of pieces) {
      const payload = at + this.#prefixBytes + RTP_HEADER_BYTES + extensionBytes;
      if (this.#prefixBytes > 0) {
        bytes[at] = 0x24;
        bytes[at + 1] = channel;
        writeU16(bytes, at + 2, RTP_HEADER_BYTES + extensionBytes + end - start);
      }
      const header = at + this.#prefixBytes;
      offsets.push(header);
      writeRtpHeader(bytes, header, { marker, payloadType, sequence: 0, timestamp, ssrc: this.ssrc });
      if (extensionBytes > 0) {
        bytes[header]! |= 0x10;
        writeCaptureTime(bytes, header + RTP_HEADER_BYTES, captureTimeId!, this.track.wallMsOf(timestamp));
        extensionBytes = 0;
      }
      bytes.set(source.subarray(start, end), payload);
      at = payload + end - start;
    }
    this.packets += pieces.length;
    this.payloadBytes += size - overhead;
    return { bytes, count: pieces.length, number: 0, offsets };
  }

  #pieces(frame: Frame): Piece[] {
    const codec = this.track.codecOf(frame.generation);
    const format = payloadFormatOf(codec);
    const { payload } = frame;
    const timestamp = frame.timestamp + frame.compositionOffset;
    const pieces: Piece[] = [];
    const isNal = codec.name === "H264" || codec.name === "H265";
    const mayLackSets = frame.isKeyframe && isNal && codec.parameterSets.length > 0;
    const arrived = payload instanceof RtpPayload && payload.format === format ? payload : undefined;
    const packets = arrived?.packets() ?? [];
    if (arrived && this.#passesOn(format, packets)) {
      if (mayLackSets && !arrived.hasParameterSets) {
        this.#make(codec.parameterSets, { format, frame, into: pieces, isWhole: false });
      }
      const marksLast = (codec.kind === "video" && format !== opaquePayload) || format === aacPayload;
      passOn(packets, { timestamp, marksLast, into: pieces });
      return pieces;
    }
    let units = payload.units();
    if (mayLackSets && units.length > 0 && !units.some((unit) => isParameterSet(codec.name, unit))) {
      units = [...codec.parameterSets, ...units];
    }
    this.#make(units, { format, frame, into: pieces, isWhole: true });
    return pieces;
  }

  #passesOn(format: PayloadFormat, packets: readonly Uint8Array[]): boolean {
    const { maxPacketBytes } = this.form;
    if (!format.isPassedOn) return false;
    if (maxPacketBytes === undefined) return true;
    return !format.countsFrames && packets.every((packet) => packet.length <= maxPacketBytes);
  }

  #make(
    units: readonly Uint8Array[],
    { format, frame, into, isWhole }: { format: PayloadFormat; frame: Frame; into: Piece[]; isWhole: boolean },
  ): void {
    const usual = format === jpegPayload ? DEFAULT_JPEG_BYTES : DEFAULT_PACKET_BYTES;
    const maxPayload = Math.max(64, (this.form.maxPacketBytes ?? usual) - RTP_HEADER_BYTES);
    let timestamp = frame.timestamp + frame.compositionOffset;
    for (const part of format.packetize(units, this.track.codecOf(frame.generation), maxPayload)) {
      if (part.payload.length <= MAX_INTERLEAVED_BYTES - RTP_HEADER_BYTES) {
        const { payload, marker } = part;
        into.push({ source: payload, start: 0, end: payload.length, marker: marker && isWhole, timestamp });
      }
      timestamp += part.advance;
    }
  }

  protected override stamp(chunk: RtpChunk): void {
    chunk.offsets.forEach((offset, i) => writeU16(chunk.bytes, offset + 2, chunk.number + i));
  }

  override patch(chunk: RtpChunk, frame: Frame, edit: Edit): Uint8Array {
    const bytes = chunk.bytes.slice();
    const ticks = edit.timeDelta + (edit.compositionOffset ?? frame.compositionOffset) - frame.compositionOffset;
    for (const offset of chunk.offsets) {
      writeU16(bytes, offset + 2, readU16(bytes, offset + 2) + edit.sequenceDelta);
      writeU32(bytes, offset + 4, readU32(bytes, offset + 4) + ticks);
    }
    return bytes;
  }
}

// A header extension of one-byte elements (RFC 8285 §4.2): its head, the element's id and length, an NTP time, padding.
function writeCaptureTime(into: Uint8Array, offset: number, id: number, wallMs: number): void {
  writeU16(into, offset, 0xbede);
  writeU16(into, offset + 2, CAPTURE_TIME_BYTES / 4 - 1);
  into[offset + 4] = id << 4 | 7;
  writeNtpTime(into, offset + 5, wallMs);
}

/**
 * Packets as they came, with our timestamp. The marker of a picture is on its last packet, wherever its source had it.
 */
function passOn(
  packets: readonly Uint8Array[],
  { timestamp, marksLast, into }: { timestamp: number; marksLast: boolean; into: Piece[] },
): void {
  packets.forEach((packet, i) => {
    const start = rtpPayloadStart(packet);
    if (start < 0) return;
    const marker = marksLast ? i === packets.length - 1 : rtpMarker(packet);
    into.push({ source: packet, start, end: rtpPayloadEnd(packet), marker, timestamp });
  });
}

function isParameterSet(codecName: string, unit: Uint8Array): boolean {
  const first = unit[0] ?? 0;
  if (codecName === "H264") return (first & 31) === 7 || (first & 31) === 8;
  return (first >> 1 & 63) >= 32 && (first >> 1 & 63) <= 34;
}

/**
 * The RTP rendition of a track in a form, shared by all who ask for the same; `release` gives it back and may be called
 * more than once.
 */
export function rtpRenditionOf(track: Track, form: RtpForm): { rendition: RtpRendition; release(): void } {
  const key = `rtp ${form.framing} ${form.payloadType} ${form.channel ?? 0} ${form.maxPacketBytes ?? ""} ${
    form.captureTimeId ?? ""
  }`;
  const rendition = track.rendition(key, () => new RtpRendition(track, form));
  let isReleased = false;
  return {
    rendition,
    release: () => {
      if (isReleased) return;
      isReleased = true;
      track.releaseRendition(key);
    },
  };
}
