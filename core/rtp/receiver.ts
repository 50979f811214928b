import { type Codec, hasSameParameters } from "../media/codec.ts";
import { Units } from "../media/frame.ts";
import { inspect, withParameterSets } from "../media/inspect.ts";
import type { Track } from "../media/track.ts";
import {
  rtpMarker,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
  sequenceDistance,
} from "./packet.ts";
import { sourceFormatOf } from "./payload_formats.ts";
import { PacketList } from "./packet_list.ts";
import { type Depacketizer, Look, type PayloadFormat } from "./payloads/format.ts";
import { MAX_DROPOUT, ReorderBuffer } from "./reorder.ts";
import { Reception } from "./reception.ts";
import { parseRtcp } from "./rtcp.ts";
import { RtpPayload } from "./rtp_payload.ts";

/** A frame that passes either is dropped and counted. */
export const FRAME_LIMIT = { bytes: 5 << 20, packets: 4096 } as const;
/** How far behind a packet may be to be a duplicate; further behind is a new count (RFC 3550 §A.1). */
const MAX_MISORDER = 100;

/** What a receiver counts. */
export interface ReceiverStats {
  packets: number;
  bytes: number;
  lost: number;
  duplicates: number;
  /** Packets that are no RTP, and frames without anything that can be used. */
  malformed: number;
  /** Frames beyond {@linkcode FRAME_LIMIT}. */
  dropped: number;
}

/**
 * Makes frames of the RTP packets of one stream and appends them to a track. A frame ends at the marker, or when the
 * timestamp changes. After a loss, the frame that misses something is `isCorrupt`: the unfinished one; else the next,
 * unless that is a keyframe which begins at its beginning.
 */
export class RtpReceiver {
  readonly #track: Track;
  readonly #format: PayloadFormat;
  readonly #depacketizer: Depacketizer;
  readonly #reorder: ReorderBuffer | undefined;
  readonly #reception: Reception;
  readonly stats: ReceiverStats = { packets: 0, bytes: 0, lost: 0, duplicates: 0, malformed: 0, dropped: 0 };
  #codec: Codec;
  #ssrc: number | undefined;
  #next = 0;
  // The frame in progress.
  #packets: PacketList = new PacketList();
  #bytes = 0;
  #timestamp = 0;
  #arrivalMs = 0;
  #look = 0;
  #isCorrupt = false;
  #hasNewSets = false;
  #isTooLarge = false;
  /** What came before the frame to come is incomplete. */
  #isBroken = false;
  /** The frame to come may have begun before its first packet here. */
  #isUnsure = true;
  #ignoresMarker: boolean;
  /** The timestamp of the frame that a marker ended last. */
  #markedTimestamp = -1;

  /** With `reorder`, for UDP, packets are put in order first. */
  constructor(track: Track, codec: Codec, options: { readonly reorder?: boolean } = {}) {
    this.#track = track;
    this.#codec = codec;
    this.#format = sourceFormatOf(codec);
    this.#depacketizer = this.#format.depacketizer(codec);
    this.#ignoresMarker = this.#depacketizer.ignoresMarker ?? false;
    this.#reception = new Reception(codec.clockRate || 90000);
    if (options.reorder) this.#reorder = new ReorderBuffer((packet, arrivalMs) => this.#accept(packet, arrivalMs));
  }

  /** The synchronization source; `undefined` before the first packet. */
  get ssrc(): number | undefined {
    return this.#ssrc;
  }

  /** Takes a packet, which must not be changed later. Never throws. */
  push(packet: Uint8Array, arrivalMs: number): void {
    if (this.#reorder) this.#reorder.push(packet, arrivalMs);
    else this.#accept(packet, arrivalMs);
  }

  /** Takes RTCP packets of the source: sender reports set the track's clock. Never throws. */
  control(rtcp: Uint8Array, arrivalMs: number): void {
    for (const packet of parseRtcp(rtcp)) {
      if (packet.type !== "SR" || (this.#ssrc !== undefined && packet.ssrc !== this.#ssrc)) continue;
      this.#reception.onSenderReport(packet.ntpMiddle, arrivalMs);
      if (packet.wallMs !== undefined) this.#track.synchronize(packet.rtpTimestamp, packet.wallMs);
    }
  }

  /** A receiver report to send to the source; `undefined` before its first packet. Gives up what is long overdue. */
  report(nowMs: number): Uint8Array | undefined {
    this.#reorder?.flush(nowMs);
    return this.#ssrc === undefined ? undefined : this.#reception.report(this.#ssrc, nowMs);
  }

  #accept(packet: Uint8Array, arrivalMs: number): void {
    const { stats } = this;
    const start = rtpPayloadStart(packet);
    if (start < 0) {
      stats.malformed++;
      return;
    }
    stats.packets++;
    stats.bytes += packet.length;
    this.#track.packets++;
    const sequence = rtpSequence(packet);
    const ssrc = rtpSsrc(packet);
    if (ssrc !== this.#ssrc) this.#begin(ssrc, sequence);
    const distance = sequenceDistance(this.#next, sequence);
    if (distance !== 0) {
      if (distance < 0 && distance >= -MAX_MISORDER) {
        stats.duplicates++;
        return;
      }
      this.#lose(distance, sequence);
    }
    this.#next = (sequence + 1) & 0xffff;
    this.#reception.onSequence(sequence);
    const end = rtpPayloadEnd(packet);
    if (end <= start) return;
    const timestamp = rtpTimestamp(packet);
    const look = this.#depacketizer.look(packet, start, end);
    if (look === 0) {
      stats.malformed++;
      return;
    }
    if (timestamp !== this.#timestamp || this.#packets.length === 0) {
      if (this.#look & Look.CONTENT) this.#close();
      // Quirk(Tapo TC70, Reolink Duo 2): SPS and PPS come as a frame of their own, maybe with an own timestamp.
      this.#timestamp = timestamp;
      this.#reception.onFrame(timestamp, arrivalMs);
    }
    if (look & Look.CONTENT && !(this.#look & Look.CONTENT)) this.#judge(look, timestamp);
    if (look & Look.SETS && !this.#hasNewSets) {
      this.#hasNewSets = this.#depacketizer.hasNewSets?.(packet, start, end, this.#codec.parameterSets) ?? true;
    }
    this.#add(packet, look, arrivalMs);
    if (look & Look.END) {
      this.#close();
    } else if (rtpMarker(packet) && !this.#ignoresMarker && this.#look & Look.CONTENT) {
      this.#close();
      this.#markedTimestamp = timestamp;
    }
  }

  /** A source begins, maybe after another one. */
  #begin(ssrc: number, sequence: number): void {
    if (this.#ssrc !== undefined) {
      if (this.#look & Look.CONTENT) {
        this.#isCorrupt = true;
        this.#close();
      }
      this.#track.restart();
    }
    this.#clear();
    this.#ssrc = ssrc;
    this.#next = sequence;
    this.#isUnsure = true;
    this.#markedTimestamp = -1;
    this.#reception.begin(sequence);
  }

  #lose(distance: number, sequence: number): void {
    if (distance > 0 && distance < MAX_DROPOUT) {
      this.stats.lost += distance;
      this.#track.lost += distance;
    } else {
      this.#reception.begin(sequence);
    }
    this.#isUnsure = true;
    if (this.#look & Look.CONTENT) this.#isCorrupt = true;
    else this.#isBroken = true;
  }

  /** Decides, at the first packet with content, whether the frame can be whole. */
  #judge(look: number, timestamp: number): void {
    if ((look & Look.START) === 0) {
      // Some encoders set the marker at each slice: the next one shows it. From then on only timestamps count.
      if (timestamp === this.#markedTimestamp && !this.#isUnsure) this.#ignoresMarker = true;
      if (this.#isUnsure || timestamp === this.#markedTimestamp) this.#isCorrupt = true;
    }
    if (this.#isBroken && (look & (Look.START | Look.KEY)) !== (Look.START | Look.KEY)) this.#isCorrupt = true;
    this.#isBroken = false;
    this.#isUnsure = false;
  }

  #add(packet: Uint8Array, look: number, arrivalMs: number): void {
    this.#look |= look;
    this.#arrivalMs = arrivalMs;
    this.#bytes += packet.length;
    if (this.#isTooLarge) return;
    this.#packets.push(packet);
    if (this.#bytes > FRAME_LIMIT.bytes || this.#packets.length > FRAME_LIMIT.packets) {
      this.#isTooLarge = true;
      // One stays, as a sign that a frame is in progress.
      this.#packets = new PacketList();
      this.#packets.push(packet);
      // Without content it would never end.
      this.#look |= Look.CONTENT;
    }
  }

  #close(): void {
    if (this.#isTooLarge) {
      this.stats.dropped++;
      this.#isBroken = true;
      return this.#clear();
    }
    const packets = this.#packets;
    this.#depacketizer.learn?.(packets.views());
    const payload = new RtpPayload(packets, {
      byteLength: this.#bytes,
      format: this.#format,
      depacketizer: this.#depacketizer,
      hasParameterSets: (this.#look & Look.SETS) !== 0,
    });
    if (this.#look & Look.SPLIT || !this.#format.isPassedOn) this.#appendUnits(payload);
    else this.#append(payload);
    this.#clear();
  }

  #append(payload: RtpPayload): void {
    let isKeyframe = (this.#look & Look.KEY) !== 0;
    let codec: Codec | undefined;
    if (this.#hasNewSets) {
      const inspection = inspect(this.#codec, payload.units());
      isKeyframe ||= inspection.isKeyframe;
      codec = inspection.codec;
      if (codec) this.#codec = codec;
    }
    const frame = {
      payload,
      pts: this.#timestamp,
      isKeyframe,
      isCorrupt: this.#isCorrupt,
      arrivalMs: this.#arrivalMs,
    };
    this.#track.append(codec ? { ...frame, codec } : frame);
  }

  /** Appends audio frames that came together, or in a form that players do not get, one by one. */
  #appendUnits(payload: RtpPayload): void {
    const { parameterSets } = this.#depacketizer;
    let codec: Codec | undefined;
    if (parameterSets && !hasSameParameters({ ...this.#codec, parameterSets }, this.#codec)) {
      codec = this.#codec = withParameterSets(this.#codec, parameterSets);
    }
    const units = payload.units();
    if (units.length === 0) this.stats.malformed++;
    let pts = this.#timestamp;
    for (const unit of units) {
      this.#track.append({
        payload: new Units([unit]),
        pts: pts >>> 0,
        isKeyframe: true,
        isCorrupt: this.#isCorrupt,
        arrivalMs: this.#arrivalMs,
        ...(codec ? { codec } : {}),
      });
      pts += this.#format.ticks?.(unit, this.#codec) ?? 0;
    }
  }

  #clear(): void {
    this.#packets = new PacketList();
    this.#bytes = 0;
    this.#look = 0;
    this.#isCorrupt = false;
    this.#hasNewSets = false;
    this.#isTooLarge = false;
  }
}
