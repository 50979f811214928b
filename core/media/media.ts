import type { Codec, Kind } from "./codec.ts";
import { matches } from "./codec.ts";

/** Seen from its owner: a camera's picture is `recvonly` on its producer, its speaker `sendonly`. */
export type Direction = "sendonly" | "recvonly";

/** One line of an offer: a kind, a direction, and the codecs that its owner can give or take, best first. */
export interface Media {
  readonly kind: Kind;
  readonly direction: Direction;
  readonly codecs: readonly Codec[];
  /** The owner's own name for the line (SDP control, MID). */
  readonly id?: string;
}

/** The contract's text of a media: `video, recvonly, H264` or `audio, sendonly, PCMU/8000`. */
export function describeMedia(media: Media): string {
  const parts: string[] = [media.kind, media.direction];
  for (const codec of media.codecs) {
    const text = describeCodec(codec);
    if (!parts.slice(2).includes(text)) parts.push(text);
  }
  return parts.join(", ");
}

/** The contract's text of a codec: `OPUS/48000/2`; the rate is left out when 0 or 90000, the channels when 0. */
export function describeCodec(codec: Codec): string {
  let text = codec.name;
  if (codec.clockRate !== 0 && codec.clockRate !== 90000) text += `/${codec.clockRate}`;
  if (codec.channels > 0) text += `/${codec.channels}`;
  return text;
}

/** The first pair of codecs that fits; the offering side's order decides. */
export function matchMedia(offer: Media, wish: Media): { offered: Codec; wanted: Codec } | undefined {
  if (offer.kind !== wish.kind || offer.direction === wish.direction) return undefined;
  for (const offered of offer.codecs) {
    for (const wanted of wish.codecs) {
      if (matches(offered, wanted)) return { offered, wanted };
    }
  }
  return undefined;
}
