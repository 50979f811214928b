import { holdSlab, releaseSlab, shareSlab } from "./slab_memory.ts";

/** Packets that lie in one buffer. */
interface Run {
  readonly buffer: ArrayBufferLike;
  /** Where each packet begins and ends. */
  readonly places: number[];
  next: Run | undefined;
}

/**
 * The packets of one frame, kept as places in the buffers they arrived in: a view of each takes ten times as much, and the
 * garbage collector looks at all that logs hold. It holds those buffers (`slab_memory.ts`) until it is shared or discarded.
 */
export class PacketList {
  #first: Run | undefined;
  #last: Run | undefined;
  #length = 0;
  #isShared = false;

  get length(): number {
    return this.#length;
  }

  /** Adds a packet, whose bytes must not be changed later. */
  push(packet: Uint8Array): void {
    const { buffer, byteOffset } = packet;
    let run = this.#last;
    if (run === undefined || run.buffer !== buffer) {
      holdSlab(buffer);
      const next: Run = { buffer, places: [], next: undefined };
      if (run === undefined) this.#first = next;
      else run.next = next;
      this.#last = run = next;
    }
    run.places.push(byteOffset, byteOffset + packet.length);
    this.#length++;
  }

  /** Views of the packets, in order, made at each call; none once they are discarded. The list is shared from now on. */
  views(): Uint8Array[] {
    this.share();
    const views: Uint8Array[] = [];
    for (let run = this.#first; run !== undefined; run = run.next) {
      const { buffer, places } = run;
      for (let i = 0; i < places.length; i += 2) {
        views.push(new Uint8Array(buffer, places[i]!, places[i + 1]! - places[i]!));
      }
    }
    return views;
  }

  /** Others than the owner have it: when its bytes can go is for the garbage collector to find out. */
  share(): void {
    if (this.#isShared) return;
    this.#isShared = true;
    for (let run = this.#first; run !== undefined; run = run.next) shareSlab(run.buffer);
  }

  /** The owner needs it no more; what was not shared is empty from now on, and its memory given back. */
  discard(): void {
    if (this.#isShared) return;
    for (let run = this.#first; run !== undefined; run = run.next) releaseSlab(run.buffer);
    this.#first = this.#last = undefined;
    this.#length = 0;
  }
}
