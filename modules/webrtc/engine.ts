/** Answers the offers of peers: brings them into streams, and keeps their sessions until they end. */
import { type Accel, type Logger, redactUrls, StreamError } from "../../core/mod.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { Viewer } from "./consumer.ts";
import { turns } from "./dtls_turns.ts";
import type { Answered, Answering } from "./http.ts";
import type { IceTransport } from "./ice_transport.ts";
import type { Offer } from "./offer.ts";
import type { IceServer, PeerLimits } from "./options.ts";
import type { PeerRole } from "./peer_role.ts";
import { Publisher } from "./producer.ts";
import { type OfferSdp, readOffer } from "./sdp.ts";
import { type SdpFragment, writeFragment } from "./sdp_fragment.ts";
import { dtlsRoleFor, writeAnswer } from "./sdp_answer.ts";
import { PeerSession } from "./session.ts";
import { SessionRelays } from "./session_relays.ts";
import { type Place, Sessions } from "./sessions.ts";

/** What an engine is opened with. */
export interface EngineOptions {
  readonly transport: IceTransport;
  readonly accel: Accel;
  readonly limits: PeerLimits;
  /** Told to peers that ask over HTTP. */
  readonly iceServers: readonly IceServer[];
  readonly log: Logger;
}

/** Where the log sends people whose peer does not connect. */
const HELP = '"Why can\'t I connect" in modules/webrtc/README.md';

/** A session with what signalling needs of it. */
class AnsweredPeer implements Answered {
  readonly session: PeerSession;
  readonly answer: string;
  readonly stream: string;
  readonly #transport: IceTransport;
  readonly #relays: SessionRelays | undefined;
  readonly #mid: string;
  #remoteUfrag: string;

  constructor(
    session: PeerSession,
    answer: string,
    offer: { stream: string; ufrag: string; mid: string },
    { transport, relays }: { transport: IceTransport; relays: SessionRelays | undefined },
  ) {
    this.session = session;
    this.answer = answer;
    this.stream = offer.stream;
    this.#mid = offer.mid;
    this.#remoteUfrag = offer.ufrag;
    this.#transport = transport;
    this.#relays = relays;
  }

  get id(): string {
    return this.session.id;
  }

  get etag(): string {
    return `"${this.session.ice.ufrag}"`;
  }

  addCandidate(text: string): void {
    this.session.ice.addRemoteCandidate(text);
  }

  amend({ credentials, candidates }: SdpFragment): string | undefined {
    const { ice } = this.session;
    const isNew = credentials !== undefined && credentials.ufrag !== this.#remoteUfrag;
    if (isNew) {
      this.#remoteUfrag = credentials.ufrag;
      ice.restart();
      ice.setRemote(credentials);
    }
    for (const candidate of candidates) ice.addRemoteCandidate(candidate);
    if (!isNew) return undefined;
    return writeFragment({ ufrag: ice.ufrag, pwd: ice.pwd, mid: this.#mid, candidates: this.#transport.candidates() });
  }

  onCandidate(tell: (text: string) => void): void {
    for (const text of this.#transport.candidates()) tell(text);
    const tellLate = (text: string) => {
      if (this.session.state === "connecting") tell(text);
    };
    this.#transport.lateCandidates().then((texts) => texts.forEach(tellLate));
    this.#relays?.onCandidate(tellLate);
  }

  close(reason: string): void {
    this.session.close(reason);
  }
}

/** See the file's head. */
export class Engine implements Answering {
  readonly iceServers: readonly IceServer[];
  readonly #options: EngineOptions;
  readonly #certificate: Certificate;
  readonly #sessions: Sessions<AnsweredPeer>;
  readonly #endings = new Set<Promise<void>>();
  #isClosed = false;

  private constructor(options: EngineOptions, certificate: Certificate) {
    this.#options = options;
    this.#certificate = certificate;
    this.iceServers = options.iceServers;
    this.#sessions = new Sessions(options.limits);
  }

  /** Loads what handshakes need. */
  static async open(options: EngineOptions): Promise<Engine> {
    return new Engine(options, await makeCertificate());
  }

  find(id: string): Answered | undefined {
    return this.#sessions.find(id);
  }

  async accept(offer: Offer): Promise<Answered> {
    // First of all: who is too many is not to keep others waiting for their turn.
    const place = this.#sessions.reserve(offer.remoteAddr);
    let sdp: OfferSdp;
    let role: PeerRole | undefined;
    let relays: SessionRelays | undefined;
    let session: PeerSession;
    try {
      await turns.turn();
      sdp = readOffer(offer.sdp);
      role = await enter(offer, sdp);
      relays = this.#relaysFor(offer);
      session = this.#begin(offer, { role, place, relays });
    } catch (error) {
      role?.[Symbol.dispose]();
      if (relays) this.#await(relays.close());
      place[Symbol.dispose]();
      throw error;
    }
    // From here on the session's end is the end of all.
    try {
      connect(session, sdp);
      role.join(session);
      const answer = await this.#answer(offer, sdp, role, session);
      if (session.state === "closed") throw new StreamError("CLOSED", `webrtc: ${session.reason}`);
      if (this.#isClosed) throw new StreamError("CLOSED", "webrtc: the server stops");
      offer.signal.throwIfAborted();
      const [first] = role.lines.keys();
      const mid = sdp.sections[first ?? 0]!.mid;
      const about = { stream: offer.target.stream.name, ufrag: sdp.ufrag, mid };
      const peer = new AnsweredPeer(session, answer, about, { transport: this.#options.transport, relays });
      this.#sessions.add(peer);
      return peer;
    } catch (error) {
      session.close("nobody waits for the answer");
      throw error;
    }
  }

  // Whoever names servers has us connect to them: that is for those who may name sources as well.
  #relaysFor({ iceServers, principal, target: { stream } }: Offer): SessionRelays | undefined {
    if (!iceServers || iceServers.length === 0 || !principal.mayOperate) return undefined;
    const { transport, log } = this.#options;
    const fields = { stream: redactUrls(stream.name) };
    return new SessionRelays(transport, iceServers, (message) => log.limited("relay", "warn", message, fields));
  }

  #begin(
    offer: Offer,
    { role, place, relays }: { role: PeerRole; place: Place; relays: SessionRelays | undefined },
  ): PeerSession {
    const { transport, accel, log } = this.#options;
    const session = new PeerSession({
      transport: relays ?? transport,
      accel,
      certificate: this.#certificate,
      media: role.media,
      onConnected: () => {
        place.connected();
        relays?.onConnected();
        log.debug("peer connected", { ...fieldsOf(offer), path: session.remoteAddr, id: session.shortId });
      },
      onClosed: (reason) => {
        this.#sessions.remove(session.id);
        place[Symbol.dispose]();
        role[Symbol.dispose]();
        if (relays) this.#await(relays.close());
        const isLoss = session.hasFailed && !session.wasConnected && !offer.signal.aborted;
        if (isLoss) log.warn(`Cannot connect to a peer: ${reason}; see ${HELP}`, fieldsOf(offer));
        else log.debug("peer left", { ...fieldsOf(offer), reason, id: session.shortId });
      },
    });
    return session;
  }

  async #answer(offer: Offer, sdp: OfferSdp, role: PeerRole, { ice }: PeerSession): Promise<string> {
    return writeAnswer({
      offer: sdp,
      sessionId: crypto.getRandomValues(new Uint32Array(1))[0]!,
      ufrag: ice.ufrag,
      pwd: ice.pwd,
      isIceLite: ice.isLite,
      isTrickle: offer.isTrickle,
      fingerprint: this.#certificate.fingerprint,
      candidates: offer.isTrickle ? [] : await this.#options.transport.gather(),
      lines: role.lines,
    });
  }

  /** Figures of all sessions, for people. */
  stats(): Readonly<Record<string, unknown>>[] {
    return this.#sessions.all.map(({ stream, session }) => ({ stream: redactUrls(stream), ...session.stats() }));
  }

  #await(ending: Promise<void>): void {
    this.#endings.add(ending);
    ending.then(() => this.#endings.delete(ending));
  }

  /** Ends all sessions, and those that are on their way; resolves when what they had elsewhere is given back. */
  async close(reason: string): Promise<void> {
    this.#isClosed = true;
    this.#sessions.close(reason);
    await Promise.all(this.#endings);
  }
}

function connect(session: PeerSession, sdp: OfferSdp): void {
  session.connect({
    ufrag: sdp.ufrag,
    pwd: sdp.pwd,
    isLite: sdp.isIceLite,
    fingerprint: sdp.fingerprints[0]!,
    isPassive: dtlsRoleFor(sdp) === "client",
  });
  for (const candidate of sdp.candidates) session.ice.addRemoteCandidate(candidate);
}

async function enter(offer: Offer, sdp: OfferSdp): Promise<PeerRole> {
  const { role } = offer.target;
  const isPublisher = role === "publisher" || (role === "either" && onlySends(sdp));
  return await (isPublisher ? Publisher : Viewer).enter(offer, sdp);
}

// Contract §3.9: who wants a picture watches; who only sends one publishes; with sound alone, who wants any watches.
function onlySends({ sections }: OfferSdp): boolean {
  const wants = (kind: string) =>
    sections.some((one) => one.kind === kind && /^(recvonly|sendrecv)$/.test(one.direction));
  const sends = (kind: string) =>
    sections.some((one) => one.kind === kind && /^(sendonly|sendrecv)$/.test(one.direction));
  if (wants("video")) return false;
  return sends("video") || (sends("audio") && !wants("audio"));
}

function fieldsOf({ target, formatName, remoteAddr }: Offer) {
  return { stream: redactUrls(target.stream.name), format: formatName, peer: remoteAddr };
}
