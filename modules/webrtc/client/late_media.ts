import { rtpPayloadStart, rtpPayloadType, rtpSsrc } from "../../../core/mod.ts";
import type { MediaLink, PeerMedia } from "../peer_media.ts";
import type { OfferCodec, OfferSection } from "../sdp.ts";

/** Packets that are kept until it is known who takes them: a keyframe's and its sound's. */
const MAX_KEPT = 1024;

interface Kept {
  readonly packet: Uint8Array;
  readonly atMs: number;
  readonly isRtcp: boolean;
}

/**
 * Stands in for the media of a session whose tracks are not known yet: viewers are chosen for them only when it is known
 * what the other side really sends. What comes until then is kept.
 */
export class LateMedia implements PeerMedia {
  readonly #kept: Kept[] = [];
  readonly #seen = new Set<number>();
  readonly #names = new Map<number, number>();
  #media: PeerMedia | undefined;
  #link: MediaLink | undefined;
  readonly #waiting: (() => void)[] = [];
  #isPaused = false;
  #isClosed = false;

  /** Hands over to what takes it from now on. Payload types of `names` are another's by another name. */
  become(media: PeerMedia, names: ReadonlyMap<number, number>): void {
    if (this.#isClosed) return media[Symbol.dispose]();
    this.#media = media;
    for (const [from, to] of names) this.#names.set(from, to);
    if (this.#link) media.start(this.#link);
    if (this.#isPaused) media.setPaused(true);
    for (const { packet, atMs, isRtcp } of this.#kept.splice(0)) {
      if (isRtcp) media.onRtcp(packet, atMs);
      else this.onRtp(packet, atMs);
    }
  }

  /** Which codec of a line came first; waits for it until the signal aborts. */
  async firstCodec(section: OfferSection, signal: AbortSignal): Promise<OfferCodec | undefined> {
    const ssrcs = new Set(section.sources.map(({ ssrc }) => ssrc));
    for (;;) {
      const found = this.#kept.find(({ packet, isRtcp }) =>
        !isRtcp && (ssrcs.size === 0 || ssrcs.has(rtpSsrc(packet))) &&
        section.codecs.some(({ payloadType }) => payloadType === rtpPayloadType(packet))
      );
      if (found) return section.codecs.find(({ payloadType }) => payloadType === rtpPayloadType(found.packet));
      if (signal.aborted || this.#isClosed) return undefined;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  start(link: MediaLink): void {
    this.#link = link;
    this.#media?.start(link);
  }

  onRtp(packet: Uint8Array, nowMs: number): void {
    if (!this.#media) return this.#keep(packet, nowMs);
    const name = this.#names.get(packet[1]! & 127);
    if (name !== undefined) packet[1] = (packet[1]! & 128) | name;
    this.#media.onRtp(packet, nowMs);
  }

  #keep(packet: Uint8Array, atMs: number): void {
    if (this.#isClosed || rtpPayloadStart(packet) < 0) return;
    if (this.#kept.length < MAX_KEPT) this.#kept.push({ packet, atMs, isRtcp: false });
    const type = rtpPayloadType(packet);
    if (this.#seen.has(type)) return;
    this.#seen.add(type);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  onRtcp(packet: Uint8Array, nowMs: number): void {
    if (this.#media) this.#media.onRtcp(packet, nowMs);
    else if (this.#kept.length < MAX_KEPT) this.#kept.push({ packet, atMs: nowMs, isRtcp: true });
  }

  onDrained(): void {
    this.#media?.onDrained();
  }

  onPathChanged(): void {
    this.#media?.onPathChanged();
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#media?.setPaused(isPaused);
  }

  stats(): Readonly<Record<string, unknown>> {
    return this.#media?.stats() ?? {};
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#kept.length = 0;
    for (const wake of this.#waiting.splice(0)) wake();
    this.#media?.[Symbol.dispose]();
  }
}
