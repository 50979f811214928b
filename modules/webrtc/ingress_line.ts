import {
  type Codec,
  MAX_DROPOUT,
  readU16,
  Reception,
  ReorderBuffer,
  type ReportBlock,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  RtpReceiver,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
  sequenceDistance,
  SoundSlab,
  type Track,
  writeU16,
  writeU32,
} from "../../core/mod.ts";
import { MissingPackets } from "./missing_packets.ts";
import type { OfferSource } from "./sdp.ts";

/** What a peer sends on one media line. */
export interface ReceivedLine {
  /** Where its frames go. */
  readonly track: Track;
  /** What the peer was told to send, with the payload type of the answer. */
  readonly codec: Codec;
  /** The payload type of packets that are sent again (RFC 4588), where the answer has one. */
  readonly rtx?: number;
  /** What the answer has of `a=rtcp-fb`: `nack`, `nack pli`, `goog-remb`. */
  readonly feedback: readonly string[];
  /** The streams that the peer announced; empty: any with these payload types. */
  readonly sources: readonly OfferSource[];
}

/** How long what is missing is waited for: a picture that lacks a packet is of no use, sound goes on without it. */
const PATIENCE_MS = { video: 400, audio: 80 } as const;
/** A request for a keyframe is repeated, and another one made, no sooner than this. */
const KEYFRAME_ASK_MS = 500;
/** Browsers send none by themselves, but recorders and HLS need them all the time (contract §6.5). */
const KEYFRAME_AGE_MS = 2000;
/** Another stream on the line is a new one only if the old one is silent for so long. */
const SOURCE_SILENCE_MS = 1000;

/** Puts the packets of one media line in order, into its track, and knows what to ask the sender for. */
export class IngressLine {
  readonly spec: ReceivedLine;
  readonly #receiver: RtpReceiver;
  readonly #reorder: ReorderBuffer;
  readonly #reception: Reception;
  readonly #missing: MissingPackets;
  readonly #isVideo: boolean;
  readonly #asksForPackets: boolean;
  // Numbers of packets that came again under another number: they were lost all the same.
  readonly #again = new Set<number>();
  readonly #sound = new SoundSlab();
  #ssrc: number | undefined;
  #lastMs = -Infinity;
  #bytes = 0;
  // What has passed the reorder buffer.
  #deliveredSsrc = -1;
  #next = 0;
  #timestamp = -1;
  #lostBefore = 0;
  #fractionLost = 0;
  /** Since when a keyframe is waited for; `Infinity`: none is. */
  #wantsKeyframeMs = Infinity;
  #askedKeyframeMs = -Infinity;
  #keyframeRequests = 0;
  #foreign = 0;
  /** A keyframe is wanted now. */
  onKeyframeWanted: (() => void) | undefined;

  constructor(spec: ReceivedLine) {
    const { track, codec } = spec;
    this.spec = spec;
    this.#isVideo = codec.kind === "video";
    this.#asksForPackets = spec.feedback.includes("nack");
    this.#receiver = new RtpReceiver(track, codec);
    this.#reception = new Reception(codec.clockRate || 90000);
    const patienceMs = PATIENCE_MS[this.#isVideo && this.#asksForPackets ? "video" : "audio"];
    this.#missing = new MissingPackets(patienceMs);
    this.#reorder = new ReorderBuffer((packet, arrivalMs) => this.#deliver(packet, arrivalMs), {
      maxPackets: 256,
      maxAgeMs: patienceMs,
    });
    if (this.#isVideo) track.onKeyframeWanted = this.#wantKeyframe;
  }

  /** The stream that it takes; `undefined` before the first packet. */
  get ssrc(): number | undefined {
    return this.#ssrc;
  }
  get bytes(): number {
    return this.#bytes;
  }
  /** The share of packets that were lost before the newest report, 0 to 1. */
  get loss(): number {
    return this.#fractionLost / 256;
  }

  /** Takes a packet, whose bytes are its own; answers whether it leaves a gap to be filled. */
  push(packet: Uint8Array, nowMs: number): boolean {
    const isAgain = rtpPayloadType(packet) === this.spec.rtx;
    const ssrc = isAgain ? this.#ssrc : rtpSsrc(packet);
    if (ssrc === undefined || !this.#isOurs(ssrc, nowMs)) {
      this.#foreign++;
      return false;
    }
    this.#lastMs = nowMs;
    this.#bytes += packet.length;
    const original = isAgain ? originalOf(packet, this.spec.codec.payloadType ?? 0, ssrc) : packet;
    if (!original) return false;
    const sequence = rtpSequence(original);
    const hasGap = this.#asksForPackets && this.#missing.onSequence(sequence, nowMs);
    if (isAgain) {
      // It came too late, or to measure the way.
      if (sequenceDistance(this.#next, sequence) < 0) return hasGap;
      this.#noteAgain(sequence);
    }
    this.#reorder.push(this.#isVideo ? original : this.#sound.copy(original), nowMs);
    return hasGap;
  }

  #isOurs(ssrc: number, nowMs: number): boolean {
    if (ssrc === this.#ssrc) return true;
    if (this.#ssrc !== undefined && nowMs - this.#lastMs < SOURCE_SILENCE_MS) return false;
    this.#ssrc = ssrc;
    this.#missing.clear();
    this.#again.clear();
    // It begins with a keyframe unless it has begun before.
    this.#askedKeyframeMs = nowMs;
    return true;
  }

  #noteAgain(sequence: number): void {
    if (this.#again.size > 512) this.#again.clear();
    this.#again.add(sequence);
  }

  #deliver(packet: Uint8Array, arrivalMs: number): void {
    const sequence = rtpSequence(packet);
    const ssrc = rtpSsrc(packet);
    const distance = sequenceDistance(this.#next, sequence);
    if (ssrc !== this.#deliveredSsrc || distance < 0 || distance >= MAX_DROPOUT) this.#reception.begin(sequence);
    this.#deliveredSsrc = ssrc;
    this.#next = (sequence + 1) & 0xffff;
    if (!this.#again.delete(sequence)) this.#reception.onSequence(sequence);
    const timestamp = rtpTimestamp(packet);
    if (timestamp !== this.#timestamp) {
      this.#timestamp = timestamp;
      this.#reception.onFrame(timestamp, arrivalMs);
    }
    this.#receiver.push(packet, arrivalMs);
  }

  /** A compound of the peer's: sender reports set the track's clock. */
  control(rtcp: Uint8Array, ntpMiddle: number, nowMs: number): void {
    this.#reception.onSenderReport(ntpMiddle, nowMs);
    this.#receiver.control(rtcp, nowMs);
  }

  /** Gives up what is overdue; answers the numbers to ask for. */
  missing(nowMs: number): number[] {
    this.#reorder.flush(nowMs);
    if (this.#reorder.lost > this.#lostBefore) {
      this.#lostBefore = this.#reorder.lost;
      if (this.#isVideo) this.#wantKeyframe();
    }
    return this.#missing.count > 0 ? this.#missing.take(nowMs) : [];
  }

  readonly #wantKeyframe = (): void => {
    this.#wantsKeyframeMs = Math.min(this.#wantsKeyframeMs, performance.now());
    this.onKeyframeWanted?.();
  };

  /** Whether a keyframe is to be asked for now. */
  takesKeyframeRequest(nowMs: number): boolean {
    if (!this.#isVideo || this.#ssrc === undefined) return false;
    const arrivedMs = this.spec.track.log.keyframe?.arrivalMs ?? -Infinity;
    if (arrivedMs >= this.#wantsKeyframeMs) this.#wantsKeyframeMs = Infinity;
    if (this.#wantsKeyframeMs === Infinity && nowMs - arrivedMs < KEYFRAME_AGE_MS) return false;
    if (nowMs - this.#askedKeyframeMs < KEYFRAME_ASK_MS) return false;
    this.#askedKeyframeMs = nowMs;
    this.#keyframeRequests++;
    return true;
  }

  /** What is to be reported of the stream; `undefined` before its first packet. */
  report(nowMs: number): ReportBlock | undefined {
    if (this.#deliveredSsrc < 0) return undefined;
    const block = this.#reception.block(this.#deliveredSsrc, nowMs);
    this.#fractionLost = block.fractionLost;
    return block;
  }

  /** Figures for people. */
  stats(): Readonly<Record<string, unknown>> {
    const { packets, lost, malformed } = this.#receiver.stats;
    const { asked, recovered, roundTripMs } = this.#missing;
    return {
      codec: this.spec.codec.name,
      packets,
      lost,
      ...(malformed > 0 ? { malformed } : {}),
      ...(this.#foreign > 0 ? { foreign: this.#foreign } : {}),
      ...(asked > 0 ? { asked_again: asked, recovered, round_trip_ms: Math.round(roundTripMs) } : {}),
      ...(this.#keyframeRequests > 0 ? { keyframe_requests: this.#keyframeRequests } : {}),
    };
  }

  /** Nothing more comes. */
  close(): void {
    const { track } = this.spec;
    if (track.onKeyframeWanted === this.#wantKeyframe) track.onKeyframeWanted = undefined;
    this.onKeyframeWanted = undefined;
    this.#reorder.drain();
  }
}

/** The packet inside one that was sent again, made of its bytes (RFC 4588 §4); `undefined`: there is none inside. */
function originalOf(packet: Uint8Array, payloadType: number, ssrc: number): Uint8Array | undefined {
  const start = rtpPayloadStart(packet);
  // Browsers measure the way with packets that are only padding.
  if (rtpPayloadEnd(packet) - start < 2) return undefined;
  const sequence = readU16(packet, start);
  const marker = packet[1]! & 0x80;
  packet.copyWithin(2, 0, start);
  const original = packet.subarray(2);
  original[1] = marker | payloadType;
  writeU16(original, 2, sequence);
  writeU32(original, 8, ssrc);
  return original;
}
