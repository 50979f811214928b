import { type Accel, IV_BYTES, SealBatch } from "../../runtime/mod.ts";
import { readU32, RTP_HEADER_BYTES, rtpPayloadStart, writeU16, writeU32 } from "../packet.ts";
import { type SrtpBackend, type SrtpTransform, srtpTransform } from "./cipher.ts";
import { MAX_INDEX, MAX_RTCP_INDEX, rolloverOf } from "./iv.ts";
import { deriveSrtpKeys } from "./keys.ts";
import type { SrtpProfile } from "./profile.ts";

const RTCP_HEADER_BYTES = 8;
const RTCP_INDEX_BYTES = 4;
/** The original sequence number in front of a resent payload (RFC 4588 §4). */
const RTX_BYTES = 2;
const IS_ENCRYPTED = 0x8000_0000;

/**
 * How shared packets are written for one peer. One object per track is enough: the fields may change between calls.
 *
 * `index` is the 48-bit index of the first packet: its low 16 bits are sent as the sequence number, the others are the
 * rollover counter. Peers begin to count at 0, so a session must begin below 2^15, where the loss of its first packets
 * cannot hide a wrap. **An index must never be used for two different packets**: a resent packet needs the same index,
 * payload type, SSRC and timestamp delta as at first.
 */
export interface SrtpRewrite {
  index: number;
  payloadType: number;
  ssrc: number;
  /** Added to each timestamp. */
  timestampDelta: number;
  /** Sends the packets as resent ones in a stream of their own (RFC 4588); `index` stays the original's. */
  rtx?: SrtpRtx | undefined;
}

/** The stream of resent packets; `index` is that of the first one. */
export interface SrtpRtx {
  ssrc: number;
  payloadType: number;
  index: number;
}

/** Encrypts RTP and RTCP for one peer. Dispose of it: the keys may be in native memory. */
export class SrtpSender implements Disposable {
  /** Bytes that a packet grows by; a resent one (RTX) grows by 2 more. */
  readonly overhead: number;
  readonly backend: SrtpBackend;
  readonly #rtp: SrtpTransform;
  readonly #rtcp: SrtpTransform;
  readonly #batch = new SealBatch();
  #rtcpIndex = 0;
  #isClosed = false;

  /** Throws `RangeError` when the master key or salt have another size than the profile's. */
  constructor(
    profile: SrtpProfile,
    masterKey: Uint8Array,
    masterSalt: Uint8Array,
    { accel }: { accel?: Accel | undefined } = {},
  ) {
    const { rtp, rtcp } = deriveSrtpKeys(profile, masterKey, masterSalt);
    this.#rtp = srtpTransform(profile, rtp, { isControl: false, accel });
    this.#rtcp = srtpTransform(profile, rtcp, { isControl: true, accel });
    this.overhead = this.#rtp.tagBytes;
    this.backend = accel?.crypto ? "ffi" : "node";
  }

  /**
   * Encrypts the packets of a frame from `bytes` to `out`, rewritten, one behind the other; `bytes` is not changed.
   * Answers the bytes written and sets `outOffsets` to where the packets begin. `from` and `to` take a part of the packets;
   * `rewrite.index` is then that of packet `from`. Answers 0 once disposed of.
   *
   * Throws `RangeError` when an index is none, `bytes` holds no RTP packets there, or `out` is too small: it needs
   * `overhead + 2` bytes a packet more than they have.
   */
  protectFrame(
    bytes: Uint8Array,
    offsets: readonly number[],
    rewrite: SrtpRewrite,
    out: Uint8Array,
    outOffsets: number[],
    from = 0,
    to = offsets.length,
  ): number {
    const count = this.#isClosed ? 0 : to - from;
    if (count <= 0) {
      outOffsets.length = 0;
      return 0;
    }
    const { rtx } = rewrite;
    const { payloadType, ssrc } = rtx ?? rewrite;
    const first = rtx ? rtx.index : rewrite.index;
    checkIndex(first, count);
    checkIndex(rewrite.index, count);
    const { tagBytes, iv, cipher } = this.#rtp;
    const last = offsets[to] ?? bytes.length;
    if (last - offsets[from]! + count * (tagBytes + RTX_BYTES) > out.length) {
      throw new RangeError("Output buffer is too small for the frame");
    }
    const batch = this.#batch;
    batch.reserve(count);
    batch.count = count;
    let at = 0;
    for (let i = 0; i < count; i++) {
      const start = offsets[from + i]!;
      const end = offsets[from + i + 1] ?? bytes.length;
      const header = headerBytesAt(bytes, start, end);
      for (let k = 0; k < header; k++) out[at + k] = bytes[start + k]!;
      out[at + 1] = bytes[start + 1]! & 0x80 | payloadType & 0x7f;
      const index = first + i;
      writeU16(out, at + 2, index);
      writeU32(out, at + 4, readU32(bytes, start + 4) + rewrite.timestampDelta);
      writeU32(out, at + 8, ssrc);
      let size = end - start - header;
      let payloadStart = start + header;
      if (rtx) {
        payloadStart = at + header;
        writeU16(out, payloadStart, rewrite.index + i);
        out.set(bytes.subarray(start + header, end), payloadStart + RTX_BYTES);
        size += RTX_BYTES;
      }
      batch.payloadStarts[i] = payloadStart;
      batch.payloadBytes[i] = size;
      batch.packetStarts[i] = at;
      batch.headerBytes[i] = header;
      batch.trailers[i] = rolloverOf(index);
      iv.write(batch.ivs, i * IV_BYTES, ssrc, index);
      outOffsets[i] = at;
      at += header + size + tagBytes;
    }
    outOffsets.length = count;
    cipher.seal(batch, rtx ? out : bytes, out);
    return at;
  }

  /**
   * Encrypts a compound RTCP packet to `out` and answers the bytes written, 0 once disposed of. Throws `RangeError` when
   * it is shorter than a header, `out` is too small (it needs `4 + 16` bytes more), or 2^31 packets were sent.
   */
  protectRtcp(packet: Uint8Array, out: Uint8Array): number {
    if (this.#isClosed) return 0;
    const { tagBytes, iv, cipher } = this.#rtcp;
    const size = packet.length + RTCP_INDEX_BYTES + tagBytes;
    if (packet.length < RTCP_HEADER_BYTES) throw new RangeError("RTCP packet is shorter than its header");
    if (size > out.length) throw new RangeError("Output buffer is too small for the packet");
    if (this.#rtcpIndex > MAX_RTCP_INDEX) throw new RangeError("All SRTCP indices are used up, a new key is needed");
    const index = this.#rtcpIndex++;
    const batch = this.#batch;
    batch.reserve(1);
    batch.count = 1;
    for (let k = 0; k < RTCP_HEADER_BYTES; k++) out[k] = packet[k]!;
    batch.payloadStarts[0] = batch.headerBytes[0] = RTCP_HEADER_BYTES;
    batch.payloadBytes[0] = packet.length - RTCP_HEADER_BYTES;
    batch.packetStarts[0] = 0;
    batch.trailers[0] = IS_ENCRYPTED + index;
    iv.write(batch.ivs, 0, readU32(packet, 4), index);
    cipher.seal(batch, packet, out);
    return size;
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rtp.cipher[Symbol.dispose]();
    this.#rtcp.cipher[Symbol.dispose]();
  }
}

function checkIndex(first: number, count: number): void {
  if (!Number.isInteger(first) || first < 0 || first + count - 1 > MAX_INDEX) {
    throw new RangeError(`Packet index ${first} is outside 0 to 2^48`);
  }
}

function headerBytesAt(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === 0x80 && end - start >= RTP_HEADER_BYTES && end <= bytes.length) return RTP_HEADER_BYTES;
  const header = start >= 0 && end <= bytes.length ? rtpPayloadStart(bytes.subarray(start, end)) : -1;
  if (header < 0) throw new RangeError("Frame does not hold RTP packets at its offsets");
  return header;
}
