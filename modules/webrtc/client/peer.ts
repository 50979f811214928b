import { type Accel, messageOf, StreamError } from "../../../core/mod.ts";
import type { Certificate } from "../certificate.ts";
import type { IceTransport } from "../ice_transport.ts";
import { type Fingerprint, type OfferSdp, type OfferSection, readOffer } from "../sdp.ts";
import { type AnswerSource, dtlsRoleFor, writeAnswer } from "../sdp_answer.ts";
import { PeerSession } from "../session.ts";
import { LateMedia } from "./late_media.ts";
import { acceptedLines, codecsOf, type OfferedLine, writeOffer } from "./offer.ts";

/** What connections are made of. */
export interface PeerMeans {
  /** The peer's own: it closes it. */
  readonly transport: IceTransport;
  readonly accel: Accel;
  readonly certificate: Certificate;
}

/** The other end of a source: the description of both sides, and the session that comes of it. */
export class ClientPeer implements Disposable {
  readonly media = new LateMedia();
  /** Rejects when it cannot be reached or is not who it says. */
  readonly connected: Promise<void>;
  /** Why it ended; after the connection only. */
  readonly ended: Promise<string>;
  readonly session: PeerSession;
  readonly #means: PeerMeans;
  readonly #source: AnswerSource;
  // Candidates that came before the description.
  #early: string[] = [];
  #remote: OfferSdp | undefined;

  constructor(means: PeerMeans) {
    const connected = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<string>();
    this.#means = means;
    this.connected = connected.promise;
    // Who has given up waiting is told by `ended`.
    this.connected.catch(() => {});
    this.ended = ended.promise;
    this.session = new PeerSession({
      ...means,
      media: this.media,
      onConnected: () => connected.resolve(),
      onClosed: (reason) => {
        connected.reject(new StreamError("OFFLINE", `webrtc: cannot connect: ${reason}`));
        ended.resolve(reason);
      },
    });
    const [ssrc] = crypto.getRandomValues(new Uint32Array(1));
    this.#source = { ssrc: ssrc!, cname: `lenswire-${ssrc!.toString(36)}` };
  }

  /** The other side's description. Throws before it was taken. */
  get remote(): OfferSdp {
    if (!this.#remote) throw new StreamError("PROTOCOL", "webrtc: the source has not described itself");
    return this.#remote;
  }
  /** What we send for a speaker. */
  get source(): AnswerSource {
    return this.#source;
  }

  /** Our offer. Complete: all candidates are in it, and more cannot follow. */
  async offer(lines: readonly OfferedLine[], isComplete: boolean): Promise<string> {
    const { transport, certificate } = this.#means;
    const { ufrag, pwd } = this.session.ice;
    return writeOffer({
      lines: lines.map((line) => line.direction === "sendonly" ? { ...line, source: this.#source } : line),
      ufrag,
      pwd,
      fingerprint: certificate.fingerprint,
      candidates: isComplete ? await transport.gather() : [],
      isTrickle: !isComplete,
    });
  }

  /** Takes the answer to our offer of these lines. */
  takeAnswer(text: string, lines: readonly OfferedLine[]): void {
    const answer = readDescription(text, "answer");
    // A payload type that the answer does not explain is that of the offer (RFC 3264 §6.1).
    const sections = answer.sections.map((section, i): OfferSection => {
      const own = lines[i] ? codecsOf(lines[i]) : [];
      const isNamed = section.codecs.length > 0 || section.isRefused;
      return isNamed ? section : {
        ...section,
        codecs: own.filter(({ payloadType }) => section.formats.includes(String(payloadType))),
      };
    });
    this.#connect({ ...answer, sections }, { isAnswerer: true, isPassive: answer.setup === "passive" });
  }

  /** Takes an offer of the other side; answers our answer to it. */
  async takeOffer(text: string, isComplete: boolean): Promise<string> {
    const { transport, certificate } = this.#means;
    const offer = readDescription(text, "offer");
    const { ufrag, pwd } = this.session.ice;
    const answer = writeAnswer({
      offer,
      sessionId: this.#source.ssrc,
      ufrag,
      pwd,
      isIceLite: false,
      isTrickle: !isComplete,
      fingerprint: certificate.fingerprint,
      candidates: isComplete ? await transport.gather() : [],
      lines: acceptedLines(offer, this.#source),
    });
    this.#connect(offer, { isAnswerer: false, isPassive: dtlsRoleFor(offer) === "client" });
    return answer;
  }

  #connect(remote: OfferSdp, roles: { isAnswerer: boolean; isPassive: boolean }): void {
    const { ufrag, pwd, isIceLite, fingerprints } = remote;
    this.#remote = remote;
    this.session.connect({ ufrag, pwd, isLite: isIceLite, fingerprint: fingerprints[0] as Fingerprint, ...roles });
    for (const candidate of [...remote.candidates, ...this.#early]) this.session.ice.addRemoteCandidate(candidate);
    this.#early = [];
  }

  /** Takes a candidate of the other side, with or without `a=`; an empty one says that there are no more. */
  addCandidate(text: string): void {
    if (text === "") return;
    if (this.#remote) this.session.ice.addRemoteCandidate(text);
    else if (this.#early.length < 100) this.#early.push(text);
  }

  /** Tells our candidates, those that are known at once and those that a STUN server tells later. */
  trickle(tell: (candidate: string) => void): void {
    const { transport } = this.#means;
    for (const candidate of transport.candidates()) tell(candidate);
    transport.lateCandidates().then((candidates) => {
      if (this.session.state === "connecting") { for (const candidate of candidates) tell(candidate); }
    });
  }

  [Symbol.dispose](): void {
    this.session.close("it is not needed any more");
    this.media[Symbol.dispose]();
    this.#means.transport[Symbol.dispose]();
  }
}

function readDescription(text: string, what: "offer" | "answer"): OfferSdp {
  try {
    return readOffer(text);
  } catch (error) {
    const why = messageOf(error).replace(/^webrtc: cannot use the offer: /, "");
    throw new StreamError("PROTOCOL", `webrtc: cannot use the ${what} of the source: ${why}`);
  }
}
