/** A peer for the tests of what viewers are sent: it decrypts, and watches that no nonce is used twice. */
import assert from "node:assert/strict";
import {
  codec,
  readU16,
  rtpPayload,
  rtpPayloadType,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
  SrtpReceiver,
  type SrtpRewrite,
  SrtpSender,
  type Start,
  Track,
  Units,
} from "../../core/mod.ts";
import { Egress } from "./egress.ts";
import type { MediaLink } from "./peer_media.ts";
import type { OfferCodec } from "./sdp.ts";

const PROFILE = "AES_CM_128_HMAC_SHA1_80";
const KEY = new Uint8Array(16).fill(7);
const SALT = new Uint8Array(14).fill(9);

export const VP8: OfferCodec = {
  payloadType: 102,
  name: "VP8",
  clockRate: 90000,
  channels: 0,
  fmtp: "",
  feedback: ["nack", "nack pli"],
  rtx: 103,
};
export const PCMU: OfferCodec = { payloadType: 0, name: "PCMU", clockRate: 8000, channels: 0, fmtp: "", feedback: [] };

/** Fails when an index of an SSRC is used for two different packets: the same input gives the same bytes, another does not. */
class WatchedSender extends SrtpSender {
  readonly #used = new Map<string, string>();

  override protectFrame(
    bytes: Uint8Array,
    offsets: readonly number[],
    rewrite: SrtpRewrite,
    out: Uint8Array,
    outOffsets: number[],
    from = 0,
    to = offsets.length,
  ): number {
    const size = super.protectFrame(bytes, offsets, rewrite, out, outOffsets, from, to);
    const { ssrc, index } = rewrite.rtx ?? rewrite;
    outOffsets.forEach((offset, i) => {
      const key = `${ssrc} ${index + i}`;
      const packet = String(out.subarray(offset, outOffsets[i + 1] ?? size));
      const before = this.#used.get(key);
      assert.ok(
        before === undefined || before === packet,
        `index ${index + i} of SSRC ${ssrc} is used for two packets`,
      );
      this.#used.set(key, packet);
    });
    return size;
  }
}

/** What came of one packet. */
export interface Received {
  readonly type: number;
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** A picture of a camera: its bytes tell it from others. */
export function picture(number: number, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(12, size)).fill(number);
  // A VP8 keyframe or not is the frame's to say: the payload format only copies.
  bytes.set([number >> 8, number & 255]);
  return bytes;
}

/** An egress with a picture and a sound track in front of a peer that takes all, unless told otherwise. */
export class TestPeer implements MediaLink, Disposable {
  video = new Track(0, codec("VP8"));
  readonly audio = new Track(1, codec("PCMU", { clockRate: 8000 }));
  readonly egress: Egress;
  readonly srtp = new WatchedSender(PROFILE, KEY, SALT);
  readonly protocol: "udp" | "tcp" = "tcp";
  readonly received: Received[] = [];
  readonly rtcp: Uint8Array[] = [];
  bytesInFlight = 0;
  /** Says whether the next packets get lost. */
  isDeaf = false;
  /** The clock of frames and feedback, apart from the real one. */
  nowMs = performance.now();
  pictures = 0;
  readonly #receiver = new SrtpReceiver(PROFILE, KEY, SALT);

  constructor({ start = "now", hasRtx = true }: { start?: Start; hasRtx?: boolean } = {}) {
    const { rtx: _rtx, ...plain } = VP8;
    this.egress = new Egress({
      lines: [{ track: this.video, codec: hasRtx ? VP8 : plain }, { track: this.audio, codec: PCMU }],
      start,
    });
  }

  sendBatch(bytes: Uint8Array, offsets: readonly number[]): number {
    if (this.isDeaf) return offsets.length;
    offsets.forEach((offset, i) => {
      const packet = this.#receiver.unprotect(bytes.slice(offset, offsets[i + 1]));
      if (packet) this.received.push(read(packet));
    });
    return offsets.length;
  }
  sendRtcp(packet: Uint8Array): void {
    this.rtcp.push(packet);
  }

  /** The next picture of the camera, of that many bytes. */
  feed(size: number, { isKeyframe = false, isCorrupt = false } = {}): void {
    this.nowMs += 40;
    this.video.append({
      payload: new Units([picture(this.pictures++, size)]),
      pts: this.pictures * 3600,
      dts: this.pictures * 3600,
      isKeyframe,
      isCorrupt,
      arrivalMs: this.nowMs,
    });
  }
  speak(): void {
    this.nowMs += 20;
    this.audio.append({
      payload: new Units([new Uint8Array(160).fill(1)]),
      pts: Math.round(this.nowMs * 8),
      isKeyframe: true,
      arrivalMs: this.nowMs,
    });
  }

  get ssrc(): number {
    return this.egress.sourceOf(this.video).ssrc;
  }
  get rtxSsrc(): number {
    return this.egress.sourceOf(this.video).rtxSsrc!;
  }
  /** The packets of the picture's line, in order of arrival. */
  get shown(): Received[] {
    return this.received.filter(({ ssrc }) => ssrc === this.ssrc);
  }
  /** The packets that were sent again in a stream of their own, as they were at first. */
  get resent(): Received[] {
    return this.received.filter(({ ssrc }) => ssrc === this.rtxSsrc).map((packet) => ({
      ...packet,
      sequence: readU16(packet.payload, 0),
      payload: packet.payload.subarray(2),
    }));
  }

  [Symbol.dispose](): void {
    this.egress[Symbol.dispose]();
    this.srtp[Symbol.dispose]();
    this.#receiver[Symbol.dispose]();
    this.video.close();
    this.audio.close();
  }
}

function read(packet: Uint8Array): Received {
  return {
    type: rtpPayloadType(packet),
    ssrc: rtpSsrc(packet),
    sequence: rtpSequence(packet),
    timestamp: rtpTimestamp(packet),
    payload: rtpPayload(packet).slice(),
  };
}
