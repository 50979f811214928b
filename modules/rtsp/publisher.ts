import {
  type Codec,
  type ConnectionInfo,
  type Media,
  type Producer,
  type ProducerIo,
  RtpReceiver,
  type SdpMedia,
  type SdpSession,
  SoundSlab,
} from "../../core/mod.ts";
import { reportRegularly } from "./reports.ts";
import { UdpPair, type UdpSender } from "./udp.ts";

/** What a publisher announced of one media, and how it comes. */
interface Line {
  readonly sdp: SdpMedia;
  readonly media: Media;
  readonly codec: Codec;
  /** -1 over UDP. */
  channel: number;
  isSetUp: boolean;
  receiver: RtpReceiver | undefined;
  sound: SoundSlab | undefined;
  pair: UdpPair | undefined;
  reports: UdpSender | undefined;
}

/** Lines of a description that are taken. */
const MAX_LINES = 16;

/** A program that pushes a stream to us with ANNOUNCE and RECORD. */
export class Publisher implements Producer {
  readonly medias: readonly Media[];
  readonly #lines: Line[];
  readonly #facts: { readonly remoteAddr: string; readonly userAgent: string; readonly sdp: string };
  readonly #onClose: () => void;
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #bytesReceived: () => number;
  #io: ProducerIo | undefined;
  #isLive = false;
  #datagramBytes = 0;

  constructor(
    session: SdpSession,
    facts: { readonly remoteAddr: string; readonly userAgent: string; readonly sdp: string },
    bytesReceived: () => number,
    onClose: () => void,
  ) {
    this.#facts = facts;
    this.#bytesReceived = bytesReceived;
    this.#onClose = onClose;
    this.#lines = session.medias.filter(({ codecs }) => codecs.length > 0).slice(0, MAX_LINES).map((sdp) => ({
      sdp,
      // Whatever direction the publisher wrote: it is he who sends. The first codec is the one he uses.
      media: { kind: sdp.kind, direction: "recvonly", codecs: [sdp.codecs[0]!] },
      codec: sdp.codecs[0]!,
      channel: -1,
      isSetUp: false,
      receiver: undefined,
      sound: undefined,
      pair: undefined,
      reports: undefined,
    }));
    this.medias = this.#lines.map(({ media }) => media);
  }

  get info(): ConnectionInfo {
    return {
      formatName: "rtsp",
      protocol: this.#lines.some(({ pair }) => pair) ? "rtsp+udp" : "rtsp+tcp",
      ...this.#facts,
      bytesReceived: this.#bytesReceived() + this.#datagramBytes,
    };
  }

  /** The line that a SETUP is about: by its control, or by its number; -1: none. */
  lineOf(url: string, number: number): number {
    const byControl = this.#lines.findIndex(({ sdp: { control } }) =>
      control !== undefined && (url === control || url.endsWith(`/${control}`))
    );
    if (byControl >= 0) return byControl;
    return number >= 0 && number < this.#lines.length ? number : this.#lines.length === 1 ? 0 : -1;
  }
  get hasLines(): boolean {
    return this.#lines.some(({ isSetUp }) => isSetUp);
  }

  /** A line comes interleaved, on this channel and the next. */
  addInterleaved(index: number, channel: number): void {
    const line = this.#lines[index]!;
    line.isSetUp = true;
    line.channel = channel & ~1;
    line.sound = line.media.kind === "audio" ? new SoundSlab() : undefined;
  }

  /** A line comes over UDP from a host; answers the port of ours. `onLife` is called at each datagram. */
  addUdp(
    index: number,
    local: string,
    isPeer: (host: string) => boolean,
    sender: (pair: UdpPair) => UdpSender,
    onLife: (nowMs: number) => void,
  ): number {
    const line = this.#lines[index]!;
    const take = (packet: Uint8Array, host: string, use: (receiver: RtpReceiver, nowMs: number) => void) => {
      if (!isPeer(host)) return;
      const nowMs = performance.now();
      this.#datagramBytes += packet.length;
      onLife(nowMs);
      if (line.receiver) use(line.receiver, nowMs);
    };
    const pair = UdpPair.open(local, {
      onRtp: (packet, from) =>
        take(packet, from.host, (receiver, nowMs) => {
          this.#noteLife();
          receiver.push(packet, nowMs);
        }),
      onRtcp: (packet, from) => take(packet, from.host, (receiver, nowMs) => receiver.control(packet, nowMs)),
    });
    line.pair?.[Symbol.dispose]();
    line.pair = pair;
    line.isSetUp = true;
    line.reports = sender(pair);
    return pair.port;
  }

  #noteLife(): void {
    if (this.#isLive) return;
    this.#isLive = true;
    this.#io?.live();
  }

  /** An interleaved packet. */
  onPacket(channel: number, packet: Uint8Array, nowMs: number): void {
    for (const line of this.#lines) {
      if (line.channel !== (channel & ~1) || !line.receiver) continue;
      if (channel & 1) return line.receiver.control(packet, nowMs);
      this.#noteLife();
      return line.receiver.push(line.sound ? line.sound.copy(packet) : packet, nowMs);
    }
  }

  /** Resolves when the stream has taken it. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  async run(io: ProducerIo): Promise<void> {
    this.#io = io;
    this.#begun.resolve();
    for (const line of this.#lines) {
      const track = line.isSetUp ? io.track(line.media) : undefined;
      if (track) line.receiver = new RtpReceiver(track, line.codec, { reorder: line.reports !== undefined });
    }
    const stopReports = reportRegularly((nowMs) => {
      for (const { receiver, reports } of this.#lines) {
        const report = reports && receiver?.report(nowMs);
        if (report) reports.send(report);
      }
    });
    const onAbort = () => this.#ended.resolve();
    io.signal.addEventListener("abort", onAbort, { once: true });
    await this.#ended.promise;
    io.signal.removeEventListener("abort", onAbort);
    stopReports();
  }

  /** The connection has ended. */
  end(): void {
    for (const { pair } of this.#lines) pair?.[Symbol.dispose]();
    this.#ended.resolve();
  }

  close(): void {
    this.end();
    this.#onClose();
  }
}
