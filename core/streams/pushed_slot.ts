import type { Codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import { redactUrls, StreamError } from "../util/errors.ts";
import type { Session } from "./session.ts";
import { type Claim, Slot, type SlotHost } from "./slot.ts";
import { isSame } from "./slot_tracks.ts";
import type { Producer } from "./types.ts";

/** How a pushed slot is made. */
export interface PushedOptions {
  /** How long viewers wait for a publisher that has left. */
  readonly lingerMs: number;
  /** What plays, for a source that is pushed by ourselves. */
  readonly source?: string;
  /** Called once, when nothing and nobody is left. */
  readonly onGone: (slot: PushedSlot) => void;
}

/** A publisher that gives nothing for this long may be dead without its end being known. */
const SILENT_MS = 1500;

/**
 * A producer that was pushed to us: never started or stopped by viewers. When it leaves, its viewers stay for the linger
 * time, and the next publisher of the stream feeds them.
 */
export class PushedSlot extends Slot {
  readonly source: string;
  readonly #options: PushedOptions;
  #cancelLinger: (() => void) | undefined;
  #ending: Promise<void> = Promise.resolve();
  #isGone = false;

  constructor(host: SlotHost, options: PushedOptions) {
    super(host);
    this.source = options.source ?? "";
    this.#options = options;
  }

  override get canDial(): boolean {
    return false;
  }
  override dial(): Promise<void> {
    return Promise.reject(new StreamError("OFFLINE", "nobody publishes to the stream"));
  }
  protected override get hasFixedCodecs(): boolean {
    return true;
  }

  /** Whether a producer gives what viewers wait for: 2 in a codec of theirs, 1 in another one, 0 not at all. */
  fit(producer: Producer): 0 | 1 | 2 {
    const given = producer.medias.filter((media) => media.direction === "recvonly");
    const awaited = this.bindings.filter(({ users }) => users > 0 || this.producer !== undefined);
    const has = (fits: (media: Media, codec: Codec) => boolean) =>
      awaited.some(({ codec }) => given.some((media) => media.kind === codec.kind && fits(media, codec)));
    if (has((media, codec) => media.codecs.some((offered) => isSame(offered, codec)))) return 2;
    return has(() => true) ? 1 : 0;
  }

  /** Whether its connection seems dead, though it is not closed yet, and the producer's is its owner's new one. */
  isAbandonedFor(producer: Producer): boolean {
    if (!this.producer) return false;
    const fit = this.fit(producer);
    return this.state === "frozen" ? fit > 0 : fit === 2 && this.silentMs(this.host.context.clock.now()) > SILENT_MS;
  }

  /** Takes a producer without running it yet, and claims a track of it. */
  prepare(producer: Producer, media: Media, codec: Codec): Claim {
    this.#take(producer);
    const claim = this.claim(media, codec);
    if (!claim) throw new RangeError("Cannot play: the media is not one of the producer's");
    return claim;
  }

  /** Runs a producer on the tracks that are there; the slot must have no other. */
  begin(producer: Producer): Session {
    if (this.producer !== producer) this.#take(producer);
    this.setState("connecting");
    return this.run(producer);
  }

  #take(producer: Producer): void {
    this.#stopLinger();
    this.install(producer);
    // It cannot be asked again later: everything it gives and takes is there from the start.
    for (const media of producer.medias) {
      const codec = media.codecs[0];
      if (!codec) continue;
      if (media.direction === "recvonly") this.tracks.take(media, codec);
      else this.speakerFor(media, codec);
    }
  }

  /** Ends a connection that has gone silent, so that another can take its place; its viewers stay. */
  async evict(): Promise<void> {
    const stopped = this.stopSession();
    this.#ending = Promise.all([this.#ending, stopped]).then(() => {});
    this.#onLeft("another publisher took its place");
    await stopped;
  }

  protected override onEnded(_session: Session, error: Error | undefined): void {
    this.#onLeft(error ? redactUrls(error.message) : "the publisher left");
  }

  protected override onLacking(): void {
    // All its tracks are there from the start; it gives nothing else.
  }

  #onLeft(cause: string): void {
    this.uninstall();
    if (this.users === 0) return this.#leave();
    this.setState("offline", cause);
    this.#cancelLinger ??= this.host.context.clock.setTimer(() => this.#giveUp(), this.#options.lingerMs);
  }

  #giveUp(): void {
    this.#cancelLinger = undefined;
    const lost = this.bindings.filter(({ users }) => users > 0).map(({ track }) => track);
    this.host.onLost(lost, "the publisher left");
    this.#leave();
  }

  override settle(): void {
    if (!this.producer && this.users === 0) this.#leave();
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#stopLinger();
    this.clear();
    this.#options.onGone(this);
  }

  #stopLinger(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
  }

  override close(): Promise<void> {
    if (!this.#isGone) {
      const isRunning = this.session !== undefined;
      this.#ending = Promise.all([this.#ending, this.stopSession()]).then(() => {});
      const producer = this.uninstall();
      if (!isRunning && producer) this.closeProducer(producer);
      this.#leave();
    }
    return this.#ending;
  }
}
