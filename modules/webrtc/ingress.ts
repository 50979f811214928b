import {
  parseRtcp,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSsrc,
  writeNack,
  writePli,
  writeReceiverReport,
  writeRemb,
} from "../../core/mod.ts";
import { IngressLine, type ReceivedLine } from "./ingress_line.ts";
import type { MediaLink, PeerMedia } from "./peer_media.ts";
import { ReceiveEstimate } from "./receive_estimate.ts";

export type { ReceivedLine };

/** How often what is missing is looked at, and how often reports go out. */
const TICK_MS = 20;
const REPORT_MS = 1000;

/** One timer serves all that receive. */
const ticking = new Set<Ingress>();
let timer: ReturnType<typeof setInterval> | undefined;

function tickRegularly(ingress: Ingress): void {
  ticking.add(ingress);
  timer ??= setInterval(() => {
    const nowMs = performance.now();
    for (const one of ticking) one.tick(nowMs);
  }, TICK_MS);
}

function stopTicking(ingress: Ingress): void {
  ticking.delete(ingress);
  if (ticking.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/**
 * What a peer sends: a publisher's picture and sound, or a viewer's microphone. Packets are put in order and become
 * frames of the tracks; the peer is told what was lost, asked for it again, and asked for keyframes when viewers need
 * them. The tracks are their owner's to close.
 */
export class Ingress implements PeerMedia {
  readonly #lines: readonly IngressLine[];
  readonly #onMedia: () => void;
  readonly #byType = new Map<number, IngressLine>();
  readonly #bySource = new Map<number, IngressLine>();
  readonly #ssrc = crypto.getRandomValues(new Uint32Array(1))[0]!;
  readonly #estimate: ReceiveEstimate | undefined;
  #link: MediaLink | undefined;
  #hasMedia = false;
  #reportedMs = -Infinity;
  #unknown = 0;
  #isClosed = false;

  /** `onMedia` is called once, at the first packet. */
  constructor(lines: readonly ReceivedLine[], onMedia: () => void = () => {}) {
    this.#onMedia = onMedia;
    this.#lines = lines.map((line) => new IngressLine(line));
    for (const one of this.#lines) {
      one.onKeyframeWanted = () => this.#askForKeyframe(one, performance.now());
      const { codec: { payloadType }, rtx, sources } = one.spec;
      for (const type of [payloadType, rtx]) {
        if (type !== undefined && !this.#byType.has(type)) this.#byType.set(type, one);
      }
      for (const { ssrc, rtxSsrc } of sources) {
        this.#bySource.set(ssrc, one);
        if (rtxSsrc !== undefined) this.#bySource.set(rtxSsrc, one);
      }
    }
    if (lines.some(({ feedback }) => feedback.includes("goog-remb"))) this.#estimate = new ReceiveEstimate();
  }

  get bytesReceived(): number {
    return this.#lines.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  start(link: MediaLink): void {
    if (this.#isClosed) return;
    this.#link = link;
    tickRegularly(this);
  }

  onRtp(packet: Uint8Array, nowMs: number): void {
    if (this.#isClosed || rtpPayloadStart(packet) < 0) return;
    const line = this.#lineOf(packet);
    if (!line) {
      this.#unknown++;
      return;
    }
    if (!this.#hasMedia) {
      this.#hasMedia = true;
      this.#onMedia();
    }
    if (line.push(packet, nowMs)) this.#askForMissing(line, nowMs);
  }

  #lineOf(packet: Uint8Array): IngressLine | undefined {
    const type = rtpPayloadType(packet);
    // Two lines may use the same payload type: then only what they announced tells them apart.
    const line = this.#bySource.get(rtpSsrc(packet)) ?? this.#byType.get(type);
    return line && (type === line.spec.codec.payloadType || type === line.spec.rtx) ? line : undefined;
  }

  onRtcp(packet: Uint8Array, nowMs: number): void {
    for (const one of parseRtcp(packet)) {
      if (one.type !== "SR") continue;
      this.#lines.find(({ ssrc }) => ssrc === one.ssrc)?.control(packet, one.ntpMiddle, nowMs);
    }
  }

  onDrained(): void {}
  onPathChanged(): void {}
  setPaused(): void {}

  /** Looks after what has to be asked for and reported. */
  tick(nowMs: number): void {
    for (const line of this.#lines) {
      this.#askForMissing(line, nowMs);
      this.#askForKeyframe(line, nowMs);
    }
    if (nowMs - this.#reportedMs >= REPORT_MS) this.#report(nowMs);
  }

  #askForMissing(line: IngressLine, nowMs: number): void {
    const sequences = line.missing(nowMs);
    if (sequences.length > 0) this.#send(writeNack({ ssrc: this.#ssrc, about: line.ssrc!, sequences }));
  }

  #askForKeyframe(line: IngressLine, nowMs: number): void {
    if (this.#link && line.takesKeyframeRequest(nowMs)) this.#send(writePli({ ssrc: this.#ssrc, about: line.ssrc! }));
  }

  // A compound begins with a report, if only an empty one (RFC 3550 §6.1).
  #send(feedback: Uint8Array): void {
    this.#link?.sendRtcp(join(writeReceiverReport({ ssrc: this.#ssrc, about: [] }), feedback));
  }

  #report(nowMs: number): void {
    const about = this.#lines.flatMap((line) => line.report(nowMs) ?? []);
    if (about.length === 0) return;
    this.#reportedMs = nowMs;
    const report = writeReceiverReport({ ssrc: this.#ssrc, about, cname: "lenswire" });
    if (!this.#estimate) return this.#link?.sendRtcp(report);
    const loss = Math.max(...this.#lines.map((line) => line.loss));
    const bitrate = this.#estimate.next(this.bytesReceived, loss, nowMs);
    const remb = writeRemb({ ssrc: this.#ssrc, about: about.map(({ ssrc }) => ssrc), bitrate });
    this.#link?.sendRtcp(join(report, remb));
  }

  stats(): Readonly<Record<string, unknown>> {
    return {
      incoming: this.#lines.map((line) => line.stats()),
      ...(this.#unknown > 0 ? { unknown_packets: this.#unknown } : {}),
    };
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    stopTicking(this);
    for (const line of this.#lines) line.close();
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a, 0);
  both.set(b, a.length);
  return both;
}
