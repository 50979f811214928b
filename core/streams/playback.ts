import type { Media } from "../media/media.ts";
import { matchMedia } from "../media/media.ts";
import { messageOf, redactUrls, StreamError } from "../util/errors.ts";
import { attachError } from "./negotiate.ts";
import { openSource } from "./open_source.ts";
import { PushedSlot } from "./pushed_slot.ts";
import type { Claim, Slot, SlotHost } from "./slot.ts";
import type { Session } from "./session.ts";
import type { Producer } from "./types.ts";
import { abortError, delay, orAborted, toError } from "./wait.ts";

/** What playback needs of its stream. */
export interface PlaybackHost extends SlotHost {
  readonly slots: readonly Slot[];
  /** While it is held nothing of the stream is stopped. */
  hold(): Disposable;
  /** Somebody has left: what is not needed any more may be stopped. */
  settle(): void;
}

/** The speaker is held this long after the sound has ended: cameras play what they have buffered. */
const TAIL_MS = 1000;
/** How long the sound waits for a camera that has to connect anew before it listens. */
const READY_MS = 5000;
const READY_STEP_MS = 50;

/** A played source that fits a camera's speaker. */
interface Fit {
  readonly slot: Slot;
  readonly speaker: Media;
  readonly sound: Media;
  readonly pair: NonNullable<ReturnType<typeof matchMedia>>;
}

/** Plays one source at a time to the speaker of a stream's camera (contract §2.10); viewers come and go meanwhile. */
export class Playback {
  readonly #host: PlaybackHost;
  #controller: AbortController | undefined;
  #guest: PushedSlot | undefined;
  #speaker: Slot | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(host: PlaybackHost) {
    this.#host = host;
  }

  /** The played source while it plays. */
  get slot(): PushedSlot | undefined {
    return this.#guest;
  }
  get isActive(): boolean {
    return this.#controller !== undefined;
  }
  /** Resolves when all that was stopped has ended. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }

  /** Stops what plays. */
  stop(): void {
    this.#controller?.abort(new StreamError("CLOSED", "streams: the playback was stopped"));
    this.#controller = undefined;
  }
  /** A camera was removed from the stream. */
  onRemoved(slot: Slot): void {
    if (slot === this.#speaker) this.stop();
  }

  /** Plays a source in place of what plays now; resolves when it plays. `signal` ends only the preparations. */
  async play(source: string, isTrusted: boolean, signal: AbortSignal): Promise<void> {
    this.stop();
    const controller = this.#controller = new AbortController();
    using _ = this.#host.hold();
    try {
      await this.#prepare(source, isTrusted, controller, AbortSignal.any([signal, controller.signal]));
    } catch (error) {
      if (this.#controller === controller) this.#controller = undefined;
      throw error;
    }
  }

  async #prepare(source: string, isTrusted: boolean, controller: AbortController, signal: AbortSignal): Promise<void> {
    // One at a time on the speaker.
    await orAborted(this.#ended, signal);
    let producer: Producer | undefined;
    try {
      const isConnected = (slot: Slot) => slot.medias !== undefined;
      const slots = [...this.#host.slots.filter(isConnected), ...this.#host.slots.filter((slot) => !isConnected(slot))];
      for (const slot of slots) {
        const speakers = await this.#speakersOf(slot, signal);
        if (speakers.length === 0) continue;
        producer ??= await this.#open(source, isTrusted, speakers, signal);
        if (signal.aborted) throw abortError(signal);
        const fit = findFit(slot, producer);
        if (!fit) continue;
        const opened = producer;
        producer = undefined;
        return await this.#begin(source, opened, fit, controller, signal);
      }
    } finally {
      producer?.close();
    }
    throw new StreamError("NO_COMMON_CODEC", "can't find consumer");
  }

  async #speakersOf(slot: Slot, signal: AbortSignal): Promise<Media[]> {
    if (!slot.medias && slot.canDial) {
      try {
        await slot.dial({ wanted: [], wantsSpeaker: true }, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        const fields = { stream: redactUrls(this.#host.name), error: redactUrls(messageOf(error)) };
        this.#host.context.log.debug("cannot ask a source for its speaker", fields);
      }
    }
    return (slot.offered ?? []).filter((media) => media.kind === "audio" && media.direction === "sendonly");
  }

  async #open(source: string, isTrusted: boolean, speakers: Media[], signal: AbortSignal): Promise<Producer> {
    const { context, name } = this.#host;
    const wanted = speakers.flatMap((media) => media.codecs);
    const opened = openSource(source, isTrusted, context, { signal, stream: name, wanted, wantsSpeaker: false });
    try {
      return await orAborted(opened, signal);
    } catch (thrown) {
      // It may still open after it was given up.
      opened.then((producer) => producer.close()).catch(() => {});
      if (signal.aborted) throw thrown;
      throw attachError([], [], [toError(thrown)]);
    }
  }

  async #begin(
    source: string,
    producer: Producer,
    { slot, speaker, sound, pair }: Fit,
    controller: AbortController,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#host.context;
    const guest = new PushedSlot(this.#host, {
      source,
      lingerMs: TAIL_MS,
      onGone: () => {
        if (this.#guest === guest) this.#guest = undefined;
      },
    });
    const voice = guest.prepare(producer, sound, pair.offered);
    const talk = slot.talk(speaker, pair.wanted, voice.track);
    const release = () => {
      talk.release();
      voice.release();
      if (this.#speaker === slot) this.#speaker = undefined;
      guest.settle();
    };
    this.#guest = guest;
    this.#speaker = slot;
    try {
      slot.start();
      const latestMs = clock.now() + READY_MS;
      while (!isHeard(slot, talk) && clock.now() < latestMs && !signal.aborted) {
        await delay(READY_STEP_MS, clock, signal);
      }
      if (signal.aborted) throw abortError(signal);
    } catch (error) {
      release();
      await guest.close();
      throw error;
    }
    const session = guest.begin(producer);
    this.#ended = this.#finish(session, release, controller);
  }

  async #finish(session: Session, release: () => void, controller: AbortController): Promise<void> {
    const onAbort = () => void session.stop();
    controller.signal.addEventListener("abort", onAbort, { once: true });
    const error = await session.ended;
    controller.signal.removeEventListener("abort", onAbort);
    const { name, context } = this.#host;
    if (error && !controller.signal.aborted) {
      const fields = { stream: redactUrls(name), error: redactUrls(error.message) };
      context.log.warn("what played to the camera ended with an error", fields);
    }
    await delay(TAIL_MS, context.clock, controller.signal);
    release();
    if (this.#controller === controller) this.#controller = undefined;
    this.#host.settle();
  }
}

/** The camera has begun to read what it is to say. */
function isHeard(slot: Slot, { id }: Claim): boolean {
  const speaker = slot.speakers.find(({ talkers }) => talkers.some((talker) => talker.id === id));
  return speaker !== undefined && speaker.track.log.cursorCount > 0;
}

function findFit(slot: Slot, producer: Producer): Fit | undefined {
  const { medias, offered } = slot;
  for (const [i, speaker] of (medias ?? []).entries()) {
    if (speaker.kind !== "audio" || speaker.direction !== "sendonly") continue;
    for (const sound of producer.medias) {
      const pair = sound.direction === "recvonly" ? matchMedia(sound, offered![i]!) : undefined;
      if (pair) return { slot, speaker, sound, pair };
    }
  }
  return undefined;
}
