import type { Codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import { Reader } from "../media/reader.ts";
import { Track } from "../media/track.ts";
import { nextId } from "./ids.ts";

/** Somebody who talks to a camera. */
interface Talker {
  readonly id: number;
  readonly microphone: Track;
  readonly reader: Reader;
}

/**
 * A camera's speaker: one track that its producer reads, fed by whoever began to talk last, so that talkers come and go
 * without the connection noticing.
 */
export class Speaker {
  readonly codec: Codec;
  readonly track: Track;
  /** The media of the current connection that it belongs to. */
  media: Media | undefined;
  #talkers: Talker[] = [];

  constructor(number: number, media: Media, codec: Codec) {
    this.track = new Track(number, codec);
    this.media = media;
    this.codec = codec;
  }

  get talkerCount(): number {
    return this.#talkers.length;
  }
  /** The microphones, with the numbers of their senders. */
  get talkers(): readonly { readonly id: number; readonly microphone: Track }[] {
    return this.#talkers;
  }

  /** Lets a microphone be heard until what it answers is called; it takes over from those before it. */
  add(microphone: Track): () => void {
    const reader = new Reader([microphone], { start: "live", dropsCorrupt: false });
    const talker: Talker = { id: nextId(), microphone, reader };
    reader.wake = () => this.#pass(talker);
    this.#talkers.push(talker);
    this.track.restart();
    return () => {
      if (!this.#talkers.includes(talker)) return;
      reader[Symbol.dispose]();
      this.#talkers = this.#talkers.filter((other) => other !== talker);
      this.track.restart();
    };
  }

  #pass(talker: Talker): void {
    const isHeard = this.#talkers.at(-1) === talker;
    for (let frame = talker.reader.next(); frame; frame = talker.reader.next()) {
      if (!isHeard) continue;
      this.track.append({
        payload: frame.payload,
        pts: frame.timestamp,
        isKeyframe: frame.isKeyframe,
        isCorrupt: frame.isCorrupt,
        arrivalMs: frame.arrivalMs,
      });
    }
  }

  close(): void {
    for (const talker of this.#talkers) talker.reader[Symbol.dispose]();
    this.#talkers = [];
    this.track.close();
  }
}
