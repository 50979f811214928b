import { type AdtsHeader, parseAdtsHeader, parseAudioSpecificConfig } from "../../codecs/aac.ts";
import { splitAnnexB } from "../../codecs/annexb.ts";
import { type LatmConfig, LOAS_HEADER_BYTES, loasFrameLength, parseLatm } from "../../codecs/latm.ts";
import { opusSamples } from "../../codecs/opus.ts";
import { type Codec, codec } from "../../media/codec.ts";
import { type FrameInput, Units } from "../../media/frame.ts";
import { aacCodec, ADTS_HEADER_BYTES } from "../adts.ts";
import type { FrameListener } from "../demuxer.ts";
import { FrameCutter } from "../frame_cutter.ts";
import { type NalCodecName, NalStream } from "../nal_stream.ts";
import { MPEG_AUDIO_HEADER_BYTES, type MpegAudioHeader, readMpegAudioHeader } from "./mpeg_audio.ts";
import type { PesPacket } from "./pes.ts";
import type { ProgramEntry } from "./tables.ts";

const WRAP = 2 ** 33;
/** How far a time may be from the count of samples and still be taken for rounding: 1/500 s. */
const ROUNDING = 500;

/** Unwraps the 33-bit times of a program; its streams share it, so that they stay together. */
export class TimeBase {
  #last: number | undefined;

  unwrap(time: number): number {
    if (this.#last === undefined) return this.#last = time;
    let step = (time - this.#last) % WRAP;
    if (step > WRAP / 2) step -= WRAP;
    else if (step < -WRAP / 2) step += WRAP;
    return this.#last += step;
  }
}

/** Makes frames of the PES packets of one stream. */
export abstract class Elementary {
  readonly stream: { readonly id: number; codec: Codec | undefined };
  readonly #timeBase: TimeBase;
  readonly #onFrame: FrameListener;

  constructor(id: number, timeBase: TimeBase, onFrame: FrameListener) {
    this.stream = { id, codec: undefined };
    this.#timeBase = timeBase;
    this.#onFrame = onFrame;
  }

  abstract take(pes: PesPacket): void;

  protected unwrap(time: number | undefined): number | undefined {
    return time === undefined ? undefined : this.#timeBase.unwrap(time);
  }
  protected emit(frame: FrameInput): void {
    this.#onFrame(this.stream, frame);
  }
}

/** The elementary stream of a row of the program map; `undefined` for what cannot be used. */
export function elementaryOf(
  { pid, streamType, registration }: ProgramEntry,
  timeBase: TimeBase,
  onFrame: FrameListener,
): Elementary | undefined {
  switch (streamType) {
    case 0x03:
    case 0x04:
      return new MpegAudio(pid, timeBase, onFrame);
    case 0x06:
      return registration === "Opus" ? new Opus(pid, timeBase, onFrame) : undefined;
    case 0x0f:
      return new Adts(pid, timeBase, onFrame);
    case 0x11:
      return new Latm(pid, timeBase, onFrame);
    case 0x1b:
      return new Video(pid, "H264", timeBase, onFrame);
    case 0x24:
      return new Video(pid, "H265", timeBase, onFrame);
    // What TP-Link cameras use of the private types.
    case 0x90:
      return new Samples(pid, codec("PCMA", { clockRate: 8000 }), timeBase, onFrame);
    case 0x91:
      return new Samples(pid, codec("PCMU", { clockRate: 16000 }), timeBase, onFrame);
    default:
      return undefined;
  }
}

class Video extends Elementary {
  readonly #nals: NalStream;
  #lastPts: number | undefined;
  #hasDts = false;
  /** The picture to come refers to one that was lost, unless it is a keyframe. */
  #isBroken = false;

  constructor(id: number, name: NalCodecName, timeBase: TimeBase, onFrame: FrameListener) {
    super(id, timeBase, onFrame);
    this.#nals = new NalStream(name);
  }

  take({ data, isCorrupt, isAfterLoss, arrivalMs, ...times }: PesPacket): void {
    this.#isBroken ||= isAfterLoss;
    // A decode time is left out where it equals the presentation time; a sender that never gives one may just not know.
    const known = this.unwrap(times.dts);
    if (known !== undefined) this.#hasDts = true;
    const pts = this.unwrap(times.pts) ?? (this.#lastPts === undefined ? undefined : this.#lastPts + 1);
    if (pts === undefined) return;
    this.#lastPts = pts;
    const dts = known ?? (this.#hasDts ? pts : undefined);
    const frame = this.#nals.frame(splitAnnexB(data), {
      pts,
      ...(dts === undefined ? {} : { dts }),
      isCorrupt,
      arrivalMs,
    });
    this.stream.codec = this.#nals.codec;
    if (!frame) return;
    this.emit(this.#isBroken && !frame.isKeyframe ? { ...frame, isCorrupt: true } : frame);
    this.#isBroken = false;
  }
}

/** Sound: times in samples, counted on within a packet and over the rounding of 90 kHz. */
abstract class Sound extends Elementary {
  #next: number | undefined;

  protected startAt(pts: number | undefined): void {
    const time = this.unwrap(pts);
    if (time === undefined) return;
    const rate = this.stream.codec?.clockRate ?? 90000;
    const exact = Math.round(time * rate / 90000);
    if (this.#next === undefined || Math.abs(exact - this.#next) > rate / ROUNDING) this.#next = exact;
  }
  protected restart(): void {
    this.#next = undefined;
  }

  protected emitSound(bytes: Uint8Array, duration: number, { isCorrupt, arrivalMs }: PesPacket): void {
    const { codec } = this.stream;
    if (!codec || this.#next === undefined || bytes.length === 0) return;
    const pts = this.#next;
    this.#next += duration;
    this.emit({ payload: new Units([bytes]), pts, isKeyframe: true, isCorrupt, arrivalMs, codec });
  }
}

interface SoundFrames {
  readonly codec: Codec;
  readonly frames: readonly Uint8Array[];
  /** Of each frame, in ticks. */
  readonly duration: number;
}

/** Sound in frames that find their own ends, which may lie in the next packet. */
abstract class FramedSound<H extends { readonly frameLength: number }> extends Sound {
  readonly #cutter: FrameCutter<H>;

  constructor(id: number, timeBase: TimeBase, onFrame: FrameListener, cutter: FrameCutter<H>) {
    super(id, timeBase, onFrame);
    this.#cutter = cutter;
  }

  /** What a frame holds; `undefined` when it is of no use. */
  protected abstract read(bytes: Uint8Array, header: H): SoundFrames | undefined;

  take(pes: PesPacket): void {
    // The time belongs to the first frame that begins in the packet.
    let isTimed = false;
    let isEarlier = this.#cutter.hasRest;
    this.#cutter.push(pes.data, (bytes, header) => {
      const sound = this.read(bytes, header);
      if (!sound) return;
      if (this.stream.codec?.clockRate !== sound.codec.clockRate) this.restart();
      this.stream.codec = sound.codec;
      if (!isEarlier && !isTimed) {
        isTimed = true;
        this.startAt(pes.pts);
      }
      isEarlier = false;
      for (const frame of sound.frames) this.emitSound(frame, sound.duration, pes);
    });
  }
}

class Adts extends FramedSound<AdtsHeader> {
  constructor(id: number, timeBase: TimeBase, onFrame: FrameListener) {
    super(id, timeBase, onFrame, new FrameCutter<AdtsHeader>(parseAdtsHeader, ADTS_HEADER_BYTES));
  }
  protected override read(bytes: Uint8Array, header: AdtsHeader): SoundFrames {
    const codec = aacCodec(header.asc, header.sampleRate, header.channels, this.stream.codec);
    return { codec, frames: [bytes.subarray(header.headerLength)], duration: 1024 * header.blocks };
  }
}

class MpegAudio extends FramedSound<MpegAudioHeader> {
  constructor(id: number, timeBase: TimeBase, onFrame: FrameListener) {
    super(id, timeBase, onFrame, new FrameCutter<MpegAudioHeader>(readMpegAudioHeader, MPEG_AUDIO_HEADER_BYTES));
  }
  protected override read(bytes: Uint8Array, { channels, samples, sampleRate }: MpegAudioHeader): SoundFrames {
    const was = this.stream.codec;
    // The clock is that of RTP (RFC 2250 §2).
    const known = was?.channels === channels ? was : codec("MPA", { clockRate: 90000, channels });
    return { codec: known, frames: [bytes], duration: Math.round(samples * 90000 / sampleRate) };
  }
}

interface LoasHeader {
  readonly frameLength: number;
}

function readLoasHeader(bytes: Uint8Array, offset: number): LoasHeader | undefined {
  const frameLength = loasFrameLength(bytes, offset);
  return frameLength === undefined ? undefined : { frameLength };
}

class Latm extends FramedSound<LoasHeader> {
  #config: LatmConfig | undefined;
  #samples = 1024;

  constructor(id: number, timeBase: TimeBase, onFrame: FrameListener) {
    super(id, timeBase, onFrame, new FrameCutter<LoasHeader>(readLoasHeader, LOAS_HEADER_BYTES));
  }

  protected override read(bytes: Uint8Array): SoundFrames | undefined {
    const element = parseLatm(bytes.subarray(LOAS_HEADER_BYTES), this.#config, true);
    const codec = element && this.#codecOf(element.config);
    return codec && { codec, frames: element.frames, duration: this.#samples };
  }

  #codecOf(config: LatmConfig): Codec | undefined {
    if (config === this.#config) return this.stream.codec;
    try {
      const { sampleRate, channels, samplesPerFrame } = parseAudioSpecificConfig(config.asc);
      this.#config = config;
      this.#samples = samplesPerFrame;
      return aacCodec(config.asc, sampleRate, channels, this.stream.codec);
    } catch {
      // Broken: what comes with the next configuration is taken.
      return undefined;
    }
  }
}

class Samples extends Sound {
  constructor(id: number, codec: Codec, timeBase: TimeBase, onFrame: FrameListener) {
    super(id, timeBase, onFrame);
    this.stream.codec = codec;
  }
  take(pes: PesPacket): void {
    this.startAt(pes.pts);
    this.emitSound(pes.data, pes.data.length, pes);
  }
}

class Opus extends Sound {
  constructor(id: number, timeBase: TimeBase, onFrame: FrameListener) {
    super(id, timeBase, onFrame);
    this.stream.codec = codec("OPUS", { clockRate: 48000, channels: 2 });
  }

  // Each packet stands behind a control header (draft "Opus in MPEG-TS" §4).
  take(pes: PesPacket): void {
    const { data } = pes;
    this.startAt(pes.pts);
    let at = 0;
    while (at + 3 <= data.length && data[at] === 0x7f && (data[at + 1]! & 0xe0) === 0xe0) {
      const flags = data[at + 1]!;
      at += 2;
      let size = 0;
      let byte = 255;
      while (byte === 255 && at < data.length) size += byte = data[at++]!;
      // Trims of the start and of the end.
      at += (flags & 0x10 ? 2 : 0) + (flags & 0x08 ? 2 : 0);
      if (flags & 0x04) at += 1 + (data[at] ?? 0);
      if (size > data.length - at) return;
      const packet = data.subarray(at, at + size);
      this.emitSound(packet, opusSamples(packet), pes);
      at += size;
    }
  }
}
