/** A peer that sends pictures and sound into a stream, and may hear what is said to it. */
import {
  type Codec,
  type ConnectionInfo,
  type Media,
  type Producer,
  type ProducerIo,
  StreamError,
  type Track,
} from "../../core/mod.ts";
import { lineCodec, mediasOfOffer } from "./codecs.ts";
import { Egress } from "./egress.ts";
import { Ingress } from "./ingress.ts";
import type { Offer } from "./offer.ts";
import { BothWays, type PeerMedia } from "./peer_media.ts";
import { type PeerRole, sectionOf } from "./peer_role.ts";
import type { OfferCodec, OfferSdp, OfferSection } from "./sdp.ts";
import { type AcceptedLine, answerDirection } from "./sdp_answer.ts";
import type { PeerSession } from "./session.ts";

/** One direction of a media line, in the codec that we chose. */
interface Line {
  readonly section: OfferSection;
  /** With one codec: a publisher is not asked again. */
  readonly media: Media;
  readonly codec: Codec;
  readonly chosen: OfferCodec;
}

/** What all other outputs can use. Browsers put VP8 first, which few of them take. */
const PREFERRED = ["H264", "H265"];

/** See the file's head. */
export class Publisher implements Producer, PeerRole {
  readonly medias: readonly Media[];
  readonly lines = new Map<number, AcceptedLine>();
  readonly #offer: Offer;
  readonly #lines: readonly Line[];
  readonly #leaving = new AbortController();
  readonly #running = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #ingress: Ingress | undefined;
  #media: PeerMedia | undefined;
  #session: PeerSession | undefined;
  #dismissal: string | undefined;

  private constructor(offer: Offer, sdp: OfferSdp) {
    this.#offer = offer;
    this.#lines = linesOf(sdp);
    this.medias = this.#lines.map(({ media }) => media);
  }

  /** Begins to feed the stream. Rejects in the contract's words. */
  static async enter(offer: Offer, sdp: OfferSdp): Promise<Publisher> {
    const publisher = new Publisher(offer, sdp);
    if (!publisher.medias.some(({ direction }) => direction === "recvonly")) {
      throw new StreamError("BAD_SOURCE", "webrtc: the offer sends no picture or sound in a codec that we know");
    }
    await publisher.#begin();
    return publisher;
  }

  async #begin(): Promise<void> {
    const { target: { stream }, principal, signal } = this.#offer;
    const published = stream.publish(this, principal, this.#leaving.signal).then(
      () => this.#dismiss("the stream takes nothing more"),
      (error) => {
        this.#dismiss(error instanceof Error ? error.message : String(error));
        throw error;
      },
    );
    // Later than this nobody waits for it: the session is told.
    published.catch(() => {});
    const onAbort = () => this.#running.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#running.promise, published]);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #dismiss(reason: string): void {
    this.#dismissal ??= reason;
    this.#session?.close(reason);
  }

  get info(): ConnectionInfo {
    const { formatName, protocol, remoteAddr, userAgent } = this.#offer;
    const session = this.#session;
    return {
      formatName,
      protocol: session?.remoteAddr ? `${protocol}+${session.protocol}` : protocol,
      remoteAddr: session?.remoteAddr ?? remoteAddr,
      userAgent,
      bytesReceived: session?.bytesReceived ?? 0,
      bytesSent: session?.bytesSent ?? 0,
    };
  }

  async run(io: ProducerIo): Promise<void> {
    const received: { line: Line; track: Track }[] = [];
    const sent: { line: Line; track: Track }[] = [];
    for (const line of this.#lines) {
      const { media } = line;
      const track = media.direction === "recvonly" ? io.track(media) : io.speaker(media)?.track;
      if (track) (media.direction === "recvonly" ? received : sent).push({ line, track });
    }
    this.#ingress = new Ingress(
      received.map(({ line: { codec, chosen, section }, track }) => ({
        track,
        codec,
        ...(chosen.rtx === undefined ? {} : { rtx: chosen.rtx }),
        feedback: chosen.feedback,
        sources: section.sources,
      })),
      io.live,
    );
    const egress = sent.length > 0
      ? new Egress({ lines: sent.map(({ line, track }) => ({ track, codec: line.chosen })), start: "live" })
      : undefined;
    this.#media = new BothWays(egress, this.#ingress);
    this.#answer(received.map(({ line }) => line), sent, egress);
    const onAbort = () => this.#ended.resolve();
    io.signal.addEventListener("abort", onAbort, { once: true });
    this.#running.resolve();
    await this.#ended.promise;
    io.signal.removeEventListener("abort", onAbort);
  }

  #answer(received: readonly Line[], sent: readonly { line: Line; track: Track }[], egress: Egress | undefined): void {
    for (const section of new Set([...received, ...sent.map(({ line }) => line)].map(({ section }) => section))) {
      const input = received.find((line) => line.section === section);
      const output = sent.find(({ line }) => line.section === section);
      const source = output && egress!.sourceOf(output.track);
      this.lines.set(section.index, {
        // The peer sends in the first codec.
        codecs: [...new Set([input?.chosen, output?.line.chosen].filter((codec) => codec !== undefined))],
        direction: answerDirection(section.direction, { send: output !== undefined, receive: input !== undefined }),
        ...(source ? { source } : {}),
      });
    }
  }

  get media(): PeerMedia {
    return this.#media!;
  }

  join(session: PeerSession): void {
    if (this.#dismissal !== undefined) throw new StreamError("CLOSED", `webrtc: ${this.#dismissal}`);
    this.#session = session;
  }

  close(): void {
    this.#ended.resolve();
    this.#dismiss("the stream let the publisher go");
  }

  [Symbol.dispose](): void {
    this.#media?.[Symbol.dispose]();
    this.#leaving.abort();
  }
}

function linesOf(sdp: OfferSdp): Line[] {
  return mediasOfOffer(sdp).flatMap((media) => {
    const section = sectionOf(sdp, media);
    const codec = best(media.codecs);
    const chosen = codec && lineCodec(section, codec);
    if (!codec || !chosen) return [];
    const own = { ...codec, payloadType: chosen.payloadType };
    return [{ section, media: { ...media, codecs: [own] }, codec: own, chosen }];
  });
}

function best(codecs: readonly Codec[]): Codec | undefined {
  for (const name of PREFERRED) {
    const found = codecs.find((codec) => codec.name === name);
    if (found) return found;
  }
  return codecs[0];
}
