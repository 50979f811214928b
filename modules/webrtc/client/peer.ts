import { type Accel, messageOf, StreamError } from "../../../core/mod.ts";
import type { Certificate } from "../certificate.ts";
import { type Fingerprint, type OfferSdp, type OfferSection, readOffer } from "../sdp.ts";
import { writeFragment } from "../sdp_fragment.ts";
import { type AnswerSource, dtlsRoleFor, writeAnswer } from "../sdp_answer.ts";
import type { IceServer } from "../options.ts";
import { PeerSession } from "../session.ts";
import { LateMedia } from "./late_media.ts";
import { acceptedLines, codecsOf, type OfferedLine, writeOffer } from "./offer.ts";
import type { SourceTransport } from "./transport.ts";

/** What connections are made of. */
export interface PeerMeans {
  /** The peer's own: it closes it. */
  readonly transport: SourceTransport;
  readonly accel: Accel;
  readonly certificate: Certificate;
}

const UNREACHED = "none of its addresses answers, and it reaches none of ours; " +
  "open its port, or name a TURN server in webrtc.ice_servers";

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
  #isChooser = false;

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
      onConnected: () => {
        // Where the choice of the way is the other side's, it may still come to a relay.
        if (this.#isChooser) means.transport.settle(this.session.ice.selected);
        connected.resolve();
      },
      onClosed: (reason) => {
        const why = this.session.remoteAddr === undefined ? UNREACHED : reason;
        connected.reject(new StreamError("OFFLINE", `webrtc: cannot connect: ${why}`));
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

  /** Has more servers asked for ways to the other side. */
  useServers(servers: readonly IceServer[]): void {
    this.#means.transport.useServers(servers);
  }

  /** Our offer. Complete: all candidates are in it, and more cannot follow. */
  async offer(lines: readonly OfferedLine[], isComplete: boolean): Promise<string> {
    const { transport, certificate } = this.#means;
    await transport.ready();
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

  /** Candidates that our offer lacks, as a piece of it. */
  fragment(candidates: readonly string[]): string {
    const { ufrag, pwd } = this.session.ice;
    return writeFragment({ ufrag, pwd, mid: "0", candidates });
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
    await transport.ready();
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
    this.#isChooser = roles.isAnswerer || isIceLite;
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

  /** Tells the candidates that our description lacks, those that are known at once and those that servers tell later. */
  trickle(tell: (candidate: string) => void): void {
    this.#means.transport.trickle((candidate) => {
      if (this.session.state === "connecting") tell(candidate);
    });
  }

  /** Resolves when all is given back after the end, also what servers gave. */
  get released(): Promise<void> {
    return this.#means.transport.closed;
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
