/** What we answer to an offer. */
import {
  CAPTURE_TIME,
  type Fingerprint,
  type LineDirection,
  type OfferCodec,
  type OfferSdp,
  type OfferSection,
} from "./sdp.ts";

/** The stream of packets that we will send for a media line. */
export interface AnswerSource {
  readonly ssrc: number;
  /** For packets sent again, where the codec has a payload type for them. */
  readonly rtxSsrc?: number;
  /** Lines with the same name are played in step. */
  readonly cname: string;
}

/** A media line that we take. */
export interface AcceptedLine {
  /** What may be sent either way; the peer sends in the first. */
  readonly codecs: readonly OfferCodec[];
  /** Ours, see {@linkcode answerDirection}. */
  readonly direction: LineDirection;
  /** When we send. */
  readonly source?: AnswerSource;
}

/** An answer. */
export interface AnswerSdp {
  readonly offer: OfferSdp;
  /** A number for the origin line, the same for all answers of a session. */
  readonly sessionId: number;
  /** Counts up with each answer of a session. */
  readonly version?: number;
  readonly ufrag: string;
  readonly pwd: string;
  /** No checks are sent by us. */
  readonly isIceLite: boolean;
  /** Candidates follow one by one. */
  readonly isTrickle: boolean;
  readonly fingerprint: Fingerprint;
  /** Lines (`candidate:…`) for the first line that we take. */
  readonly candidates: readonly string[];
  /** By the place of the line in the offer; on the others nothing flows. */
  readonly lines: ReadonlyMap<number, AcceptedLine>;
}

/** Our part of the DTLS handshake: we wait for the peer's first message unless it waits for ours. */
export function dtlsRoleFor({ setup }: OfferSdp): "server" | "client" {
  return setup === "passive" ? "client" : "server";
}

/** The direction of an answer: what we do of what the peer wants. */
export function answerDirection(
  offered: LineDirection,
  we: { readonly send: boolean; readonly receive: boolean },
): LineDirection {
  const sends = we.send && (offered === "sendrecv" || offered === "recvonly");
  const receives = we.receive && (offered === "sendrecv" || offered === "sendonly");
  return sends ? receives ? "sendrecv" : "sendonly" : receives ? "recvonly" : "inactive";
}

/** Writes an answer, with `\r\n` behind each line. */
export function writeAnswer(answer: AnswerSdp): string {
  const { offer } = answer;
  const lead = offer.sections.find(({ isBundled, isRefused }) => isBundled && !isRefused);
  const textOf = (section: OfferSection) => {
    const line = answer.lines.get(section.index) ?? idleLine(section);
    if (line) return acceptedLine(answer, section, line);
    return section === lead && isDataChannel(section) ? dataLine(answer, section) : undefined;
  };
  const texts = offer.sections.map(textOf);
  const taken = offer.sections.filter(({ index }) => texts[index] !== undefined);
  const lines = ["v=0", `o=- ${answer.sessionId} ${answer.version ?? 1} IN IP4 0.0.0.0`, "s=-", "t=0 0"];
  // libwebrtc reads it here only.
  if (answer.isIceLite) lines.push("a=ice-lite");
  if (offer.hasBundle) lines.push(["a=group:BUNDLE", ...taken.map(({ mid }) => mid)].join(" "));
  lines.push("a=msid-semantic: WMS *");
  for (const section of offer.sections) {
    lines.push(...texts[section.index] ?? refusedLine(section));
    if (section === taken[0]) lines.push(...candidateLines(answer));
  }
  return lines.join("\r\n") + "\r\n";
}

// Browsers fail when the first line of a bundle is refused: what nothing flows on stays open (contract §6.5).
function idleLine({ codecs, isBundled, isRefused }: OfferSection): AcceptedLine | undefined {
  return isBundled && !isRefused && codecs.length > 0 ? { codecs, direction: "inactive" } : undefined;
}

// Nor may a data channel be refused that is the first line, though nobody here opens one.
function isDataChannel({ protocol, formats }: OfferSection): boolean {
  return /DTLS\/SCTP$/.test(protocol) && formats[0] === "webrtc-datachannel";
}

function dataLine(answer: AnswerSdp, section: OfferSection): string[] {
  const { media, protocol, formats } = section;
  return [
    `m=${media} 9 ${protocol} ${formats[0]}`,
    "c=IN IP4 0.0.0.0",
    ...transportLines(answer, section),
    "a=sctp-port:5000",
  ];
}

function refusedLine(section: OfferSection): string[] {
  const { media, protocol, formats, mid, hasMid } = section;
  return [
    `m=${media} 0 ${protocol} ${formats.length > 0 ? formats.join(" ") : "0"}`,
    "c=IN IP4 0.0.0.0",
    ...(hasMid ? [`a=mid:${mid}`] : []),
    "a=inactive",
  ];
}

function candidateLines({ candidates, isTrickle }: AnswerSdp): string[] {
  return [...candidates.map((candidate) => `a=${candidate}`), ...(isTrickle ? [] : ["a=end-of-candidates"])];
}

function acceptedLine(answer: AnswerSdp, section: OfferSection, { codecs, direction, source }: AcceptedLine): string[] {
  const { media, protocol } = section;
  const types = codecs.flatMap(({ payloadType, rtx }) => rtx === undefined ? [payloadType] : [payloadType, rtx]);
  return [
    `m=${media} 9 ${protocol} ${types.join(" ")}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transportLines(answer, section),
    `a=${direction}`,
    "a=rtcp-mux",
    ...(section.hasReducedRtcp ? ["a=rtcp-rsize"] : []),
    ...codecs.flatMap((codec) => codecLines(codec, direction)),
    ...(source && direction.startsWith("send")
      ? [...captureTimeLines(section), ...sourceLines(source, section, codecs)]
      : []),
  ];
}

function transportLines(answer: AnswerSdp, { mid, hasMid }: OfferSection): string[] {
  const { fingerprint, ufrag, pwd, offer } = answer;
  return [
    ...(hasMid ? [`a=mid:${mid}`] : []),
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    ...(answer.isTrickle ? ["a=ice-options:trickle"] : []),
    `a=fingerprint:${fingerprint.algorithm} ${fingerprint.value}`,
    `a=setup:${dtlsRoleFor(offer) === "server" ? "passive" : "active"}`,
  ];
}

/**
 * The feedback that we act on. The peer's REMB is of no use to us, ours is to it; `transport-cc` would cost a packet each
 * 50 ms and viewer.
 */
function isUseful(feedback: string, direction: LineDirection): boolean {
  if (feedback === "goog-remb") return direction === "recvonly" || direction === "sendrecv";
  return feedback === "nack" || feedback === "nack pli" || feedback === "ccm fir";
}

function codecLines(codec: OfferCodec, direction: LineDirection): string[] {
  const { payloadType, name, clockRate, channels, fmtp, feedback, rtx } = codec;
  return [
    `a=rtpmap:${payloadType} ${PRINT_NAMES[name] ?? name}/${clockRate}${channels > 1 ? `/${channels}` : ""}`,
    ...feedback.filter((one) => isUseful(one, direction)).map((one) => `a=rtcp-fb:${payloadType} ${one}`),
    ...(fmtp === "" ? [] : [`a=fmtp:${payloadType} ${fmtp}`]),
    ...(rtx === undefined ? [] : [`a=rtpmap:${rtx} rtx/${clockRate}`, `a=fmtp:${rtx} apt=${payloadType}`]),
  ];
}

const PRINT_NAMES: Readonly<Record<string, string>> = { OPUS: "opus" };

function captureTimeLines({ captureTimeId, direction }: OfferSection): string[] {
  if (captureTimeId === undefined) return [];
  const way = direction === "sendrecv" ? "/sendonly" : "";
  return [`a=extmap:${captureTimeId}${way} ${CAPTURE_TIME}`];
}

function sourceLines({ ssrc, rtxSsrc, cname }: AnswerSource, section: OfferSection, codecs: readonly OfferCodec[]) {
  const msid = `${cname} ${section.kind}${section.index}`;
  const hasRtx = rtxSsrc !== undefined && codecs.some(({ rtx }) => rtx !== undefined);
  const ssrcs = hasRtx ? [ssrc, rtxSsrc] : [ssrc];
  return [
    `a=msid:${msid}`,
    ...(hasRtx ? [`a=ssrc-group:FID ${ssrc} ${rtxSsrc}`] : []),
    ...ssrcs.flatMap((one) => [`a=ssrc:${one} cname:${cname}`, `a=ssrc:${one} msid:${msid}`]),
  ];
}
