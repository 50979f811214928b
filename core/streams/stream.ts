import type { Principal } from "../access/types.ts";
import type { Media } from "../media/media.ts";
import type { Start } from "../media/reader.ts";
import type { Track } from "../media/track.ts";
import { messageOf, redactUrls, StreamError } from "../util/errors.ts";
import { ConsumerEntry, type Place } from "./consumer_entry.ts";
import { DEFAULT_LINGER_MS, type StreamEntry } from "./entry.ts";
import { TrackNumbers } from "./ids.ts";
import { attachError, type Match, negotiate, type Offer } from "./negotiate.ts";
import { Playback } from "./playback.ts";
import { PushedSlot } from "./pushed_slot.ts";
import { allowedMedias, mayKeep, requireRight } from "./rights.ts";
import type { Session } from "./session.ts";
import type { Claim, Slot, SlotHost, StreamContext } from "./slot.ts";
import { type SlotOptions, SourceSlot } from "./source_slot.ts";
import { agreedCodec } from "./speaker.ts";
import type { Consumer, Producer, StreamHandle } from "./types.ts";
import { abortError } from "./wait.ts";

/** A source that connects and is gone again this often while somebody attaches is left out. */
const MAX_DIALS = 3;
/** Publishers of one stream at the same time. */
const MAX_PUSHED = 16;
const TAKEN_AWAY = "the right to this was taken away";

/** A named camera: its sources, those who push to it, those who take from it. */
export class Stream implements StreamHandle, SlotHost {
  readonly name: string;
  readonly context: StreamContext;
  readonly numbers: TrackNumbers = new TrackNumbers();
  /** What plays to the camera's speaker. */
  readonly playback: Playback;
  /** Called when a consumer or publisher has left, or an attach came to nothing. */
  onLeft: (() => void) | undefined;
  #entry: StreamEntry;
  #sources: SourceSlot[] = [];
  #pushed: PushedSlot[] = [];
  // Each with what asks whether it may stay.
  readonly #consumers = new Map<ConsumerEntry, () => boolean>();
  readonly #publishers = new Map<Session, Principal>();
  #attaching = 0;
  #isClosed = false;
  #closing: Promise<void> = Promise.resolve();

  constructor(name: string, entry: StreamEntry, isTrusted: boolean, context: StreamContext) {
    this.name = name;
    this.context = context;
    this.#entry = entry;
    this.playback = new Playback(this);
    this.setEntry(entry, isTrusted);
  }

  get entry(): StreamEntry {
    return this.#entry;
  }
  get start(): Start | undefined {
    return this.#entry.start ?? this.#sources.find((slot) => slot.startAt)?.startAt;
  }
  get isAttaching(): boolean {
    return this.#attaching > 0;
  }
  /** Nobody takes from it or pushes to it. */
  get isUnused(): boolean {
    return this.#consumers.size === 0 && this.#attaching === 0 && this.#pushed.length === 0 && !this.playback.isActive;
  }
  get consumers(): readonly ConsumerEntry[] {
    return [...this.#consumers.keys()];
  }
  /** Those that viewers can be given something of: the configured ones, then the pushed ones. */
  get slots(): readonly Slot[] {
    return [...this.#sources, ...this.#pushed];
  }
  // Publishers that have fallen silent last.
  get #offering(): readonly Slot[] {
    const frozen = this.#pushed.filter((slot) => slot.state === "frozen");
    return [...this.#sources, ...this.#pushed.filter((slot) => slot.state !== "frozen"), ...frozen];
  }
  /** The configured sources, templates as they were set. */
  get sources(): readonly string[] {
    return this.#sources.map((slot) => slot.configured);
  }

  /**
   * Gives the stream another list of sources. Those whose text stays are not touched; the others are changed in their
   * place, so that viewers stay where the codecs fit.
   */
  setEntry(entry: StreamEntry, isTrusted: boolean): void {
    this.#entry = entry;
    const options = this.#optionsFor(isTrusted);
    const free = [...this.#sources];
    const kept = entry.sources.map((text) => {
      const at = free.findIndex((slot) => slot.configured === text);
      return at < 0 ? undefined : free.splice(at, 1)[0];
    });
    this.#sources = entry.sources.map((text, i) => {
      const slot = kept[i] ?? free.shift();
      if (!slot) return new SourceSlot(this, text, options);
      slot.setSource(text, options, true);
      return slot;
    });
    for (const slot of free) this.#removeSource(slot);
  }

  #optionsFor(isTrusted: boolean): SlotOptions {
    const { lingerMs } = this.#entry;
    return { isTrusted, ...(lingerMs === undefined ? {} : { lingerMs }) };
  }

  /** Fills the templates, and replaces the sources that are none; what runs goes on until its end (contract §2.7). */
  fill(source: string, isTrusted: boolean): void {
    for (const slot of this.#sources) slot.fill(source, isTrusted);
    if (this.#sources.length === 0) this.#sources = [new SourceSlot(this, source, this.#optionsFor(isTrusted))];
  }

  #removeSource(slot: SourceSlot): void {
    for (const entry of this.#consumers.keys()) {
      if (entry.places.some(({ claim }) => claim.slot === slot)) this.#dismiss(entry, "the source was removed");
    }
    this.playback.onRemoved(slot);
    this.#closing = Promise.all([this.#closing, slot.close()]).then(() => {});
  }

  async attach(consumer: Consumer, principal: Principal, signal?: AbortSignal): Promise<ConsumerEntry> {
    const wishes = allowedMedias(consumer, principal, this.name);
    const mayStay = () => mayKeep(consumer, wishes, principal, this.name);
    using _ = this.hold();
    const failures = new Map<Slot, Error>();
    const dials = new Map<Slot, number>();
    const want = {
      wanted: wishes.filter(({ direction }) => direction === "sendonly").flatMap(({ codecs }) => codecs),
      wantsSpeaker: wishes.some(({ direction }) => direction === "recvonly"),
    };
    for (;;) {
      if (this.#isClosed) throw new StreamError("CLOSED", "streams: the stream was removed");
      if (signal?.aborted) throw abortError(signal);
      if (!mayStay()) throw new StreamError("UNAUTHORIZED", `streams: ${TAKEN_AWAY}`);
      const slots = this.#offering;
      const offers = slots.map((slot) => offerOf(slot, failures.has(slot)));
      const step = negotiate(wishes, offers, consumer.loopGuard);
      if ("matches" in step) {
        const places = this.#claim(consumer, slots, offers, step.matches);
        if (places.length === 0) throw attachError(wishes, offers, [...failures.values()]);
        return this.#admit(consumer, places, mayStay);
      }
      const slot = slots[step.dial]!;
      const count = (dials.get(slot) ?? 0) + 1;
      dials.set(slot, count);
      try {
        if (count > MAX_DIALS) throw new StreamError("OFFLINE", "the source keeps closing the connection");
        await slot.dial(want, signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        failures.set(slot, error instanceof Error ? error : new Error(messageOf(error)));
      }
    }
  }

  #claim(consumer: Consumer, slots: readonly Slot[], offers: readonly Offer[], matches: readonly Match[]): Place[] {
    const places: Place[] = [];
    try {
      for (const match of matches) {
        const slot = slots[match.slot]!;
        // The offer may be a narrowed copy; slots know their medias by identity.
        const media = slot.medias?.[offers[match.slot]!.medias!.indexOf(match.media)];
        const claim = media && claimOf(consumer, slot, media, match);
        if (claim) places.push({ wish: match.wish, claim });
      }
    } catch (error) {
      for (const { claim } of places) claim.release();
      throw error;
    }
    return places;
  }

  #admit(consumer: Consumer, places: readonly Place[], mayStay: () => boolean): ConsumerEntry {
    const entry = new ConsumerEntry(consumer, places, (entry) => this.#leave(entry));
    this.#consumers.set(entry, mayStay);
    for (const slot of new Set(places.map(({ claim }) => claim.slot))) slot.start();
    this.#tell(entry, "attached");
    return entry;
  }

  #tell(entry: ConsumerEntry, change: string): void {
    const { formatName, remoteAddr } = entry.consumer.info;
    const fields = { stream: redactUrls(this.name), id: entry.id, format: formatName, peer: remoteAddr };
    this.context.log.debug(`consumer ${change}`, fields);
    this.context.emit("consumer", { ...fields, change });
  }

  #leave(entry: ConsumerEntry): void {
    this.#consumers.delete(entry);
    this.#tell(entry, "detached");
    this.settle();
  }

  /** While it is held nothing of the stream is stopped. */
  hold(): Disposable {
    this.#attaching++;
    return {
      [Symbol.dispose]: () => {
        this.#attaching--;
        this.settle();
      },
    };
  }

  settle(): void {
    if (this.#attaching > 0) return;
    for (const slot of this.slots) slot.settle();
    this.onLeft?.();
  }

  // Its client comes back and negotiates anew.
  #dismiss(entry: ConsumerEntry, reason: string): void {
    if (entry.isDetached) return;
    entry.detach();
    try {
      entry.consumer.close(reason);
    } catch (error) {
      this.context.log.warn("cannot close a consumer", { stream: redactUrls(this.name), error: messageOf(error) });
    }
  }

  /** Ends what somebody has of it, or sends to it, who may not any more. */
  recheck(): void {
    for (const [entry, mayStay] of this.#consumers) {
      if (!mayStay()) this.#dismiss(entry, TAKEN_AWAY);
    }
    for (const [session, principal] of this.#publishers) {
      if (!principal.can("publish", this.name)) void session.stop();
    }
  }

  onReplaced(was: Track, is: Track): void {
    for (const entry of this.#consumers.keys()) {
      if (!entry.holds(is)) continue;
      try {
        if (!entry.onReplaced) throw new StreamError("CLOSED", "the source came back different");
        entry.onReplaced(was, is);
      } catch (error) {
        this.#dismissLater(entry, messageOf(error));
      }
    }
  }

  onLost(tracks: readonly Track[], reason: string): void {
    for (const entry of this.#consumers.keys()) {
      if (tracks.some((track) => entry.holds(track))) this.#dismissLater(entry, reason);
    }
  }

  // Not while the slot is at work: what viewers do on leaving must find it settled.
  #dismissLater(entry: ConsumerEntry, reason: string): void {
    queueMicrotask(() => this.#dismiss(entry, reason));
  }

  async publish(producer: Producer, principal: Principal, signal: AbortSignal): Promise<void> {
    requireRight(principal, "publish", this.name);
    for (const slot of this.#pushed) if (slot.isAbandonedFor(producer)) await slot.evict();
    if (this.#isClosed) throw new StreamError("NOT_FOUND", "stream not found");
    if (signal.aborted) throw abortError(signal);
    const session = this.#slotFor(producer).begin(producer);
    this.#publishers.set(session, principal);
    const onAbort = () => void session.stop();
    signal.addEventListener("abort", onAbort, { once: true });
    const error = await session.ended;
    signal.removeEventListener("abort", onAbort);
    this.#publishers.delete(session);
    if (error && !session.isStopped) throw error;
  }

  #slotFor(producer: Producer): PushedSlot {
    const orphans = this.#pushed.filter((slot) => !slot.producer);
    const taken = orphans.find((slot) => slot.fit(producer) === 2) ?? orphans.find((slot) => slot.fit(producer) === 1);
    if (taken) return taken;
    if (this.#pushed.length >= MAX_PUSHED) {
      throw new StreamError(
        "BUSY",
        `streams: more than ${MAX_PUSHED} publishers to one stream, stop one of them first`,
      );
    }
    const slot = new PushedSlot(this, {
      lingerMs: this.#entry.lingerMs ?? DEFAULT_LINGER_MS,
      onGone: (slot) => {
        this.#pushed = this.#pushed.filter((other) => other !== slot);
        this.onLeft?.();
      },
    });
    this.#pushed.push(slot);
    return slot;
  }

  /** Ends it for good: viewers are told why, connections are closed. Resolves when all that is done. */
  async close(reason: string): Promise<void> {
    this.#isClosed = true;
    this.onLeft = undefined;
    this.playback.stop();
    for (const entry of this.#consumers.keys()) this.#dismiss(entry, reason);
    await Promise.all([this.#closing, this.playback.ended, ...this.slots.map((slot) => slot.close())]);
  }
}

function offerOf(slot: Slot, hasFailed: boolean): Offer {
  const medias = slot.offered;
  return { source: slot.source, hasFailed: hasFailed || (!medias && !slot.canDial), ...(medias ? { medias } : {}) };
}

function claimOf(consumer: Consumer, slot: Slot, media: Media, match: Match): Claim | undefined {
  if (media.direction === "recvonly") return slot.claim(media, match.offered);
  const microphone = consumer.microphone?.(match.wish, agreedCodec(match.offered, match.wanted));
  return microphone && slot.talk(media, match.offered, microphone);
}
