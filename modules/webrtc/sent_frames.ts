import type { RtpChunk } from "../../core/mod.ts";

/** So long can a peer ask for a packet again: libwebrtc gives up after ten times. */
const KEEP_MS = 3000;
/** And so many packets are kept at most, far less than sequence numbers can tell apart. */
const KEEP_PACKETS = 8192;

/** A frame as it went to one peer. */
export interface SentFrame {
  /** The packet index of its first packet. */
  readonly index: number;
  readonly chunk: RtpChunk;
  /** What is added to its timestamps. */
  readonly timestampDelta: number;
  readonly atMs: number;
  /** How many of its packets have gone out. */
  sent: number;
  /** When each packet was last sent again; made for the first one. */
  againMs: Float64Array | undefined;
}

/**
 * What a peer was sent of one track. Each packet index is given once, to one packet of one chunk with one change of time:
 * whatever is sent again under an index is what was sent first, and nothing is ever encrypted with the nonce of another.
 */
export class SentFrames {
  #frames: SentFrame[] = [];
  #head = 0;
  #next: number;

  /** `first` is the index of the first packet. */
  constructor(first: number) {
    this.#next = first;
  }

  /** The index that the next packet gets. */
  get next(): number {
    return this.#next;
  }
  get size(): number {
    return this.#frames.length - this.#head;
  }

  /** Gives a frame its indices; forgets what is too old to be asked for. */
  add(chunk: RtpChunk, timestampDelta: number, nowMs: number): SentFrame {
    const frame = { index: this.#next, chunk, timestampDelta, atMs: nowMs, sent: 0, againMs: undefined };
    this.#frames.push(frame);
    this.#next += chunk.count;
    this.#trim(nowMs);
    return frame;
  }

  #trim(nowMs: number): void {
    while (this.#head < this.#frames.length - 1) {
      const { atMs, index } = this.#frames[this.#head]!;
      if (nowMs - atMs <= KEEP_MS && this.#next - index <= KEEP_PACKETS) break;
      this.#head++;
    }
    if (this.#head < 64 || this.#head * 2 < this.#frames.length) return;
    this.#frames.splice(0, this.#head);
    this.#head = 0;
  }

  /** The newest index whose packet has that sequence number; it may not have been given to a packet yet or any more. */
  indexOf(sequence: number): number {
    const last = this.#next - 1;
    return last - ((last - sequence) & 0xffff);
  }

  /** The frame with the packet of an index; `undefined`: it was forgotten, or there is none. */
  find(index: number): SentFrame | undefined {
    let low = this.#head;
    let high = this.#frames.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const frame = this.#frames[middle]!;
      if (index < frame.index) high = middle - 1;
      else if (index >= frame.index + frame.chunk.count) low = middle + 1;
      else return frame;
    }
    return undefined;
  }

  /** Forgets all; the numbers go on. */
  clear(): void {
    this.#frames = [];
    this.#head = 0;
  }
}
