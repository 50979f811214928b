import type { Codec } from "../media/codec.ts";
import type { Media } from "../media/media.ts";
import { matchMedia } from "../media/media.ts";
import { redactUrls, StreamError } from "../util/errors.ts";

/** One producer slot as negotiation sees it, in config order. */
export interface Offer {
  /** The source's text, for the loop guard. */
  readonly source: string;
  /** What it gives and takes; absent while nobody has dialled it. */
  readonly medias?: readonly Media[];
  /** It cannot be had in this attach. */
  readonly hasFailed?: boolean;
}

/** A media of a consumer answered by a media of a producer. */
export interface Match {
  /** Index of the offer. */
  readonly slot: number;
  /** The producer's media. */
  readonly media: Media;
  /** The consumer's media. */
  readonly wish: Media;
  /** The producer's codec. */
  readonly offered: Codec;
  /** The consumer's codec, maybe a wildcard. */
  readonly wanted: Codec;
}

/** What comes next: a slot must be dialled, or the walk is done. */
export type Step = { readonly dial: number } | { readonly matches: readonly Match[] };

/**
 * Walks the consumer's wishes over the slots (contract §2.3). Pure: the caller dials the slot that is asked for, fills in
 * its medias or its failure, and asks again.
 */
export function negotiate(wishes: readonly Media[], offers: readonly Offer[], loopGuard?: string): Step {
  const found: Match[] = [];
  for (const wish of wishes) {
    const takesAll = wish.codecs.some((codec) => codec.name === "ALL");
    let isAnswered = false;
    for (let slot = 0; slot < offers.length && !isAnswered; slot++) {
      const offer = offers[slot]!;
      if (offer.hasFailed || (loopGuard !== undefined && offer.source === loopGuard)) continue;
      if (!offer.medias) return { dial: slot };
      for (const media of offer.medias) {
        // One media flows in one codec: a second wish shares it in that codec or looks further.
        const taken = found.find((match) => match.media === media);
        const pair = matchMedia(taken ? { ...media, codecs: [taken.offered] } : media, wish);
        if (!pair) continue;
        if (!taken) found.push({ slot, media, wish, ...pair });
        if (takesAll) continue;
        isAnswered = true;
        break;
      }
    }
  }
  return { matches: found };
}

/** The error of an attach that found nothing, in the contract's words (§2.4). */
export function attachError(
  wishes: readonly Media[],
  offers: readonly Offer[],
  failures: readonly Error[],
): StreamError {
  const first = failures[0];
  if (first) {
    const text = joinUnique(failures.map((error) => redactUrls(withoutPrefix(error.message))));
    const codes = new Set(failures.map((error) => error instanceof StreamError ? error.code : "OFFLINE"));
    const code = codes.size === 1 ? [...codes][0]! : "OFFLINE";
    return new StreamError(code, `streams: ${text}`, { cause: first });
  }
  const medias = offers.flatMap((offer) => offer.medias ?? []);
  if (medias.length === 0) return new StreamError("OFFLINE", "streams: unknown error");
  const given = listCodecs(medias.filter((media) => media.direction === "recvonly"));
  const wanted = listCodecs(wishes.filter((media) => media.direction === "sendonly"));
  return new StreamError("NO_COMMON_CODEC", `streams: codecs not matched: ${given} => ${wanted}`);
}

function listCodecs(medias: readonly Media[]): string {
  return joinUnique(medias.flatMap((media) => media.codecs.map((codec) => `${media.kind}:${printName(codec.name)}`)));
}

const PRINT_NAMES: Readonly<Record<string, string>> = { "MPEG4-GENERIC": "AAC", L16: "S16B", PCML: "S16L" };

function printName(name: string): string {
  return PRINT_NAMES[name] ?? name;
}

function joinUnique(texts: readonly string[]): string {
  return [...new Set(texts)].join(", ");
}

function withoutPrefix(text: string): string {
  return text.startsWith("streams: ") ? text.slice("streams: ".length) : text;
}
