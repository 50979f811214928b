import type { Track } from "../media/track.ts";

let lastId = 0;
const trackIds = new WeakMap<Track, number>();

/** The next number of the one counter of connections, receivers and senders. */
export function nextId(): number {
  return ++lastId;
}

/** The number of a track in the JSON, the same for its life. */
export function idOf(track: Track): number {
  let id = trackIds.get(track);
  if (id === undefined) {
    id = nextId();
    trackIds.set(track, id);
  }
  return id;
}

/** Hands out the lowest free track number of a stream. */
export class TrackNumbers {
  readonly #taken = new Set<number>();

  take(): number {
    let number = 0;
    while (this.#taken.has(number)) number++;
    this.#taken.add(number);
    return number;
  }
  free(number: number): void {
    this.#taken.delete(number);
  }
}
