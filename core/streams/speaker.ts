import type { Codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import { Reader } from "../media/reader.ts";
import { Track } from "../media/track.ts";
import { nextId } from "./ids.ts";

/** Somebody who talks to a camera: the number of the sender in the JSON, and what of the microphone was heard. */
export interface Talker {
  readonly id: number;
  readonly microphone: Track;
  bytes: number;
  packets: number;
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
  readonly #talkers = new Map<Talker, Reader>();
  #heard: Talker | undefined;

  constructor(number: number, media: Media, codec: Codec) {
    this.track = new Track(number, codec);
    this.media = media;
    this.codec = codec;
  }

  get talkerCount(): number {
    return this.#talkers.size;
  }
  /** Those who talk, in the order in which they began. */
  get talkers(): Talker[] {
    return [...this.#talkers.keys()];
  }

  /** Lets a microphone be heard until `remove`; it takes over from those before it. */
  add(microphone: Track): Talker {
    const reader = new Reader([microphone], { start: "live", dropsCorrupt: false });
    const talker: Talker = { id: nextId(), microphone, bytes: 0, packets: 0 };
    reader.wake = () => this.#pass(talker, reader);
    this.#talkers.set(talker, reader);
    this.#hear(talker);
    return talker;
  }

  /** Forgets a talker; the one who began last of the others is heard again. */
  remove(talker: Talker): void {
    const reader = this.#talkers.get(talker);
    if (!reader) return;
    reader[Symbol.dispose]();
    this.#talkers.delete(talker);
    if (this.#heard === talker) this.#hear(this.talkers.at(-1));
  }

  #hear(talker: Talker | undefined): void {
    this.#heard = talker;
    this.track.restart();
  }

  #pass(talker: Talker, reader: Reader): void {
    for (let frame = reader.next(); frame; frame = reader.next()) {
      if (talker !== this.#heard) continue;
      talker.bytes += frame.payload.byteLength;
      talker.packets++;
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
    for (const reader of this.#talkers.values()) reader[Symbol.dispose]();
    this.#talkers.clear();
    this.#heard = undefined;
    this.track.close();
  }
}

/** The talker's codec: its own, with what it left open as the speaker has it. */
export function agreedCodec(speaker: Codec, wanted: Codec): Codec {
  if (wanted.name === "ANY" || wanted.name === "ALL") return speaker;
  return {
    ...wanted,
    clockRate: wanted.clockRate || speaker.clockRate,
    channels: wanted.channels || speaker.channels,
  };
}
