import type { DemuxedStream, Demuxer, FrameListener } from "../demuxer.ts";
import { type Elementary, elementaryOf, TimeBase } from "./elementary.ts";
import { PesAssembler } from "./pes.ts";
import { type ProgramEntry, readPat, readPmt, SectionAssembler } from "./tables.ts";

const PACKET_BYTES = 188;
const SYNC = 0x47;
/** Distances between packets: plain, with a checksum behind each, with a time stamp in front of each (Blu-ray). */
const STRIDES = [188, 204, 192];
const LONGEST_STRIDE = 204;
const MAX_STREAMS = 32;
const NULL_PID = 0x1fff;
/** So many counters in a row show that the sender counts at all: some cameras do not. */
const TRUSTED_COUNTS = 32;

interface PidState {
  readonly entry: ProgramEntry;
  readonly elementary: Elementary;
  readonly pes: PesAssembler;
  counter: number;
  goodCounts: number;
}

/**
 * An MPEG transport stream as a frame source: H264, H265, AAC (ADTS and LATM), Opus, MPEG audio, and the G.711 of TP-Link
 * cameras (ISO/IEC 13818-1). It finds its way back after garbage, takes packets of 188, 192 and 204 bytes, follows
 * changes of the program map, and unwraps the 33-bit times. The streams' ids are their PIDs.
 */
export class MpegTsDemuxer implements Demuxer {
  readonly #onFrame: FrameListener;
  #rest: Uint8Array = new Uint8Array(0);
  #stride = 0;
  readonly #pat = new SectionAssembler();
  #pmt = new SectionAssembler();
  #pmtPid = -1;
  readonly #pids = new Map<number, PidState>();
  readonly #timeBase = new TimeBase();
  /** Packets that were read, packets that made no sense, bytes that were skipped to find the next packet. */
  packets = 0;
  malformed = 0;
  skipped = 0;

  constructor(onFrame: FrameListener) {
    this.#onFrame = onFrame;
  }

  /** The streams of the program map that can be used; empty before the first map. */
  get streams(): readonly DemuxedStream[] {
    return Array.from(this.#pids.values(), ({ elementary }) => elementary.stream);
  }

  push(bytes: Uint8Array, arrivalMs: number = performance.now()): void {
    let data = bytes;
    if (this.#rest.length > 0) {
      data = new Uint8Array(this.#rest.length + bytes.length);
      data.set(this.#rest);
      data.set(bytes, this.#rest.length);
    }
    let at = 0;
    for (;;) {
      if (this.#stride === 0) {
        const found = this.#search(data, at);
        this.skipped += found - at;
        at = found;
        if (this.#stride === 0) break;
      }
      if (at + this.#stride > data.length) break;
      if (data[at] === SYNC) {
        this.#packet(data, at, arrivalMs);
        at += this.#stride;
      } else {
        this.#stride = 0;
      }
    }
    this.#rest = data.slice(at);
  }

  // Where three packets begin, one behind the other, and sets their distance; where to go on looking otherwise.
  #search(data: Uint8Array, from: number): number {
    const end = data.length - 2 * LONGEST_STRIDE;
    for (let at = from; at < end; at++) {
      if (data[at] !== SYNC) continue;
      for (const stride of STRIDES) {
        if (data[at + stride] !== SYNC || data[at + 2 * stride] !== SYNC) continue;
        this.#stride = stride;
        return at;
      }
    }
    return Math.max(from, end);
  }

  #packet(data: Uint8Array, at: number, arrivalMs: number): void {
    this.packets++;
    const flags = data[at + 1]!;
    const pid = (flags & 31) << 8 | data[at + 2]!;
    const control = data[at + 3]!;
    if (pid === NULL_PID) return;
    const end = at + PACKET_BYTES;
    let from = at + 4;
    let isNewCount = false;
    if (control & 0x20) {
      const size = data[from]!;
      isNewCount = size > 0 && (data[from + 1]! & 0x80) !== 0;
      from += 1 + size;
    }
    // Damaged, scrambled, or an adaptation field that passes the end.
    if (flags & 0x80 || control & 0xc0 || from > end) {
      this.malformed++;
      return;
    }
    if ((control & 0x10) === 0 || from === end) return;
    const isStart = (flags & 0x40) !== 0;
    if (pid === 0 || pid === this.#pmtPid) return this.#table(pid, data.subarray(from, end), isStart);
    const state = this.#pids.get(pid);
    if (!state) return;
    if (isNewCount) state.counter = -1;
    if (this.#isRepeated(state, control & 15)) return;
    const { malformed } = state.pes;
    state.pes.push(data, from, end, isStart, arrivalMs);
    this.malformed += state.pes.malformed - malformed;
  }

  // Follows the continuity counter: marks what has a gap, tells a packet that was sent twice.
  #isRepeated(state: PidState, counter: number): boolean {
    const last = state.counter;
    state.counter = counter;
    if (last < 0 || counter === (last + 1 & 15)) {
      state.goodCounts++;
      return false;
    }
    const isTrusted = state.goodCounts >= TRUSTED_COUNTS;
    if (isTrusted && counter === last) return true;
    state.goodCounts = 0;
    if (isTrusted) state.pes.markCorrupt();
    return false;
  }

  #table(pid: number, payload: Uint8Array, isStart: boolean): void {
    const section = (pid === 0 ? this.#pat : this.#pmt).push(payload, isStart);
    if (!section) return;
    if (pid === 0) {
      const pmtPid = readPat(section);
      if (pmtPid === undefined || pmtPid === this.#pmtPid) return;
      this.#pmtPid = pmtPid;
      this.#pmt = new SectionAssembler();
    } else {
      const entries = readPmt(section);
      if (entries) this.#setProgram(entries);
    }
  }

  #setProgram(entries: readonly ProgramEntry[]): void {
    for (const [pid, { entry }] of this.#pids) {
      if (!entries.some((one) => isSameEntry(one, entry))) this.#pids.delete(pid);
    }
    for (const entry of entries) {
      if (this.#pids.has(entry.pid) || this.#pids.size >= MAX_STREAMS) continue;
      const elementary = elementaryOf(entry, this.#timeBase, this.#onFrame);
      if (!elementary) continue;
      const pes = new PesAssembler((packet) => elementary.take(packet));
      this.#pids.set(entry.pid, { entry, elementary, pes, counter: -1, goodCounts: 0 });
    }
  }

  flush(): void {
    const arrivalMs = performance.now();
    if (this.#stride === 0 && this.#rest[0] === SYNC) this.#stride = PACKET_BYTES;
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    for (let at = 0; this.#stride > 0 && at + PACKET_BYTES <= rest.length && rest[at] === SYNC; at += this.#stride) {
      this.#packet(rest, at, arrivalMs);
    }
    for (const { pes } of this.#pids.values()) pes.finish(arrivalMs);
  }
}

function isSameEntry(a: ProgramEntry, b: ProgramEntry): boolean {
  return a.pid === b.pid && a.streamType === b.streamType && a.registration === b.registration;
}
