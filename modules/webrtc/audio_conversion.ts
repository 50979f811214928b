import {
  type Codec,
  codec,
  decodeL16,
  decodePcma,
  decodePcml,
  decodePcmu,
  encodeL16,
  encodePcma,
  encodePcml,
  encodePcmu,
  type Frame,
  Reader,
  Track,
  Units,
} from "../../core/mod.ts";
import { Resampler } from "./audio_resampler.ts";

/** Sound as plain samples, with what takes it apart and puts it together. */
const FORMS: Readonly<
  Record<string, { decode(bytes: Uint8Array): Int16Array; encode(samples: Int16Array): Uint8Array }>
> = {
  PCMA: { decode: decodePcma, encode: encodePcma },
  PCMU: { decode: decodePcmu, encode: encodePcmu },
  L16: { decode: decodeL16, encode: encodeL16 },
  PCML: { decode: decodePcml, encode: encodePcml },
};
/** Rates beyond these are of no device. */
const RATES = { least: 1000, most: 192_000 } as const;
/** Packets are not made shorter than this. */
const LEAST_MS = 20;
/** Made samples are counted on, so that players see no gap between packets; an error beyond this is a gap. */
const MAX_DRIFT_MS = 20;

/** A form of sound: a codec, or one that an offer names. */
type Form = Pick<Codec, "name" | "clockRate" | "channels">;

/** Whether sound of one form can be made from that of the other. */
export function canConvert(from: Form, to: Form): boolean {
  const isReal = ({ clockRate }: Form) => clockRate >= RATES.least && clockRate <= RATES.most;
  return from.name in FORMS && to.name in FORMS && to.channels <= 1 && isReal(from) && isReal(to);
}

/**
 * What a peer with these codecs can be given, or can be heard by: with G.711 among them, sound as plain samples of any
 * rate is converted (contract §6.6).
 */
export function widenWishes(codecs: readonly Codec[]): Codec[] {
  const hasG711 = codecs.some(({ name, clockRate }) => (name === "PCMA" || name === "PCMU") && clockRate === 8000);
  return hasG711 ? [...codecs, ...Object.keys(FORMS).map((name) => codec(name, { kind: "audio" }))] : [...codecs];
}

/**
 * The codec of a peer's for sound of that form: the same one, or one between which and that form it can be converted,
 * G.711 of the same law first.
 */
export function peerCodecFor<Offered extends Form>(form: Form, offered: readonly Offered[]): Offered | undefined {
  const same = offered.find((one) => isSame(form, one));
  if (same) return same;
  const fits = offered.filter((one) => canConvert(form, one));
  return fits.find(({ name }) => name === form.name) ?? fits.find(({ name }) => name === "PCMA") ?? fits[0];
}

function isSame(a: Form, b: Form): boolean {
  return a.name === b.name && a.clockRate === b.clockRate && Math.max(1, a.channels) === Math.max(1, b.channels);
}

/** A track in another form, as its users see it. */
export interface Converted {
  readonly track: Track;
  readonly codec: Codec;
  /** Gives it back; may be called more than once. */
  release(): void;
}

const conversions = new WeakMap<Track, Map<string, Conversion>>();

/**
 * The sound of a track in another codec, made once for all who ask for the same. Throws `RangeError` when
 * {@linkcode canConvert} says no.
 */
export function convertAudio(source: Track, to: Codec): Converted {
  if (!canConvert(source.codec, to)) {
    throw new RangeError(`Cannot convert sound from "${source.codec.name}" to "${to.name}"`);
  }
  const key = `${to.name} ${to.clockRate}`;
  let all = conversions.get(source);
  if (!all) conversions.set(source, all = new Map());
  let conversion = all.get(key);
  if (!conversion) all.set(key, conversion = new Conversion(source, to));
  conversion.users++;
  const one = conversion;
  let isReleased = false;
  return {
    track: conversion.track,
    codec: to,
    release: () => {
      if (isReleased) return;
      isReleased = true;
      if (--one.users > 0) return;
      all.delete(key);
      one.close();
    },
  };
}

/** A track in a form that a peer with these codecs plays; `undefined`: as it is, or not at all. */
export function audioForBrowser(track: Track, offered: readonly Form[]): Converted | undefined {
  const own = track.kind === "audio" ? peerCodecFor(track.codec, offered) : undefined;
  if (!own || isSame(track.codec, own)) return undefined;
  return convertAudio(track, formCodec(own));
}

/**
 * The microphone of a peer with these codecs, for a camera that takes that codec: the track that the peer feeds, in the
 * first codec that it is to send, and the one that the camera hears. `undefined`: there is no way between them.
 */
export function microphoneFor(
  codec: Codec,
  offered: readonly Form[],
): { readonly fed: Track; readonly heard: Track; release(): void } | undefined {
  const own = peerCodecFor(codec, offered);
  if (!own) return undefined;
  const fed = new Track(0, isSame(codec, own) ? codec : formCodec(own));
  if (isSame(codec, own)) return { fed, heard: fed, release: () => fed.close() };
  const { track, release } = convertAudio(fed, codec);
  return {
    fed,
    heard: track,
    release: () => {
      release();
      fed.close();
    },
  };
}

function formCodec({ name, clockRate, channels }: Form): Codec {
  return codec(name, { kind: "audio", clockRate, channels });
}

/** Reads one track and feeds another with what it makes of that. */
class Conversion {
  readonly track: Track;
  readonly #reader: Reader;
  readonly #decode: (bytes: Uint8Array) => Int16Array;
  readonly #encode: (samples: Int16Array) => Uint8Array;
  readonly #resampler: Resampler;
  readonly #from: number;
  readonly #to: number;
  #held: Int16Array[] = [];
  #heldCount = 0;
  #next = -1;
  users = 0;

  constructor(source: Track, to: Codec) {
    const from = source.codec;
    this.#from = from.clockRate;
    this.#to = to.clockRate;
    this.#decode = FORMS[from.name]!.decode;
    this.#encode = FORMS[to.name]!.encode;
    this.#resampler = new Resampler(this.#from, this.#to, from.channels);
    this.track = new Track(source.id, to);
    this.#reader = new Reader([source], { start: "live", dropsCorrupt: false, wake: () => this.#pump() });
  }

  #pump(): void {
    for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) this.#take(frame);
  }

  #take(frame: Frame): void {
    const begin = Math.round(frame.timestamp * this.#to / this.#from) - this.#heldCount;
    if (this.#next < 0 || Math.abs(begin - this.#next) * 1000 > MAX_DRIFT_MS * this.#to) {
      this.#append(frame.arrivalMs);
      this.#next = Math.round(frame.timestamp * this.#to / this.#from);
    }
    for (const unit of frame.payload.units()) {
      const samples = this.#resampler.push(this.#decode(unit));
      this.#held.push(samples);
      this.#heldCount += samples.length;
    }
    if (this.#heldCount * 1000 >= LEAST_MS * this.#to) this.#append(frame.arrivalMs);
  }

  #append(arrivalMs: number): void {
    if (this.#heldCount === 0) return;
    const samples = new Int16Array(this.#heldCount);
    let at = 0;
    for (const part of this.#held) {
      samples.set(part, at);
      at += part.length;
    }
    this.#held = [];
    this.#heldCount = 0;
    const pts = this.#next;
    this.#next += samples.length;
    this.track.append({
      payload: new Units([this.#encode(samples)]),
      pts,
      isKeyframe: true,
      // All tracks count from one zero: a track that begins at the time of its first frame stays in step with its source.
      arrivalMs: this.track.frames === 0 ? pts * 1000 / this.#to : arrivalMs,
    });
  }

  close(): void {
    this.#reader[Symbol.dispose]();
    this.track.close();
  }
}
