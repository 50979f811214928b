import { slab } from "../runtime/mod.ts";

/**
 * Sound stays in its log for many seconds. Left in the slabs of what received it, its few bytes would keep all pictures of
 * that time in memory; so it is copied to slabs of its own.
 */
export class SoundSlab {
  #slab = slab(0);
  #at = 0;

  copy(packet: Uint8Array): Uint8Array {
    if (this.#at + packet.length > this.#slab.length) {
      this.#slab = slab(Math.max(8 << 10, packet.length));
      this.#at = 0;
    }
    const copy = this.#slab.subarray(this.#at, this.#at += packet.length);
    copy.set(packet);
    return copy;
  }
}
