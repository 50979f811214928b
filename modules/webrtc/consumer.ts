/** A peer that watches a stream, and may talk into it. */
import {
  type Attachment,
  type Codec,
  type ConnectionInfo,
  type Consumer,
  type Media,
  type Start,
  StreamError,
  Track,
} from "../../core/mod.ts";
import { audioForBrowser, microphoneFor, widenWishes } from "./audio_conversion.ts";
import { lineCodec, mediasOfOffer } from "./codecs.ts";
import { Egress, type SentLine } from "./egress.ts";
import { Ingress, type ReceivedLine } from "./ingress.ts";
import type { Offer } from "./offer.ts";
import { BothWays, type PeerMedia } from "./peer_media.ts";
import { type PeerRole, sectionOf } from "./peer_role.ts";
import type { OfferCodec, OfferSdp, OfferSection } from "./sdp.ts";
import { type AcceptedLine, answerDirection } from "./sdp_answer.ts";
import type { PeerSession } from "./session.ts";

/** A media line that something is sent on. */
interface Output {
  readonly section: OfferSection;
  readonly codec: OfferCodec;
  /** The stream's track, and the one that is sent: the same unless its sound has to be converted. */
  track: Track;
  sent: Track;
  release: () => void;
}

/** A media line that a microphone comes on. */
interface Input {
  readonly section: OfferSection;
  readonly codec: OfferCodec;
  /** What the peer feeds. */
  readonly track: Track;
  readonly release: () => void;
}

/** See the file's head. */
export class Viewer implements Consumer, PeerRole {
  readonly medias: readonly Media[];
  readonly #offer: Offer;
  readonly #sections: ReadonlyMap<Media, OfferSection>;
  readonly #start: Start;
  readonly #outputs: Output[] = [];
  readonly #inputs: Input[] = [];
  readonly lines = new Map<number, AcceptedLine>();
  #attachment: Attachment | undefined;
  #egress: Egress | undefined;
  #media: PeerMedia | undefined;
  #session: PeerSession | undefined;
  #dismissal: string | undefined;

  private constructor(offer: Offer, sdp: OfferSdp) {
    this.#offer = offer;
    this.#start = offer.start ?? offer.target.stream.start ?? "now";
    this.medias = mediasOfOffer(sdp).map(widened);
    this.#sections = new Map(this.medias.map((media) => [media, sectionOf(sdp, media)]));
  }

  /** Enters the stream with what the peer offers. Rejects in the contract's words. */
  static async enter(offer: Offer, sdp: OfferSdp): Promise<Viewer> {
    const viewer = new Viewer(offer, sdp);
    if (viewer.medias.length === 0) {
      throw new StreamError("BAD_SOURCE", "webrtc: the offer has no line for picture or sound that we could answer");
    }
    try {
      const { stream } = offer.target;
      viewer.#begin(await stream.attach(viewer, offer.principal, offer.signal));
    } catch (error) {
      viewer[Symbol.dispose]();
      throw error;
    }
    return viewer;
  }

  get info(): ConnectionInfo {
    const { formatName, protocol, remoteAddr, userAgent } = this.#offer;
    const session = this.#session;
    const skips = this.#egress?.skips ?? 0;
    return {
      formatName,
      protocol: session?.remoteAddr ? `${protocol}+${session.protocol}` : protocol,
      remoteAddr: session?.remoteAddr ?? remoteAddr,
      userAgent,
      bytesSent: session?.bytesSent ?? 0,
      bytesReceived: session?.bytesReceived ?? 0,
      start: this.#start,
      ...(skips > 0 ? { skips } : {}),
    };
  }

  microphone(media: Media, codec: Codec): Track {
    const section = this.#sections.get(media)!;
    const microphone = microphoneFor(codec, section.codecs);
    const chosen = microphone && lineCodec(section, microphone.fed.codec);
    // An odd form of a codec (Opus in mono): the picture is worth more than a microphone that stays silent.
    if (!microphone || !chosen) return new Track(0, codec);
    const { fed, heard, release } = microphone;
    this.#inputs.push({ section, codec: chosen, track: fed, release });
    return heard;
  }

  #begin(attachment: Attachment): void {
    this.#attachment = attachment;
    for (const { media, track } of attachment.assignments) {
      // A line more than the stream has tracks for: the peer may not get one of them twice.
      if (!this.#outputs.some((output) => output.track === track)) this.#addOutput(this.#sections.get(media)!, track);
    }
    this.#egress = this.#outgoing();
    this.#media = new BothWays(this.#egress, this.#incoming());
    this.#answer();
    attachment.onReplaced = (was, is) => this.#replace(was, is);
  }

  #addOutput(section: OfferSection, track: Track): void {
    const converted = audioForBrowser(track, section.codecs);
    const codec = lineCodec(section, converted?.codec ?? track.codec);
    if (codec) {
      this.#outputs.push({
        section,
        codec,
        track,
        sent: converted?.track ?? track,
        release: converted?.release ?? (() => {}),
      });
    } else converted?.release();
  }

  #outgoing(): Egress | undefined {
    const lines = this.#outputs.map(({ sent, codec, section: { captureTimeId } }): SentLine => ({
      track: sent,
      codec,
      captureTimeId,
    }));
    return lines.length > 0 ? new Egress({ lines, start: this.#start }) : undefined;
  }

  #incoming(): Ingress | undefined {
    const lines = this.#inputs.map(({ section, codec, track }): ReceivedLine => ({
      track,
      codec: { ...track.codec, payloadType: codec.payloadType },
      ...(codec.rtx === undefined ? {} : { rtx: codec.rtx }),
      feedback: codec.feedback,
      sources: section.sources,
    }));
    return lines.length > 0 ? new Ingress(lines) : undefined;
  }

  #answer(): void {
    for (const section of new Set([...this.#outputs, ...this.#inputs].map(({ section }) => section))) {
      const output = this.#outputs.find((one) => one.section === section);
      const input = this.#inputs.find((one) => one.section === section);
      // The peer sends in the first codec.
      const codecs = [input?.codec, output?.codec].filter((codec) => codec !== undefined);
      const source = output && this.#egress!.sourceOf(output.sent);
      this.lines.set(section.index, {
        codecs: [...new Set(codecs)],
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

  #replace(was: Track, is: Track): void {
    const output = this.#outputs.find(({ track }) => track === was);
    if (!output) return;
    const { release, sent } = output;
    const converted = audioForBrowser(is, output.section.codecs);
    output.track = is;
    output.sent = converted?.track ?? is;
    output.release = converted?.release ?? (() => {});
    this.#egress!.replace(sent, output.sent);
    release();
  }

  sent(track: Track): { bytes: number; packets: number; drops: number } {
    const output = this.#outputs.find((one) => one.track === track);
    return output ? this.#egress!.sent(output.sent) : { bytes: 0, packets: 0, drops: 0 };
  }

  close(reason: string): void {
    this.#dismissal = reason;
    this.#session?.close(reason);
  }

  [Symbol.dispose](): void {
    this.#attachment?.detach();
    this.#media?.[Symbol.dispose]();
    for (const { release } of [...this.#outputs, ...this.#inputs]) release();
  }
}

/** With what can be made into what the peer takes, and of what it sends. */
function widened(media: Media): Media {
  return media.kind === "audio" ? { ...media, codecs: widenWishes(media.codecs) } : media;
}
