import { H264Nal, h264NalType } from "../codecs/h264.ts";
import { H265Nal, h265NalType } from "../codecs/h265.ts";
import type { Codec } from "../media/codec.ts";
import type { DemuxedStream, Demuxer, FrameListener } from "./demuxer.ts";
import { isSlice, type NalCodecName, NalStream } from "./nal_stream.ts";
import { PicturePace } from "./pace.ts";

/** A picture larger than this is given up. */
const MAX_FRAME_BYTES = 8 << 20;
const MAX_UNITS = 4096;
const FIRST_CAPACITY = 64 << 10;
const H265_SEI = 39;

/**
 * H264 or H265 in an Annex B byte stream as a frame source; it may begin with any unit (SEI, delimiter, parameter sets).
 * The stream carries no times: they follow the arrival (see {@linkcode PicturePace}), and decode order is taken for
 * presentation order, as cameras send it.
 */
export class AnnexBDemuxer implements Demuxer {
  readonly #onFrame: FrameListener;
  readonly #stream: { id: number; codec: Codec | undefined } = { id: 0, codec: undefined };
  readonly streams: readonly DemuxedStream[] = [this.#stream];
  #name: NalCodecName | undefined;
  #nals: NalStream | undefined;
  // Bytes from the first start code of the unit that is not complete; `#scanned` of them hold no further start code.
  #buffer = new Uint8Array(FIRST_CAPACITY);
  #length = 0;
  #scanned = 0;
  #isInUnit = false;
  #units: Uint8Array[] = [];
  #unitBytes = 0;
  #hasSlice = false;
  readonly #pace = new PicturePace();
  /** Bytes that were given up: before the first start code, or of pictures beyond all bounds. */
  skipped = 0;

  /** `name`: what it is; found out by the first units when left out. */
  constructor(onFrame: FrameListener, name?: NalCodecName) {
    this.#onFrame = onFrame;
    this.#name = name;
  }

  push(bytes: Uint8Array, arrivalMs: number = performance.now()): void {
    for (let at = 0; at < bytes.length; at += FIRST_CAPACITY) {
      this.#append(bytes.subarray(at, at + FIRST_CAPACITY));
      this.#scan(arrivalMs);
    }
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }

  // Takes the units whose end has come, and moves what is left to the front.
  #scan(arrivalMs: number): void {
    const buffer = this.#buffer;
    const end = this.#length - 2;
    let start = 0;
    let at = this.#scanned;
    while (at < end) {
      if (buffer[at + 2]! > 1) {
        at += 3;
      } else if (buffer[at] === 0 && buffer[at + 1] === 0 && buffer[at + 2] === 1) {
        if (this.#isInUnit) this.#takeUnit(buffer, start, at, arrivalMs);
        else this.skipped += at - start;
        this.#isInUnit = true;
        start = at + 3;
        at = start;
      } else {
        at++;
      }
    }
    at = Math.min(at, this.#length);
    if (!this.#isInUnit) {
      this.skipped += at - start;
      start = at;
    } else if (this.#length - start > MAX_FRAME_BYTES) {
      this.skipped += at - start;
      start = at;
      this.#isInUnit = false;
      this.#drop();
    }
    buffer.copyWithin(0, start, this.#length);
    this.#length -= start;
    this.#scanned = at - start;
    if (this.#length < FIRST_CAPACITY / 2 && buffer.length > MAX_FRAME_BYTES / 4) {
      this.#buffer = new Uint8Array(FIRST_CAPACITY);
      this.#buffer.set(buffer.subarray(0, this.#length));
    }
  }

  #takeUnit(buffer: Uint8Array, from: number, to: number, arrivalMs: number): void {
    let end = to;
    while (end > from && buffer[end - 1] === 0) end--;
    if (end === from) return;
    const nal = buffer.slice(from, end);
    this.#name ??= nalCodecOf(nal);
    if (!this.#name) {
      this.skipped += nal.length;
      return;
    }
    this.#nals ??= new NalStream(this.#name);
    const hasContent = isSlice(this.#name, nal);
    if (this.#hasSlice && (hasContent ? isFirstSlice(this.#name, nal) : endsPicture(this.#name, nal))) {
      this.#emit(arrivalMs);
    }
    this.#hasSlice ||= hasContent;
    this.#units.push(nal);
    this.#unitBytes += nal.length;
    if (this.#unitBytes > MAX_FRAME_BYTES || this.#units.length > MAX_UNITS) this.#drop();
  }

  #drop(): void {
    this.skipped += this.#unitBytes;
    this.#units = [];
    this.#unitBytes = 0;
    this.#hasSlice = false;
  }

  #emit(arrivalMs: number): void {
    const units = this.#units;
    this.#units = [];
    this.#unitBytes = 0;
    this.#hasSlice = false;
    const was = this.#stream.codec;
    const frame = this.#nals!.frame(units, { pts: 0, arrivalMs });
    if (!frame) return;
    this.#stream.codec = this.#nals!.codec;
    if (was !== this.#stream.codec) this.#pace.period = this.#nals!.period;
    const pts = this.#pace.place(arrivalMs);
    this.#onFrame(this.#stream, { ...frame, pts, dts: pts });
  }

  flush(): void {
    const arrivalMs = performance.now();
    if (this.#isInUnit) this.#takeUnit(this.#buffer, 0, this.#length, arrivalMs);
    this.#isInUnit = false;
    this.#length = 0;
    this.#scanned = 0;
    if (this.#hasSlice) this.#emit(arrivalMs);
  }
}

/** Which codec a NAL unit at the start of a stream belongs to; `undefined` when it tells neither. */
export function nalCodecOf(nal: Uint8Array): NalCodecName | undefined {
  const [first, second] = nal;
  if (first === undefined || second === undefined || first & 0x80) return undefined;
  // Delimiters, parameter sets and SEI: in H265 of layer 0 and temporal id 0, which as H264 would be no such unit.
  const h265Type = first >> 1;
  if ((first & 1) === 0 && second === 1) {
    if ((h265Type >= H265Nal.VPS && h265Type <= H265Nal.AUD) || h265Type === H265_SEI) return "H265";
  }
  const isReference = (first & 0x60) !== 0;
  const type = first & 31;
  if (type === H264Nal.SPS || type === H264Nal.PPS) return isReference ? "H264" : undefined;
  if (type === H264Nal.SEI || type === H264Nal.AUD) return isReference ? undefined : "H264";
  return undefined;
}

// The first bit of the slice header: first_mb_in_slice is 0, first_slice_segment_in_pic_flag.
function isFirstSlice(name: NalCodecName, nal: Uint8Array): boolean {
  return ((nal[name === "H264" ? 1 : 2] ?? 0) & 0x80) !== 0;
}

// What may only stand before the slices of the next picture (H.264 §7.4.1.2.3, H.265 §7.4.2.4.4).
function endsPicture(name: NalCodecName, nal: Uint8Array): boolean {
  if (name === "H264") {
    const type = h264NalType(nal);
    return (type >= H264Nal.SEI && type <= H264Nal.AUD) || (type >= 14 && type <= 18);
  }
  const type = h265NalType(nal);
  return (type >= H265Nal.VPS && type <= H265Nal.AUD) || type === H265_SEI;
}
