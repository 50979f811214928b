import type { Frame } from "./frame.ts";
import type { Track } from "./track.ts";

/**
 * How one viewer's copy of a frame differs from what all others get: while a start is squeezed, after a skip that must
 * not show as loss. Ticks of the track's clock.
 */
export interface Edit {
  /** Added to the decode time. */
  readonly timeDelta: number;
  /** Replaces the frame's own, when set. */
  readonly compositionOffset?: number;
  /** Replaces the frame's own, when set. */
  readonly duration?: number;
  /** Added to packet and fragment numbers. */
  readonly sequenceDelta: number;
}

/** A frame in one wire form. `number` is the first sequence number of the `count` that it takes. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly count: number;
  number: number;
}

/**
 * The log of one track in one wire form: each frame's bytes are made once, numbered, and shared by all viewers. The
 * numbered range is contiguous and grows at both ends. Frames that leave the log take their bytes with them.
 */
export abstract class Rendition<C extends Chunk = Chunk> {
  readonly track: Track;
  #chunks = new Map<number, C>();
  #firstIndex = 0;
  #nextIndex = 0;
  #firstNumber = 0;
  #nextNumber: number;
  #bytes = 0;
  /** How many readers use it; the track drops it at 0. */
  users = 0;

  constructor(track: Track, firstNumber = 0) {
    this.track = track;
    this.#nextNumber = firstNumber;
    this.#firstNumber = firstNumber;
  }

  /** Makes the bytes of a frame, numbers left open. */
  protected abstract build(frame: Frame): C;
  /** Writes `chunk.number` to where the chunk carries numbers. */
  protected abstract stamp(chunk: C): void;
  /** A copy of the chunk's bytes with an edit applied. */
  abstract patch(chunk: C, frame: Frame, edit: Edit): Uint8Array;

  /** Bytes held. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** The number that the next frame of the live edge will take. */
  get nextNumber(): number {
    return this.#nextNumber;
  }

  /** The chunk of a frame that is in the log. */
  chunk(frame: Frame): C {
    return this.#chunks.get(frame.index) ?? this.#number(frame);
  }

  /** What a viewer is sent: the shared bytes, or its own copy. */
  bytes(frame: Frame, edit?: Edit): Uint8Array {
    const chunk = this.chunk(frame);
    return edit ? this.patch(chunk, frame, edit) : chunk.bytes;
  }

  #number(frame: Frame): C {
    const { log } = this.track;
    const isEmpty = this.#nextIndex === this.#firstIndex;
    // What was numbered has left the log, or never touched this frame's part of it: go on behind a gap in the numbers.
    if (isEmpty || (frame.index > this.#nextIndex && this.#nextIndex < log.firstIndex)) {
      const chunk = this.#make(frame);
      if (!isEmpty) this.#nextNumber++;
      this.#firstIndex = frame.index;
      this.#nextIndex = frame.index + 1;
      this.#firstNumber = this.#assign(chunk, this.#nextNumber);
      this.#nextNumber += chunk.count;
      return chunk;
    }
    if (frame.index < this.#firstIndex) {
      for (let index = this.#firstIndex - 1; index >= frame.index; index--) {
        const earlier = log.at(index);
        if (!earlier) break;
        const chunk = this.#make(earlier);
        this.#firstNumber = this.#assign(chunk, this.#firstNumber - chunk.count);
        this.#firstIndex = index;
      }
    } else {
      for (let index = this.#nextIndex; index <= frame.index; index++) {
        const later = index === frame.index ? frame : log.at(index);
        if (!later) continue;
        const chunk = this.#make(later);
        this.#assign(chunk, this.#nextNumber);
        this.#nextNumber += chunk.count;
        this.#nextIndex = index + 1;
      }
    }
    return this.#chunks.get(frame.index) ?? this.#still(frame);
  }

  // A still that outlived its place in the log has a chunk of its own, with the numbers before those to come: what its
  // viewer is sent next goes on behind it.
  #still(frame: Frame): C {
    const chunk = this.build(frame);
    this.#assign(chunk, this.#nextNumber - chunk.count);
    return chunk;
  }

  #make(frame: Frame): C {
    const chunk = this.build(frame);
    this.#chunks.set(frame.index, chunk);
    this.#bytes += chunk.bytes.byteLength;
    return chunk;
  }

  #assign(chunk: C, number: number): number {
    chunk.number = number;
    this.stamp(chunk);
    return number;
  }

  /** Drops the chunks of frames before `index`. */
  trim(index: number): void {
    for (const [at, chunk] of this.#chunks) {
      if (at >= index) continue;
      this.#chunks.delete(at);
      this.#bytes -= chunk.bytes.byteLength;
    }
  }
}
