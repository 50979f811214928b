/** Which codecs an offer asks for, and which of its payload types a track is sent with. */
import { type Codec, codec, fmtpValue, fromHex, type Media, parseH265Sps } from "../../core/mod.ts";
import type { OfferCodec, OfferSdp, OfferSection } from "./sdp.ts";

/**
 * What an offer wants and gives, pictures first: `sendonly` for what the peer is to be sent, `recvonly` for what it
 * sends; a line of both directions is both. The `id` is the line's MID. Lines that were refused, or cannot share our
 * transport, are left out.
 */
export function mediasOfOffer(offer: OfferSdp): Media[] {
  const open = offer.sections.filter(({ isRefused, isBundled, codecs }) =>
    !isRefused && isBundled && codecs.length > 0
  );
  return (["video", "audio"] as const).flatMap((kind) =>
    open.filter((section) => section.kind === kind).flatMap((section): Media[] => {
      const { direction, mid } = section;
      const medias: Media[] = [];
      if (direction === "recvonly" || direction === "sendrecv") {
        medias.push({ kind, direction: "sendonly", codecs: codecsOf(section, true), id: mid });
      }
      if (direction === "sendonly" || direction === "sendrecv") {
        medias.push({ kind, direction: "recvonly", codecs: codecsOf(section, false), id: mid });
      }
      return medias;
    })
  );
}

/** The encodings of a line, each once, in its order: of several forms of one, that which would be chosen first. */
function codecsOf(section: OfferSection, isWish: boolean): Codec[] {
  const found = new Map<string, Codec>();
  for (const { name, clockRate, channels } of section.codecs) {
    const key = `${name} ${clockRate} ${channels}`;
    if (found.has(key)) continue;
    const { payloadType, fmtp } = lineCodec(section, codec(name, { kind: section.kind, clockRate, channels }))!;
    found.set(
      key,
      codec(name, {
        kind: section.kind,
        clockRate,
        // RFC 7587 §7: Opus always says two channels, whatever is inside.
        channels: isWish && name === "OPUS" ? 0 : channels,
        fmtp,
        payloadType,
      }),
    );
  }
  return [...found.values()];
}

/**
 * The encoding of a line that a track of a codec is sent with, or that a peer is to send for it: the same name and rate,
 * and of several the one whose profile fits best. Where no profile fits the nearest is taken, as decoders play more than
 * they say. `undefined`: the line has none of that name.
 */
export function lineCodec(section: OfferSection, wanted: Codec): OfferCodec | undefined {
  let best: OfferCodec | undefined;
  let least = Infinity;
  for (const one of section.codecs) {
    if (!isSame(one, wanted)) continue;
    const distance = distanceTo(one, wanted);
    if (distance >= least) continue;
    best = one;
    least = distance;
  }
  return best;
}

function isSame(one: OfferCodec, { name, clockRate, channels }: Codec): boolean {
  if (one.name !== name) return false;
  if (one.clockRate !== 0 && clockRate !== 0 && one.clockRate !== clockRate) return false;
  return name === "OPUS" || Math.max(1, one.channels) === Math.max(1, channels);
}

function distanceTo(one: OfferCodec, wanted: Codec): number {
  switch (one.name) {
    case "H264":
      return h264Distance(one, wanted);
    case "H265":
      return h265Distance(one, wanted);
    case "VP9":
      return numberOf(one.fmtp, "profile-id", 0) === numberOf(wanted.fmtp, "profile-id", 0) ? 0 : 1;
    case "AV1":
      return numberOf(one.fmtp, "profile", 0) === numberOf(wanted.fmtp, "profile", 0) ? 0 : 1;
    default:
      return 0;
  }
}

function numberOf(fmtp: string, key: string, otherwise: number): number {
  const text = fmtpValue(fmtp, key);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : otherwise;
}

/** A profile that a decoder cannot be expected to play is worse than any that it can. */
const UNFIT = 100;
/** Without fragments (packetization mode 0) no usual picture fits in a packet: taken only where there is nothing else. */
const UNFRAGMENTED = 1000;

function h264Distance(one: OfferCodec, wanted: Codec): number {
  const mode = fmtpValue(one.fmtp, "packetization-mode") === "1" ? 0 : UNFRAGMENTED;
  const has = h264ProfileOf(one.fmtp) ?? { rank: RANK.BASELINE, level: 0 };
  const sps = wanted.parameterSets.find((set) => set.length >= 4 && (set[0]! & 31) === 7);
  const needs = sps ? h264Profile(sps.subarray(1, 4)) : h264ProfileOf(wanted.fmtp);
  if (!needs) return mode;
  const { rank } = needs;
  // Any decoder plays constrained baseline; plain baseline has tools that Main and High do not.
  const fits = rank === RANK.CONSTRAINED_BASELINE || (rank === RANK.BASELINE ? has.rank === rank : has.rank >= rank);
  const level = has.level >= needs.level ? 0 : 0.5;
  return mode + Math.abs(has.rank - rank) + level + (fits ? 0 : UNFIT);
}

const RANK = { CONSTRAINED_BASELINE: 0, BASELINE: 1, MAIN: 2, CONSTRAINED_HIGH: 3, HIGH: 4, OTHER: 5 } as const;

interface H264Profile {
  readonly rank: number;
  readonly level: number;
}

function h264ProfileOf(fmtp: string): H264Profile | undefined {
  const bytes = fromHex(fmtpValue(fmtp, "profile-level-id") ?? "");
  return bytes?.length === 3 ? h264Profile(bytes) : undefined;
}

/** The profile that three bytes of a sequence parameter set stand for (RFC 6184 table 5). */
function h264Profile(bytes: Uint8Array): H264Profile {
  const [profile = 0, constraints = 0, level = 0] = bytes;
  return { rank: h264Rank(profile, constraints), level };
}

function h264Rank(profile: number, constraints: number): number {
  const is0 = (constraints & 0x80) !== 0;
  const is1 = (constraints & 0x40) !== 0;
  switch (profile) {
    case 66:
      return is1 ? RANK.CONSTRAINED_BASELINE : RANK.BASELINE;
    case 88:
      return is0 && is1 ? RANK.CONSTRAINED_BASELINE : RANK.BASELINE;
    case 77:
      return is0 ? RANK.CONSTRAINED_BASELINE : RANK.MAIN;
    case 100:
      return (constraints & 0x0c) === 0x0c ? RANK.CONSTRAINED_HIGH : RANK.HIGH;
    default:
      return RANK.OTHER;
  }
}

function h265Distance(one: OfferCodec, wanted: Codec): number {
  const needs = h265ProfileOf(wanted);
  // RFC 7798 §7.1: without a profile it is Main; RFC 9429's peers send one stream only.
  const mode = (fmtpValue(one.fmtp, "tx-mode") ?? "SRST").toUpperCase() === "SRST" ? 0 : UNFRAGMENTED;
  const has = { profile: numberOf(one.fmtp, "profile-id", 1), level: numberOf(one.fmtp, "level-id", 93) };
  const level = has.level >= needs.level ? 0 : 0.5;
  return mode + level + (has.profile >= needs.profile ? has.profile - needs.profile : UNFIT);
}

function h265ProfileOf({ parameterSets, fmtp }: Codec): { readonly profile: number; readonly level: number } {
  const sps = parameterSets.find((set) => set.length > 2 && (set[0]! >> 1 & 63) === 33);
  try {
    if (sps) {
      const { profileIdc, levelIdc } = parseH265Sps(sps);
      return { profile: profileIdc, level: levelIdc };
    }
  } catch {
    // An odd set plays in many decoders all the same.
  }
  return { profile: numberOf(fmtp, "profile-id", 1), level: numberOf(fmtp, "level-id", 0) };
}
