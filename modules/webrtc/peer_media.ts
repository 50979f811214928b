import type { SrtpSender } from "../../core/mod.ts";

/** What media is sent over once its peer has proven itself. */
export interface MediaLink {
  readonly srtp: SrtpSender;
  /** Sends encrypted packets, which begin at `offsets`; answers how many were taken. The bytes must not change any more. */
  sendBatch(bytes: Uint8Array, offsets: readonly number[]): number;
  /** Encrypts and sends a compound RTCP packet. */
  sendRtcp(packet: Uint8Array): void;
  /** Bytes that the system has not taken yet. */
  readonly bytesInFlight: number;
  readonly protocol: "udp" | "tcp";
}

/** What a session carries: a viewer's media or a publisher's. Nothing of it throws. */
export interface PeerMedia extends Disposable {
  /** The peer is there: media may flow. */
  start(link: MediaLink): void;
  /** A decrypted packet; the bytes are its own. */
  onRtp(packet: Uint8Array, nowMs: number): void;
  /** A decrypted compound packet. */
  onRtcp(packet: Uint8Array, nowMs: number): void;
  /** Nothing is in flight any more. */
  onDrained(): void;
  /** It is reached over another path. */
  onPathChanged(): void;
  /** The peer is silent: nothing is to be sent, or again. */
  setPaused(isPaused: boolean): void;
  /** Figures for people. */
  stats(): Readonly<Record<string, unknown>>;
}

/** What goes out and what comes in as one; either may be missing. */
export class BothWays implements PeerMedia {
  readonly #out: PeerMedia | undefined;
  readonly #in: PeerMedia | undefined;

  constructor(outgoing: PeerMedia | undefined, incoming: PeerMedia | undefined) {
    this.#out = outgoing;
    this.#in = incoming;
  }

  start(link: MediaLink): void {
    this.#in?.start(link);
    this.#out?.start(link);
  }
  onRtp(packet: Uint8Array, nowMs: number): void {
    this.#in?.onRtp(packet, nowMs);
  }
  onRtcp(packet: Uint8Array, nowMs: number): void {
    this.#out?.onRtcp(packet, nowMs);
    this.#in?.onRtcp(packet, nowMs);
  }
  onDrained(): void {
    this.#out?.onDrained();
  }
  onPathChanged(): void {
    this.#out?.onPathChanged();
  }
  setPaused(isPaused: boolean): void {
    this.#out?.setPaused(isPaused);
  }
  stats(): Readonly<Record<string, unknown>> {
    return { ...this.#out?.stats(), ...this.#in?.stats() };
  }
  [Symbol.dispose](): void {
    this.#out?.[Symbol.dispose]();
    this.#in?.[Symbol.dispose]();
  }
}
