import type { Media } from "../media/media.ts";
import type { Track } from "../media/track.ts";
import { nextId } from "./ids.ts";
import type { Claim } from "./slot.ts";
import type { Assignment, Attachment, Consumer } from "./types.ts";

/** A claim, and the consumer's media that it answers. */
export interface Place {
  readonly wish: Media;
  readonly claim: Claim;
}

/** A consumer in a stream: what it holds, until it leaves. */
export class ConsumerEntry implements Attachment {
  /** The number of the connection in the JSON. */
  readonly id: number = nextId();
  readonly consumer: Consumer;
  readonly places: readonly Place[];
  onReplaced: Attachment["onReplaced"];
  readonly #onLeft: (entry: ConsumerEntry) => void;
  #isDetached = false;

  constructor(consumer: Consumer, places: readonly Place[], onLeft: (entry: ConsumerEntry) => void) {
    this.consumer = consumer;
    this.places = places;
    this.#onLeft = onLeft;
  }

  get isDetached(): boolean {
    return this.#isDetached;
  }
  /** What it is given now: a track that was replaced is not listed any more. */
  get assignments(): readonly Assignment[] {
    return this.places.filter(({ claim }) => !claim.isMicrophone).map(({ wish, claim }) => ({
      media: wish,
      track: claim.track,
    }));
  }
  /** Its microphones that are heard somewhere. */
  get microphones(): readonly Claim[] {
    return this.places.map(({ claim }) => claim).filter((claim) => claim.isMicrophone);
  }
  holds(track: Track): boolean {
    return this.places.some(({ claim }) => claim.track === track);
  }

  detach(): void {
    if (this.#isDetached) return;
    this.#isDetached = true;
    for (const { claim } of this.places) claim.release();
    this.#onLeft(this);
  }
  [Symbol.dispose](): void {
    this.detach();
  }
}
