/** What we offer to servers and cameras, and which of their codecs we take. */
import type { Kind } from "../../../core/mod.ts";
import type { AcceptedLine, AnswerSource } from "../sdp_answer.ts";
import { answerDirection } from "../sdp_answer.ts";
import type { Fingerprint, OfferCodec, OfferSdp } from "../sdp.ts";

/** A line of an offer of ours. */
export interface OfferedLine {
  readonly kind: "video" | "audio";
  readonly direction: "recvonly" | "sendonly";
  /** Codecs that only servers know are offered too. */
  readonly isWide?: boolean;
  /** When we send. */
  readonly source?: AnswerSource;
}

/** An offer. */
export interface OwnOffer {
  readonly lines: readonly OfferedLine[];
  readonly ufrag: string;
  readonly pwd: string;
  readonly fingerprint: Fingerprint;
  /** Lines (`candidate:…`) for the first line. */
  readonly candidates: readonly string[];
  /** Candidates follow one by one. */
  readonly isTrickle: boolean;
}

const VIDEO_FEEDBACK = ["goog-remb", "ccm fir", "nack", "nack pli"];

function offered(payloadType: number, name: string, clockRate: number, fmtp = "", channels = 0): OfferCodec {
  return { payloadType, name, clockRate, channels, fmtp, feedback: clockRate === 90000 ? VIDEO_FEEDBACK : [] };
}

function h264(payloadType: number, profile: string): OfferCodec {
  const fmtp = `level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=${profile}`;
  return offered(payloadType, "H264", 90000, fmtp);
}

/** Contract: webrtc-formats, "Common peer connection behaviour". */
const USUAL: Readonly<Record<"video" | "audio", readonly OfferCodec[]>> = {
  video: [h264(96, "42001f"), h264(97, "42e01f"), h264(98, "640032"), offered(100, "H265", 90000)],
  audio: [
    offered(101, "OPUS", 48000, "minptime=10;useinbandfec=1", 2),
    offered(0, "PCMU", 8000),
    offered(8, "PCMA", 8000),
  ],
};
const WIDE: Readonly<Record<"video" | "audio", readonly OfferCodec[]>> = {
  video: [offered(102, "VP8", 90000), offered(103, "VP9", 90000), offered(104, "AV1", 90000)],
  audio: [offered(9, "G722", 8000)],
};

/** What a line offers. */
export function codecsOf({ kind, isWide }: OfferedLine): readonly OfferCodec[] {
  return isWide ? [...USUAL[kind], ...WIDE[kind]] : USUAL[kind];
}

/** Writes an offer, with `\r\n` behind each line. */
export function writeOffer(offer: OwnOffer): string {
  const [id] = crypto.getRandomValues(new Uint32Array(1));
  const lines = [
    "v=0",
    `o=- ${id} 1 IN IP4 0.0.0.0`,
    "s=-",
    "t=0 0",
    ["a=group:BUNDLE", ...offer.lines.keys()].join(" "),
    "a=extmap-allow-mixed",
    "a=msid-semantic: WMS *",
    ...offer.lines.flatMap((line, index) => mediaLines(offer, line, index)),
  ];
  return lines.join("\r\n") + "\r\n";
}

function mediaLines(offer: OwnOffer, line: OfferedLine, index: number): string[] {
  const codecs = codecsOf(line);
  const candidates = index === 0 ? offer.candidates.map((candidate) => `a=${candidate}`) : [];
  return [
    `m=${line.kind} 9 UDP/TLS/RTP/SAVPF ${codecs.map(({ payloadType }) => payloadType).join(" ")}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    `a=mid:${index}`,
    `a=ice-ufrag:${offer.ufrag}`,
    `a=ice-pwd:${offer.pwd}`,
    ...(offer.isTrickle ? ["a=ice-options:trickle"] : []),
    `a=fingerprint:${offer.fingerprint.algorithm} ${offer.fingerprint.value}`,
    "a=setup:actpass",
    `a=${line.direction}`,
    "a=rtcp-mux",
    "a=rtcp-rsize",
    ...codecs.flatMap(({ payloadType, name, clockRate, channels, fmtp, feedback }) => [
      `a=rtpmap:${payloadType} ${name === "OPUS" ? "opus" : name}/${clockRate}${channels > 1 ? `/${channels}` : ""}`,
      ...(fmtp === "" ? [] : [`a=fmtp:${payloadType} ${fmtp}`]),
      ...feedback.map((one) => `a=rtcp-fb:${payloadType} ${one}`),
    ]),
    ...(line.source
      ? [`a=msid:${line.source.cname} ${line.kind}${index}`, `a=ssrc:${line.source.ssrc} cname:${line.source.cname}`]
      : []),
    ...candidates,
    // Without any there is nothing to end: the other side may find us by our checks.
    ...(candidates.length > 0 && !offer.isTrickle ? ["a=end-of-candidates"] : []),
  ];
}

/** What we take of an offer of the other side: all that it sends in codecs we know, and its speaker if it has one. */
export function acceptedLines(offer: OfferSdp, source: AnswerSource): Map<number, AcceptedLine> {
  const lines = new Map<number, AcceptedLine>();
  for (const { index, kind, direction, isRefused, isBundled, codecs } of offer.sections) {
    const known = codecs.filter(({ name }) => isKnown(kind, name));
    if (isRefused || !isBundled || known.length === 0) continue;
    const answered = answerDirection(direction, { send: kind === "audio", receive: true });
    if (answered === "inactive") continue;
    lines.set(index, {
      codecs: known,
      direction: answered,
      ...(answered.startsWith("send") ? { source } : {}),
    });
  }
  return lines;
}

function isKnown(kind: Kind, name: string): boolean {
  return kind !== "application" && [...USUAL[kind], ...WIDE[kind]].some((codec) => codec.name === name);
}
