const ROOM_BYTES = 256 << 10;

/**
 * Room for encrypted packets, used again at once where the system has taken them: with sends that end later, a part of
 * the room is the packets' until they are gone.
 */
export class SealRoom {
  #bytes = new Uint8Array(0);
  #at = 0;

  /** Room of that size at least, until the next call. */
  take(size: number): Uint8Array {
    if (this.#bytes.length - this.#at < size) {
      this.#bytes = new Uint8Array(Math.max(ROOM_BYTES, size));
      this.#at = 0;
    }
    return this.#at === 0 ? this.#bytes : this.#bytes.subarray(this.#at);
  }

  /** The first bytes of what was taken are not to be used again. */
  keep(size: number): void {
    this.#at += size;
  }
}

/** Shared by all peers: nothing waits in it. */
export const sealRoom = new SealRoom();
