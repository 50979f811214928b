import {
  type Edit,
  type Frame,
  RTP_HEADER_BYTES,
  type RtpRendition,
  rtpRenditionOf,
  type SrtpRewrite,
  type SrtpSender,
  type Track,
  writeSenderReport,
} from "../../core/mod.ts";
import { Replay, timestampDeltaOf } from "./edits.ts";
import { Reception } from "./reception.ts";
import { packetBytes, type Pick } from "./rtx.ts";
import type { OfferCodec } from "./sdp.ts";
import type { AnswerSource } from "./sdp_answer.ts";
import { type SentFrame, SentFrames } from "./sent_frames.ts";

/** A track that a peer is sent, and how the answer says so. */
export interface SentLine {
  readonly track: Track;
  readonly codec: OfferCodec;
  /** The id of the header extension for the time of capture, if the peer takes it. */
  readonly captureTimeId?: number | undefined;
  /** Where it was announced before it was known what would be sent. */
  readonly source?: AnswerSource;
}

/** With what encryption and tunnels add it fits in any path. */
const PACKET_BYTES = 1200;
/** Peers take numbers of a first packet below this for ones without a rollover. */
const FIRST_INDICES = 0x8000;
/** What an original sequence number takes (RFC 4588 §4). */
const OSN_BYTES = 2;

/** One track as one peer is sent it: its numbers, what was sent under them, and what the peer says of it. */
export class EgressLine {
  readonly codec: OfferCodec;
  readonly source: AnswerSource;
  readonly sent: SentFrames;
  readonly reception = new Reception();
  readonly #rewrite: SrtpRewrite;
  readonly #runOffsets: number[] = [];
  readonly #captureTimeId: number | undefined;
  #track: Track;
  #rendition: RtpRendition | undefined;
  #release: () => void = () => {};
  #replay: Replay | undefined;
  #lastTimestamp = -Infinity;
  #rtxIndex: number;
  /** A picture that stands for those that come until the next keyframe. */
  isStill = false;
  /** Nothing but a keyframe is to be sent next. */
  awaitsKeyframe = false;
  /** The first sender report was written. */
  hasReported = false;
  packets = 0;
  bytes = 0;
  payloadBytes = 0;
  resent = 0;
  nacks = 0;
  plis = 0;

  constructor({ track, codec, captureTimeId, source }: SentLine, cname: string) {
    const [ssrc, rtxSsrc, index, rtxIndex] = crypto.getRandomValues(new Uint32Array(4));
    this.#track = track;
    this.#captureTimeId = captureTimeId;
    this.codec = codec;
    this.source = source ?? { ssrc: ssrc!, cname, ...(codec.rtx === undefined ? {} : { rtxSsrc: rtxSsrc! }) };
    this.sent = new SentFrames(index! % FIRST_INDICES);
    this.#rtxIndex = rtxIndex! % FIRST_INDICES;
    this.#rewrite = { index: 0, payloadType: codec.payloadType, ssrc: this.source.ssrc, timestampDelta: 0 };
  }

  get track(): Track {
    return this.#track;
  }

  /** Sends another track of the same codec from now on, under the numbers that follow. */
  replace(track: Track): void {
    this.close();
    this.#track = track;
    this.#replay = undefined;
  }

  /** A frame that the peer is to be sent next; `undefined`: nothing of it can be sent. */
  take(frame: Frame, edit: Edit | undefined, nowMs: number): SentFrame | undefined {
    const chunk = this.#chunks().chunk(frame);
    if (chunk.count === 0) return undefined;
    if (this.#replay && frame.index >= this.#replay.end) this.#replay = undefined;
    const delta = this.#replay ? this.#replay.deltaOf(frame) : timestampDeltaOf(frame, edit);
    this.#lastTimestamp = Math.max(this.#lastTimestamp, frame.timestamp + frame.compositionOffset + delta);
    // Of the edits of a reader only a still's leaves the frame's duration open.
    this.isStill = edit !== undefined && edit.duration === undefined;
    return this.sent.add(chunk, delta, nowMs);
  }

  #chunks(): RtpRendition {
    if (!this.#rendition) {
      const { rendition, release } = rtpRenditionOf(this.#track, {
        framing: "packets",
        // That of the peer is written when packets are encrypted.
        payloadType: 96,
        maxPacketBytes: PACKET_BYTES,
        ...(this.#captureTimeId === undefined ? {} : { captureTimeId: this.#captureTimeId }),
      });
      this.#rendition = rendition;
      this.#release = release;
    }
    return this.#rendition;
  }

  /** The newest keyframe and what follows it are to be sent again: their times come behind what was sent. */
  beginReplay(): void {
    if (this.#track.log.keyframe) this.#replay = new Replay(this.#track, this.#lastTimestamp);
  }

  /** Encrypts packets of a frame; answers the bytes written to `out`, which needs what {@linkcode room} says. */
  seal(srtp: SrtpSender, frame: SentFrame, to: number, out: Uint8Array, offsets: number[]): number {
    const { chunk, sent: from } = frame;
    this.#aim(frame, from);
    this.#rewrite.rtx = undefined;
    const plain = (chunk.offsets[to] ?? chunk.bytes.length) - chunk.offsets[from]!;
    frame.sent = to;
    this.packets += to - from;
    this.bytes += plain;
    this.payloadBytes += plain - (to - from) * RTP_HEADER_BYTES;
    return srtp.protectFrame(chunk.bytes, chunk.offsets, this.#rewrite, out, offsets, from, to);
  }

  // All that tells one encryption of a packet from another comes from its frame's record.
  #aim(frame: SentFrame, packet: number): void {
    this.#rewrite.index = frame.index + packet;
    this.#rewrite.timestampDelta = frame.timestampDelta;
  }

  /** Encrypts packets once more: in the stream of resent ones if the peer has one, else as they were. */
  sealAgain(srtp: SrtpSender, picks: readonly Pick[], out: Uint8Array, offsets: number[]): number {
    const { source: { rtxSsrc }, codec: { rtx } } = this;
    const run = this.#runOffsets;
    let at = 0;
    offsets.length = 0;
    for (let i = 0; i < picks.length;) {
      const { frame, packet } = picks[i]!;
      let to = i + 1;
      while (to < picks.length && picks[to]!.frame === frame && picks[to]!.packet === packet + to - i) to++;
      const count = to - i;
      this.#aim(frame, packet);
      if (rtxSsrc !== undefined && rtx !== undefined) {
        this.#rewrite.rtx = { ssrc: rtxSsrc, payloadType: rtx, index: this.#rtxIndex };
        this.#rtxIndex += count;
      } else this.#rewrite.rtx = undefined;
      const { chunk } = frame;
      const room = at === 0 ? out : out.subarray(at);
      const size = srtp.protectFrame(chunk.bytes, chunk.offsets, this.#rewrite, room, run, packet, packet + count);
      for (const offset of run) offsets.push(at + offset);
      at += size;
      i = to;
    }
    this.resent += picks.length;
    return at;
  }

  /** A sender report. All tracks count from the zero of this program's clock, so all reports tell one relation. */
  report(nowMs: number): Uint8Array {
    const { clockRate } = this.#track.codec;
    const rtpTimestamp = Math.round(nowMs * clockRate / 1000);
    this.hasReported = true;
    return writeSenderReport({
      ssrc: this.source.ssrc,
      wallMs: this.#track.wallMsOf(rtpTimestamp),
      rtpTimestamp,
      packets: this.packets,
      bytes: this.payloadBytes,
      cname: this.source.cname,
    });
  }

  /** Figures for people. */
  stats(): Readonly<Record<string, unknown>> {
    const { payloadType, name } = this.codec;
    const { loss, rttMs } = this.reception;
    return {
      kind: this.#track.kind,
      codec: name,
      payload_type: payloadType,
      ssrc: this.source.ssrc,
      packets: this.packets,
      bytes: this.bytes,
      resent: this.resent,
      nacks: this.nacks,
      plis: this.plis,
      ...(loss === undefined ? {} : { loss: Math.round(loss * 1000) / 1000 }),
      ...(rttMs === undefined ? {} : { rtt_ms: Math.round(rttMs) }),
      ...(this.isStill || this.awaitsKeyframe ? { waits_for_keyframe: true } : {}),
    };
  }

  /** Gives the rendition back. */
  close(): void {
    this.#release();
    this.#release = () => {};
    this.#rendition = undefined;
  }
}

/** Bytes that packets may need once encrypted. */
export function roomFor(srtp: SrtpSender, plain: number, packets: number): number {
  return plain + packets * (srtp.overhead + OSN_BYTES);
}

/** The bytes of packets that are sent again, before they are encrypted. */
export function plainBytes(picks: readonly Pick[]): number {
  let sum = 0;
  for (const { frame, packet } of picks) sum += packetBytes(frame, packet);
  return sum;
}
