import type { Media } from "../media/media.ts";
import type { Track } from "../media/track.ts";
import type { Speaker } from "./speaker.ts";
import type { Clock, Producer, ProducerIo } from "./types.ts";
import { orLate, toError } from "./wait.ts";

/** What a session asks of its slot. */
export interface SessionOwner {
  trackOf(media: Media): Track | undefined;
  speakerOf(media: Media): Speaker | undefined;
  onLive(session: Session): void;
}

/** How long producers and sinks may take to return after its signal has aborted. */
export const STOP_MS = 3000;

/** One run of a producer. */
export class Session {
  readonly producer: Producer;
  readonly startedMs: number;
  /** Resolves, never rejects, when the run has ended and its producer is closed; with the error if there was one. */
  readonly ended: Promise<Error | undefined>;
  wasLive = false;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  // What the producer asked for and was answered.
  readonly #tracks = new Map<Media, Track | undefined>();
  readonly #speakers = new Map<Media, Track | undefined>();

  constructor(producer: Producer, owner: SessionOwner, clock: Clock) {
    this.producer = producer;
    this.startedMs = clock.now();
    this.#clock = clock;
    const io: ProducerIo = {
      signal: this.#controller.signal,
      track: (media) => {
        const track = owner.trackOf(media);
        this.#tracks.set(media, track);
        return track;
      },
      speaker: (media) => {
        const speaker = owner.speakerOf(media);
        this.#speakers.set(media, speaker?.track);
        return speaker && { track: speaker.track, codec: speaker.codec };
      },
      live: () => {
        this.wasLive = true;
        owner.onLive(this);
      },
    };
    this.ended = this.#run(io);
  }

  async #run(io: ProducerIo): Promise<Error | undefined> {
    let error: Error | undefined;
    // Not before the owner knows of the session.
    await Promise.resolve();
    try {
      // A producer that does not return when it is told to must not hold up what comes after it.
      if (!io.signal.aborted) await orLate(this.producer.run(io), io.signal, STOP_MS, this.#clock);
    } catch (thrown) {
      error = toError(thrown);
    }
    try {
      this.producer.close();
    } catch (thrown) {
      error ??= toError(thrown);
    }
    return error;
  }

  get isStopped(): boolean {
    return this.#controller.signal.aborted;
  }
  /** The producer asked for the media and was told something else than it would be told now. */
  lacksTrack(media: Media, track: Track): boolean {
    return this.#tracks.has(media) && this.#tracks.get(media) !== track;
  }
  lacksSpeaker(media: Media, track: Track): boolean {
    return this.#speakers.has(media) && this.#speakers.get(media) !== track;
  }

  /** Ends the run; resolves when it has ended, after 3 s at the latest. */
  async stop(): Promise<void> {
    this.#controller.abort();
    await this.ended;
  }
}
