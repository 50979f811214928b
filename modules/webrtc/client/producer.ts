import {
  type Codec,
  type ConnectionInfo,
  Deadline,
  type Media,
  type Producer,
  type ProducerIo,
  StreamError,
  timeLimit,
  type Track,
} from "../../../core/mod.ts";
import { lineCodec, mediasOfOffer } from "../codecs.ts";
import { Egress } from "../egress.ts";
import { Ingress, type ReceivedLine } from "../ingress.ts";
import { BothWays } from "../peer_media.ts";
import type { OfferSection } from "../sdp.ts";
import type { ClientPeer } from "./peer.ts";
import type { ClientTarget } from "./target.ts";

/** A connection that was made, and how to take leave. */
export interface Connected {
  readonly peer: ClientPeer;
  /** Tells the other side that it is over; never rejects. */
  readonly leave?: () => Promise<void>;
}

/** How long a line whose answer names several codecs may take to show which it is. */
const FIRST_PACKET_MS = 2000;
/** Two checks in a row got no answer (they begin after 3 s). */
const SILENCE_MS = 7000;

/** A WebRTC server or camera that gives media, and takes what is said to it. */
export class WebRtcProducer implements Producer {
  readonly medias: readonly Media[];
  readonly #target: ClientTarget;
  readonly #connected: Connected;
  #hasLeft = false;

  private constructor(target: ClientTarget, connected: Connected, medias: readonly Media[]) {
    this.#target = target;
    this.#connected = connected;
    this.medias = medias;
  }

  /** Learns what a connected peer sends. Rejects with a `StreamError` when that is nothing of ours. */
  static async of(target: ClientTarget, connected: Connected, signal: AbortSignal): Promise<WebRtcProducer> {
    const { peer } = connected;
    const medias = await Promise.all(
      mediasOfOffer(peer.remote).map((media) => actualMedia(peer, media, signal)),
    );
    if (!medias.some(({ direction }) => direction === "recvonly")) {
      throw new StreamError("PROTOCOL", `webrtc: ${target.shown} sends no picture or sound in a codec that we know`);
    }
    return new WebRtcProducer(target, connected, medias);
  }

  get info(): ConnectionInfo {
    const { format, shown, url } = this.#target;
    const { session } = this.#connected.peer;
    const name = format === "whep" || format === "go2rtc" ? "webrtc" : `webrtc/${format}`;
    const signalling = url.protocol.startsWith("ws") ? "ws" : "http";
    return {
      formatName: name,
      protocol: session.remoteAddr ? `${signalling}+${session.protocol}` : signalling,
      url: shown,
      ...(session.remoteAddr ? { remoteAddr: session.remoteAddr } : {}),
      bytesReceived: session.bytesReceived,
      bytesSent: session.bytesSent,
    };
  }

  async run(io: ProducerIo): Promise<void> {
    const { peer } = this.#connected;
    const received: ReceivedLine[] = [];
    const names = new Map<number, number>();
    for (const media of this.medias) {
      const track = media.direction === "recvonly" ? io.track(media) : undefined;
      const section = sectionOf(peer, media);
      const line = track && section && receivedLine(section, track);
      if (!line) continue;
      received.push(line);
      for (const [from, to] of otherNames(section!, line)) names.set(from, to);
    }
    const speaker = this.#speaker(io);
    peer.media.become(new BothWays(speaker, new Ingress(received, () => io.live())), names);
    const onAbort = () => peer[Symbol.dispose]();
    io.signal.addEventListener("abort", onAbort, { once: true });
    if (io.signal.aborted) onAbort();
    using _silence = endWhenSilent(peer);
    const reason = await peer.ended;
    io.signal.removeEventListener("abort", onAbort);
    this.close();
    if (!io.signal.aborted) throw new StreamError("CLOSED", `webrtc: ${this.#target.shown}: ${reason}`);
  }

  #speaker(io: ProducerIo): Egress | undefined {
    const { peer } = this.#connected;
    for (const media of this.medias) {
      const found = media.direction === "sendonly" ? io.speaker(media) : undefined;
      const section = found && sectionOf(peer, media);
      const codec = section && lineCodec(section, found!.codec);
      if (codec) return new Egress({ lines: [{ track: found!.track, codec, source: peer.source }], start: "live" });
    }
    return undefined;
  }

  close(): void {
    this.#connected.peer[Symbol.dispose]();
    if (!this.#hasLeft) this.#connected.leave?.();
    this.#hasLeft = true;
  }
}

// A camera sends all the time, and answers checks when it does not: it is dialled again sooner than a viewer is given up.
function endWhenSilent({ session }: ClientPeer): Disposable {
  let deadline = new Deadline(SILENCE_MS, check);
  function check(): void {
    const silentMs = performance.now() - session.ice.lastHeardMs;
    if (silentMs >= SILENCE_MS) session.close(`nothing came for ${SILENCE_MS / 1000} s`);
    else deadline = new Deadline(SILENCE_MS - silentMs, check);
  }
  return { [Symbol.dispose]: () => deadline[Symbol.dispose]() };
}

function sectionOf(peer: ClientPeer, media: Media): OfferSection | undefined {
  return peer.remote.sections.find(({ mid }) => mid === media.id);
}

/** A media with the one codec that really comes, where its line names several. */
async function actualMedia(peer: ClientPeer, media: Media, signal: AbortSignal): Promise<Media> {
  const section = sectionOf(peer, media);
  if (!section || media.direction !== "recvonly" || media.codecs.length < 2) return media;
  using limit = timeLimit(FIRST_PACKET_MS, () => new Error("No packet came"), signal);
  const first = await peer.media.firstCodec(section, limit.signal);
  const codec = first &&
    media.codecs.find(({ name, clockRate }) => name === first.name && clockRate === first.clockRate);
  return codec ? { ...media, codecs: [codec] } : media;
}

function receivedLine(section: OfferSection, track: Track): ReceivedLine | undefined {
  const chosen = lineCodec(section, track.codec);
  if (!chosen) return undefined;
  const codec: Codec = { ...track.codec, payloadType: chosen.payloadType };
  const { feedback, rtx } = chosen;
  return { track, codec, feedback, sources: section.sources, ...(rtx === undefined ? {} : { rtx }) };
}

// The other side may send in any profile that it named: to us they are one.
function otherNames(section: OfferSection, { codec }: ReceivedLine): [number, number][] {
  return section.codecs
    .filter((one) => one.name === codec.name && one.payloadType !== codec.payloadType)
    .map(({ payloadType }) => [payloadType, codec.payloadType!]);
}
