import { SourceClock } from "../media/clock.ts";
import type { Codec } from "../media/codec.ts";
import { matches } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import { Track } from "../media/track.ts";
import type { TrackNumbers } from "./ids.ts";

/** A track of a slot, and the media of the current connection that feeds it. */
export interface Binding {
  track: Track;
  /** The codec as its producer offered it. */
  codec: Codec;
  /** Absent while the source is away, or came back without it. */
  media: Media | undefined;
  /** How many viewers read it. */
  users: number;
}

/** What changed for viewers when a source came back. */
export interface Rebound {
  readonly replaced: readonly { readonly was: Track; readonly is: Track }[];
  /** Tracks with viewers that nothing feeds any more. */
  readonly lost: readonly Track[];
}

/** The tracks of one slot. They outlive the connection that feeds them, so viewers stay when a camera reconnects. */
export class SlotTracks {
  readonly #numbers: TrackNumbers;
  readonly #clock = new SourceClock();
  #bindings: Binding[] = [];
  #isBound = false;

  constructor(numbers: TrackNumbers) {
    this.#numbers = numbers;
  }

  get all(): readonly Binding[] {
    return this.#bindings;
  }

  of(media: Media): Binding | undefined {
    return this.#bindings.find((binding) => binding.media === media);
  }

  /**
   * Gives the tracks to the medias of a new connection: each existing track to the first that has its codec. The first
   * media of each kind gets a track in any case, so that a later viewer of it does not disturb the others.
   */
  bind(medias: readonly Media[]): Rebound {
    this.#clock.reset();
    this.#isBound = true;
    const replaced: { was: Track; is: Track }[] = [];
    const lost: Track[] = [];
    const free = medias.filter((media) => media.direction === "recvonly");
    for (const binding of this.#bindings) binding.media = undefined;
    for (const binding of [...this.#bindings]) {
      if (this.#feed(binding, free, isSame)) {
        binding.track.restart(binding.codec);
      } else if (binding.users === 0) {
        this.#drop(binding);
      } else if (this.#feed(binding, free, (a, b) => a.name === b.name)) {
        const was = binding.track;
        binding.track = this.#make(was.id, binding.codec);
        replaced.push({ was, is: binding.track });
        was.close();
      } else {
        lost.push(binding.track);
      }
    }
    for (const kind of ["video", "audio"] as const) {
      const media = free.find((media) => media.kind === kind);
      const hasOne = this.#bindings.some((binding) => binding.media?.kind === kind);
      if (media && !hasOne) this.take(media, media.codecs[0]);
    }
    return { replaced, lost };
  }

  #feed(binding: Binding, free: Media[], fits: (a: Codec, b: Codec) => boolean): boolean {
    for (let i = 0; i < free.length; i++) {
      const media = free[i]!;
      if (media.kind !== binding.codec.kind) continue;
      const found = media.codecs.find((codec) => fits(codec, binding.codec));
      if (!found) continue;
      free.splice(i, 1);
      binding.media = media;
      binding.codec = found;
      return true;
    }
    return false;
  }

  /** The track of a media in one of its codecs. A track of another codec that nobody reads gives way. */
  take(media: Media, codec: Codec | undefined): Binding | undefined {
    const existing = this.of(media);
    if (existing && (!codec || existing.users > 0 || isSame(existing.codec, codec))) return existing;
    if (!codec) return undefined;
    if (existing) this.#drop(existing);
    const binding: Binding = { track: this.#make(this.#numbers.take(), codec), codec, media, users: 0 };
    this.#bindings.push(binding);
    return binding;
  }

  /** A viewer has left; a track that nothing feeds is not kept for nobody. */
  release(binding: Binding): void {
    binding.users--;
    if (binding.users === 0 && !binding.media && this.#isBound) this.#drop(binding);
  }

  #make(number: number, codec: Codec): Track {
    return new Track(number, codec, { sourceClock: this.#clock });
  }

  #drop(binding: Binding): void {
    if (!this.#bindings.includes(binding)) return;
    this.#bindings = this.#bindings.filter((other) => other !== binding);
    this.#numbers.free(binding.track.id);
    binding.track.close();
  }

  /** The source has gone; its tracks stay for those who read them. */
  unbind(): void {
    this.#isBound = false;
    for (const binding of this.#bindings) binding.media = undefined;
  }

  /** Drops all tracks. */
  close(): void {
    this.#isBound = false;
    for (const binding of [...this.#bindings]) this.#drop(binding);
  }
}

/** Whether two codecs are the same but for their parameters. */
export function isSame(a: Codec, b: Codec): boolean {
  return a.kind === b.kind && a.name === b.name && matches(a, b) && matches(b, a);
}
