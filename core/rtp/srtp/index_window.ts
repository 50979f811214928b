import { MAX_INDEX } from "./iv.ts";

/**
 * Packets behind the newest one that are told from replays. RFC 3711 asks for 64 at least; a resent packet of a fast video
 * stream is further behind than that.
 */
export const REPLAY_WINDOW = 1024;
const HALF = 0x8000;

/** The newest index of one SSRC and which ones before it have been received (RFC 3711 §3.3). */
export class IndexWindow {
  #highest = -1;
  readonly #seen = new Uint32Array(REPLAY_WINDOW / 32);

  /** The index that a sequence number most likely stands for; -1 when there is none (§3.3.1). */
  indexOf(sequence: number): number {
    const highest = this.#highest;
    // A first packet is of rollover 0, and there is none before that.
    if (highest < HALF) return sequence;
    const newest = highest % 0x1_0000;
    const rollover = highest - newest;
    let index = rollover + sequence;
    if (newest < HALF && sequence - newest > HALF) index -= 0x1_0000;
    else if (newest - HALF > sequence) index += 0x1_0000;
    return index <= MAX_INDEX ? index : -1;
  }

  /** Whether an index has not been received and is not too old to know. */
  isFresh(index: number): boolean {
    if (index > this.#highest) return true;
    if (this.#highest - index >= REPLAY_WINDOW) return false;
    return (this.#seen[slotOf(index) >> 5]! & 1 << (slotOf(index) & 31)) === 0;
  }

  /** Takes note of an index, once its packet was authenticated. */
  accept(index: number): void {
    const seen = this.#seen;
    if (index - this.#highest >= REPLAY_WINDOW) seen.fill(0);
    else for (let i = this.#highest + 1; i < index; i++) seen[slotOf(i) >> 5]! &= ~(1 << (slotOf(i) & 31));
    seen[slotOf(index) >> 5]! |= 1 << (slotOf(index) & 31);
    if (index > this.#highest) this.#highest = index;
  }
}

function slotOf(index: number): number {
  return index % REPLAY_WINDOW;
}
