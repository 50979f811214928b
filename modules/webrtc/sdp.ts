/** The peer's offer as far as it concerns us (RFC 8866, RFC 9429), read by a parser that forgives. */
import { type Kind, StreamError } from "../../core/mod.ts";

/** What an offer may be; beyond, it is refused, and candidates are left out. */
export const OFFER_LIMIT = { bytes: 64 << 10, sections: 20, candidates: 100, candidateBytes: 512 } as const;

/** Which way a media line flows, seen from who wrote it. */
export type LineDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** One encoding that a media line offers. */
export interface OfferCodec {
  readonly payloadType: number;
  /** Upper case. */
  readonly name: string;
  readonly clockRate: number;
  /** 0 when the line does not say. */
  readonly channels: number;
  readonly fmtp: string;
  /** `nack`, `nack pli`, `ccm fir`, `goog-remb` … */
  readonly feedback: readonly string[];
  /** The payload type of packets sent again (RFC 4588). */
  readonly rtx?: number;
}

/** A stream of packets that the peer announced, and the one with those it sends again. */
export interface OfferSource {
  readonly ssrc: number;
  readonly rtxSsrc?: number;
}

/** One media line of an offer. */
export interface OfferSection {
  /** Its place among the lines, from 0. */
  readonly index: number;
  /** `a=mid`, or its place where there is none. */
  readonly mid: string;
  readonly hasMid: boolean;
  readonly kind: Kind;
  /** The first word of the line, which may be none of ours. */
  readonly media: string;
  readonly protocol: string;
  /** The words behind the protocol. */
  readonly formats: readonly string[];
  /** Port 0 without `a=bundle-only`: the peer does not want it. */
  readonly isRefused: boolean;
  readonly direction: LineDirection;
  /** In the order of the line, without what only helps others (RTX, RED, FEC, comfort noise, key tones). */
  readonly codecs: readonly OfferCodec[];
  readonly sources: readonly OfferSource[];
  readonly hasReducedRtcp: boolean;
  /** The id (1 to 14) of the header extension that tells when a frame was captured, where the peer takes it. */
  readonly captureTimeId?: number;
  /** Whether it can share our one transport with the first line. */
  readonly isBundled: boolean;
}

/** A hash of the peer's certificate. */
export interface Fingerprint {
  /** Lower case, `sha-256`. */
  readonly algorithm: string;
  /** Upper case pairs of digits with colons. */
  readonly value: string;
}

/** An offer. */
export interface OfferSdp {
  readonly ufrag: string;
  readonly pwd: string;
  readonly isIceLite: boolean;
  /** All that were given, best first. */
  readonly fingerprints: readonly Fingerprint[];
  readonly setup: "actpass" | "active" | "passive";
  /** Candidate lines (`candidate:…`) of all media lines, each once. */
  readonly candidates: readonly string[];
  readonly hasBundle: boolean;
  readonly sections: readonly OfferSection[];
}

/** The attributes of one media line, or of the session. */
class Lines {
  readonly #values = new Map<string, string[]>();

  add(text: string): void {
    const cut = text.indexOf(":");
    const key = (cut < 0 ? text : text.slice(0, cut)).trim().toLowerCase();
    const value = cut < 0 ? "" : text.slice(cut + 1).trim();
    const values = this.#values.get(key);
    if (values) values.push(value);
    else this.#values.set(key, [value]);
  }
  has(key: string): boolean {
    return this.#values.has(key);
  }
  first(key: string): string | undefined {
    return this.#values.get(key)?.[0];
  }
  all(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }
}

interface RawSection {
  readonly words: readonly string[];
  readonly lines: Lines;
}

/**
 * Reads an offer. Unknown lines are passed over. Throws a `StreamError` (`BAD_SOURCE`) that says what is missing when there
 * is nothing to connect to.
 */
export function readOffer(text: string): OfferSdp {
  if (text.length > OFFER_LIMIT.bytes) throw unreadable(`it is longer than ${OFFER_LIMIT.bytes >> 10} KB`);
  const session = new Lines();
  const raw: RawSection[] = [];
  for (const line of text.split(/[\r\n]+/)) {
    const value = line.slice(2).trim();
    if (line.startsWith("m=")) {
      if (raw.length === OFFER_LIMIT.sections) throw unreadable(`it has more than ${OFFER_LIMIT.sections} media lines`);
      raw.push({ words: value.split(/\s+/), lines: new Lines() });
    } else if (line.startsWith("a=")) {
      (raw.at(-1)?.lines ?? session).add(value);
    }
  }
  if (raw.length === 0) throw unreadable("it has no media line");
  const bundle = bundleOf(session);
  const lead = raw.find(({ words, lines }) => isWanted(words, lines)) ?? raw[0]!;
  const find = (key: string) => lead.lines.first(key) ?? session.first(key);
  const ufrag = find("ice-ufrag");
  const pwd = find("ice-pwd");
  if (!isIceText(ufrag, 4) || !isIceText(pwd, 22)) throw unreadable("a=ice-ufrag or a=ice-pwd is missing or malformed");
  const fingerprints = readFingerprints([...lead.lines.all("fingerprint"), ...session.all("fingerprint")]);
  if (fingerprints.length === 0) throw unreadable("it has no a=fingerprint, and only DTLS-SRTP is spoken here");
  const setup = find("setup")?.toLowerCase();
  return {
    ufrag,
    pwd,
    isIceLite: session.has("ice-lite") || lead.lines.has("ice-lite"),
    fingerprints,
    setup: setup === "active" || setup === "passive" ? setup : "actpass",
    candidates: readCandidates([session, ...raw.map(({ lines }) => lines)]),
    hasBundle: bundle.size > 0,
    sections: raw.map((section, index) => toSection(section, index, { session, bundle, lead, ufrag })),
  };
}

function unreadable(why: string): StreamError {
  return new StreamError("BAD_SOURCE", `webrtc: cannot use the offer: ${why}`);
}

// RFC 8839 §5.4: up to 256 characters; all of ASCII is taken, since some clients use others than they may.
function isIceText(text: string | undefined, minLength: number): text is string {
  return text !== undefined && text.length >= minLength && /^[!-~]{4,256}$/.test(text);
}

function bundleOf(session: Lines): ReadonlySet<string> {
  const group = session.all("group").find((value) => /^BUNDLE\s/i.test(value));
  return new Set(group?.split(/\s+/).slice(1));
}

const STRENGTH = ["sha-256", "sha-384", "sha-512", "sha-1"];

function readFingerprints(values: readonly string[]): Fingerprint[] {
  const found: Fingerprint[] = [];
  for (const value of values) {
    const match = /^(\S+)\s+((?:[0-9a-f]{2}:){15,63}[0-9a-f]{2})$/i.exec(value);
    if (match) found.push({ algorithm: match[1]!.toLowerCase(), value: match[2]!.toUpperCase() });
  }
  const rank = ({ algorithm }: Fingerprint) => STRENGTH.indexOf(algorithm) >>> 0;
  return found.sort((a, b) => rank(a) - rank(b));
}

function readCandidates(all: readonly Lines[]): string[] {
  const found = new Set<string>();
  for (const lines of all) {
    for (const value of lines.all("candidate")) {
      if (value.length > OFFER_LIMIT.candidateBytes) continue;
      if (found.size >= OFFER_LIMIT.candidates) return [...found];
      found.add(`candidate:${value}`);
    }
  }
  return [...found];
}

function isWanted(words: readonly string[], lines: Lines): boolean {
  return Number(words[1]?.split("/")[0]) > 0 || lines.has("bundle-only");
}

function toSection(
  { words, lines }: RawSection,
  index: number,
  about: {
    readonly session: Lines;
    readonly bundle: ReadonlySet<string>;
    readonly lead: RawSection;
    readonly ufrag: string;
  },
): OfferSection {
  const [media = "", , protocol = "", ...formats] = words;
  const kind: Kind = media === "video" || media === "audio" ? media : "application";
  const mid = lines.first("mid");
  const { bundle } = about;
  const captureTimeId = captureTimeIdOf(lines);
  return {
    index,
    mid: mid ?? String(index),
    hasMid: mid !== undefined,
    kind,
    media,
    protocol,
    formats,
    isRefused: !isWanted(words, lines),
    direction: directionOf(lines) ?? directionOf(about.session) ?? "sendrecv",
    codecs: kind === "application" || !/RTP/i.test(protocol) ? [] : readCodecs(formats, lines),
    sources: readSources(lines),
    hasReducedRtcp: lines.has("rtcp-rsize"),
    ...(captureTimeId === undefined ? {} : { captureTimeId }),
    // Without a group, lines with one set of credentials are one transport's all the same.
    isBundled: lines === about.lead.lines ||
      (bundle.size > 0
        ? mid !== undefined && bundle.has(mid)
        : (lines.first("ice-ufrag") ?? about.ufrag) === about.ufrag),
  };
}

/** The header extension for the time of capture. */
export const CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

// Ids from 15 on would need extensions with two-byte heads.
function captureTimeIdOf(lines: Lines): number | undefined {
  for (const value of lines.all("extmap")) {
    const match = /^(\d+)(?:\/\w+)?\s+(\S+)/.exec(value);
    if (match?.[2] === CAPTURE_TIME && Number(match[1]) >= 1 && Number(match[1]) <= 14) return Number(match[1]);
  }
  return undefined;
}

const DIRECTIONS = ["sendonly", "recvonly", "inactive", "sendrecv"] as const;

function directionOf(lines: Lines): LineDirection | undefined {
  return DIRECTIONS.find((direction) => lines.has(direction));
}

const HIDDEN = new Set(["RTX", "RED", "ULPFEC", "FLEXFEC", "FLEXFEC-03", "CN", "TELEPHONE-EVENT"]);
/** Payload types whose meaning is fixed (RFC 3551 §6). */
const STATIC_TYPES: Readonly<Record<number, string>> = { 0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000" };

function readCodecs(formats: readonly string[], lines: Lines): OfferCodec[] {
  const types = new Set(formats.filter((format) => /^\d{1,3}$/.test(format)).map(Number).filter((type) => type < 128));
  const rtpmap = byType(lines.all("rtpmap"));
  const fmtp = byType(lines.all("fmtp"));
  const feedback = byType(lines.all("rtcp-fb"));
  const toAll = lines.all("rtcp-fb").filter((value) => value.startsWith("*")).map((value) => tidy(value.slice(1)));
  const rtx = new Map<number, number>();
  const codecs: OfferCodec[] = [];
  for (const payloadType of types) {
    const [rawName = "", rate = "", channels = ""] = (rtpmap.get(payloadType)?.[0] ?? STATIC_TYPES[payloadType] ?? "")
      .split("/").map((part) => part.trim());
    const name = rawName.toUpperCase();
    const parameters = fmtp.get(payloadType)?.[0] ?? "";
    if (name === "RTX") {
      const apt = Number(/(?:^|;)\s*apt=(\d+)/i.exec(parameters)?.[1] ?? -1);
      if (types.has(apt) && !rtx.has(apt)) rtx.set(apt, payloadType);
    }
    if (name === "" || HIDDEN.has(name)) continue;
    codecs.push({
      payloadType,
      name,
      clockRate: Math.min(0xffffffff, Number.parseInt(rate, 10) || 0),
      channels: Math.min(255, Number.parseInt(channels, 10) || 0),
      fmtp: parameters,
      feedback: [...new Set([...(feedback.get(payloadType) ?? []).map(tidy), ...toAll])],
    });
  }
  return codecs.map((codec) => {
    const type = rtx.get(codec.payloadType);
    return type === undefined ? codec : { ...codec, rtx: type };
  });
}

function tidy(value: string): string {
  return value.trim().toLowerCase().replace(/\s+/g, " ");
}

/** The values of an attribute by the payload type that they begin with. */
function byType(values: readonly string[]): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const value of values) {
    const match = /^(\d{1,3})\s+(.*)$/.exec(value);
    if (!match) continue;
    const type = Number(match[1]);
    const known = found.get(type);
    if (known) known.push(match[2]!.trim());
    else found.set(type, [match[2]!.trim()]);
  }
  return found;
}

function readSources(lines: Lines): OfferSource[] {
  const rtx = new Map<number, number>();
  for (const group of lines.all("ssrc-group")) {
    const [semantics, main, again] = group.split(/\s+/);
    if (semantics === "FID" && isSsrc(main) && isSsrc(again)) rtx.set(Number(main), Number(again));
  }
  const again = new Set(rtx.values());
  const found = new Set<number>();
  for (const value of lines.all("ssrc")) {
    const ssrc = value.split(/\s/)[0];
    if (isSsrc(ssrc) && !again.has(Number(ssrc))) found.add(Number(ssrc));
  }
  return [...found].map((ssrc) => {
    const rtxSsrc = rtx.get(ssrc);
    return rtxSsrc === undefined ? { ssrc } : { ssrc, rtxSsrc };
  });
}

function isSsrc(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= 0xffffffff;
}
