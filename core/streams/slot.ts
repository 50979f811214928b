import type { Codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import type { Track } from "../media/track.ts";
import type { Logger } from "../util/logger.ts";
import { messageOf, redactUrls } from "../util/errors.ts";
import { nextId, type TrackNumbers } from "./ids.ts";
import type { Want } from "./open_source.ts";
import { Session } from "./session.ts";
import { type Binding, isSame, SlotTracks } from "./slot_tracks.ts";
import { Speaker } from "./speaker.ts";
import type { Clock, Producer, SourceRegistry, SourceState, StateChange } from "./types.ts";

/** What the streams of a program share. */
export interface StreamContext {
  readonly registry: SourceRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  logOf(module: string): Logger;
  emit(type: string, data: Readonly<Record<string, unknown>>): void;
  /** Has `check` of a running slot called every second. */
  watch(slot: Slot): void;
  unwatch(slot: Slot): void;
}

/** What a slot needs of its stream. */
export interface SlotHost {
  readonly name: string;
  readonly numbers: TrackNumbers;
  readonly context: StreamContext;
  /** Somebody is attaching: nothing may be stopped. */
  readonly isAttaching: boolean;
  onReplaced(was: Track, is: Track): void;
  /** Tracks with viewers that nothing feeds any more. */
  onLost(tracks: readonly Track[], reason: string): void;
}

/** A viewer's place in a slot; give it back with `release`. */
export interface Claim {
  readonly slot: Slot;
  /** The sender's number in the JSON. */
  readonly id: number;
  /** The consumer's track that the slot reads, rather than one of the slot's own. */
  readonly isMicrophone: boolean;
  readonly track: Track;
  release(): void;
}

/** Changes of state that are kept. */
const TIMELINE_LENGTH = 32;
/** Without a picture for this long from the start, or from the last picture, a source is not live. */
const NO_VIDEO_MS = 10_000;
const FROZEN_MS = 5000;

/** What dialled and pushed sources have in common: tracks, speakers, a session, a state with its history. */
export abstract class Slot {
  protected readonly host: SlotHost;
  protected readonly tracks: SlotTracks;
  protected session: Session | undefined;
  #producer: Producer | undefined;
  #connectionId = 0;
  #speakers: Speaker[] = [];
  #users = 0;
  #state: SourceState = "idle";
  #cause: string | undefined;
  #timeline: StateChange[] = [];

  constructor(host: SlotHost) {
    this.host = host;
    this.tracks = new SlotTracks(host.numbers);
  }

  /** The source's text; `""` for a pushed one. */
  abstract readonly source: string;
  /** A session has ended by itself. */
  protected abstract onEnded(session: Session, error: Error | undefined): void;
  /** A session feeds less than viewers want now. */
  protected abstract onLacking(): void;
  /** Whether {@linkcode dial} may help while it is not connected. */
  abstract readonly canDial: boolean;
  /** Connects if it is not connected. */
  abstract dial(want: Want, signal?: AbortSignal): Promise<void>;
  /** Somebody came or left. */
  abstract settle(): void;
  /** Ends it for good; resolves when its connection is closed. */
  abstract close(): Promise<void>;

  get state(): SourceState {
    return this.#state;
  }
  get cause(): string | undefined {
    return this.#cause;
  }
  /** The newest changes of state, oldest first. */
  get timeline(): readonly StateChange[] {
    return this.#timeline;
  }
  get producer(): Producer | undefined {
    return this.#producer;
  }
  /** The number of the connection in the JSON. */
  get connectionId(): number {
    return this.#connectionId;
  }
  /** What it gives and takes, while it is connected. */
  get medias(): readonly Media[] | undefined {
    return this.#producer?.medias;
  }
  /** The same medias, each narrowed to the codec that those who use it hold it to. */
  get offered(): readonly Media[] | undefined {
    return this.medias?.map((media) => {
      const codec = media.direction === "recvonly" ? this.#fixedCodecOf(media) : this.#spokenCodecOf(media);
      return codec ? { ...media, codecs: [codec] } : media;
    });
  }
  #fixedCodecOf(media: Media): Codec | undefined {
    const binding = this.tracks.of(media);
    return binding && (binding.users > 0 || this.hasFixedCodecs) ? binding.codec : undefined;
  }
  #spokenCodecOf(media: Media): Codec | undefined {
    const speaker = this.#speakerOf(media);
    return speaker && (speaker.talkerCount > 0 || this.hasFixedCodecs) ? speaker.codec : undefined;
  }
  /** A running connection cannot be started anew to carry something else. */
  protected get hasFixedCodecs(): boolean {
    return false;
  }
  get bindings(): readonly Binding[] {
    return this.tracks.all;
  }
  get speakers(): readonly Speaker[] {
    return this.#speakers;
  }
  get users(): number {
    return this.#users;
  }

  protected setState(state: SourceState, cause?: string): void {
    if (state === this.#state && cause === this.#cause) return;
    const isFault = state === "offline" || state === "refused" || state === "frozen" || state === "no video";
    this.#state = state;
    this.#cause = cause;
    this.#timeline.push({ at: new Date().toISOString(), state, ...(cause === undefined ? {} : { cause }) });
    if (this.#timeline.length > TIMELINE_LENGTH) this.#timeline.shift();
    const { context, name } = this.host;
    const fields = { stream: redactUrls(name), source: redactUrls(this.source), ...(cause ? { cause } : {}) };
    if (isFault) context.log.limited(`${name} ${this.source} ${state}`, "warn", `source is ${state}`, fields);
    else context.log.debug(`source is ${state}`, fields);
    context.emit("source", { ...fields, state });
  }

  /** Takes over a connected producer: its medias feed the tracks that are there. */
  protected install(producer: Producer): void {
    this.#producer = producer;
    this.#connectionId = nextId();
    const { replaced, lost } = this.tracks.bind(producer.medias);
    for (const speaker of this.#speakers) if (speaker.talkerCount === 0) this.#dropSpeaker(speaker);
    for (const speaker of this.#speakers) speaker.media = undefined;
    for (const speaker of this.#speakers) this.#rejoin(speaker, producer.medias);
    for (const { was, is } of replaced) this.host.onReplaced(was, is);
    if (lost.length > 0) this.host.onLost(lost, "the source came back with other codecs");
  }

  #rejoin(speaker: Speaker, medias: readonly Media[]): void {
    speaker.media = medias.find((media) =>
      media.direction === "sendonly" && this.#speakerOf(media) === undefined &&
      media.codecs.some((codec) => isSame(codec, speaker.codec))
    );
  }

  /** Forgets the producer, and answers it. */
  protected uninstall(): Producer | undefined {
    const producer = this.#producer;
    this.#producer = undefined;
    this.tracks.unbind();
    return producer;
  }

  /** Closes a producer that does not run. Whatever it throws, the slot goes on. */
  protected closeProducer(producer: Producer): void {
    try {
      producer.close();
    } catch (error) {
      const fields = { stream: redactUrls(this.host.name), source: redactUrls(this.source) };
      this.host.context.log.warn("cannot close a source", { ...fields, error: redactUrls(messageOf(error)) });
    }
  }

  /** Runs the installed producer. */
  protected run(producer: Producer): Session {
    const session: Session = new Session(producer, {
      trackOf: (media) => this.session === session ? this.tracks.of(media)?.track : undefined,
      speakerOf: (media) => {
        const speaker = this.session === session ? this.#speakerOf(media) : undefined;
        return speaker && (speaker.talkerCount > 0 || this.hasFixedCodecs) ? speaker : undefined;
      },
      onLive: (session) => {
        if (this.session === session) this.onLive();
      },
    }, this.host.context.clock);
    this.session = session;
    this.host.context.watch(this);
    session.ended.then((error) => {
      if (this.session !== session) return;
      this.session = undefined;
      this.host.context.unwatch(this);
      this.onEnded(session, error);
    });
    return session;
  }

  /** Ends the session, if any; resolves when its producer is closed. */
  protected async stopSession(): Promise<void> {
    const { session } = this;
    if (!session) return;
    this.session = undefined;
    this.host.context.unwatch(this);
    await session.stop();
  }

  /** Media flows. */
  protected onLive(): void {
    this.setState("live");
  }

  /** Frees tracks and speakers: nobody uses them. */
  protected clear(): void {
    this.tracks.close();
    for (const speaker of this.#speakers) this.#dropSpeaker(speaker);
  }

  #dropSpeaker(speaker: Speaker): void {
    this.#speakers = this.#speakers.filter((other) => other !== speaker);
    this.host.numbers.free(speaker.track.id);
    speaker.close();
  }

  #speakerOf(media: Media): Speaker | undefined {
    return this.#speakers.find((speaker) => speaker.media === media);
  }

  /** Gives a viewer the track of a media in a codec. */
  claim(media: Media, codec: Codec): Claim | undefined {
    const binding = this.tracks.take(media, codec);
    if (!binding) return undefined;
    binding.users++;
    const release = this.#use(() => this.tracks.release(binding));
    return {
      slot: this,
      id: nextId(),
      isMicrophone: false,
      get track() {
        return binding.track;
      },
      release,
    };
  }

  /** Lets a microphone be heard on a media in a codec. */
  talk(media: Media, codec: Codec, microphone: Track): Claim {
    const speaker = this.speakerFor(media, codec);
    const talker = speaker.add(microphone);
    const release = this.#use(() => speaker.remove(talker));
    return { slot: this, id: talker.id, isMicrophone: true, track: microphone, release };
  }

  /** The speaker of a media in a codec. One of another codec that nobody talks to gives way. */
  protected speakerFor(media: Media, codec: Codec): Speaker {
    const existing = this.#speakerOf(media);
    if (existing && (existing.talkerCount > 0 || isSame(existing.codec, codec))) return existing;
    if (existing) this.#dropSpeaker(existing);
    const speaker = new Speaker(this.host.numbers.take(), media, codec);
    this.#speakers.push(speaker);
    return speaker;
  }

  #use(undo: () => void): () => void {
    this.#users++;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      undo();
      this.#users--;
    };
  }

  /** Starts what viewers claimed, or has it started anew when the running session leaves something out. */
  start(): void {
    const { session } = this;
    if (!session || this.#users === 0) return;
    const lacksTrack = this.tracks.all.some(({ media, track, users }) =>
      users > 0 && media && session.lacksTrack(media, track)
    );
    const lacksSpeaker = this.#speakers.some(({ media, track, talkerCount }) =>
      talkerCount > 0 && media && session.lacksSpeaker(media, track)
    );
    if (lacksTrack || lacksSpeaker) this.onLacking();
  }

  // The newest picture counts, or the newest sound where there are none.
  #fed(): { pictures: readonly Binding[]; newestMs: number | undefined } {
    const fed = this.tracks.all.filter((binding) => binding.media);
    const pictures = fed.filter((binding) => binding.track.kind === "video");
    const watched = pictures.length > 0 ? pictures : fed;
    const newestMs = Math.max(...watched.map((binding) => binding.track.lastArrivalMs));
    return { pictures, newestMs: watched.length > 0 ? newestMs : undefined };
  }

  /** How long a running source has given nothing. */
  protected silentMs(nowMs: number): number {
    const { newestMs } = this.#fed();
    return this.session && newestMs !== undefined ? nowMs - Math.max(newestMs, this.session.startedMs) : 0;
  }

  /** Judges by the arrival of frames whether a running source is live. */
  check(nowMs: number): void {
    const { session } = this;
    if (!session) return;
    const { pictures, newestMs } = this.#fed();
    if (newestMs === undefined) return;
    const isYoung = nowMs - session.startedMs < NO_VIDEO_MS;
    const noun = pictures.length > 0 ? "picture" : "sound";
    if (newestMs < session.startedMs || newestMs === 0) {
      if (!isYoung) this.setState("no video", `no ${noun} came within ${NO_VIDEO_MS / 1000} s of the start`);
    } else if (nowMs - newestMs >= FROZEN_MS) {
      this.setState("frozen", `no ${noun} for ${FROZEN_MS / 1000} s`);
    } else if (pictures.length > 0 && !pictures.some((binding) => binding.track.log.keyframe)) {
      if (!isYoung) this.setState("no video", `no keyframe came within ${NO_VIDEO_MS / 1000} s of the start`);
    } else {
      session.wasLive = true;
      this.onLive();
    }
  }
}
