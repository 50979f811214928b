import {
  type ConnectionInfo,
  type DemuxedStream,
  type FrameInput,
  type Media,
  MpegTsDemuxer,
  type Producer,
  type ProducerIo,
  ReorderBuffer,
  rtpPayload,
  type SdpMedia,
  StreamError,
  timeLimit,
} from "../../core/mod.ts";
import type { Description, RtspClient } from "./client.ts";
import { ClientSession } from "./client_session.ts";
import type { RtspSourceOptions } from "./options.ts";
import type { CameraFacts } from "./facts.ts";
import { untilAborted } from "./until.ts";

/** How long a stream may take to tell what is in it, and how much may come until then. */
const PROBE_MS = 5000;
const PROBE_BYTES = 5 << 20;

/** Whether a line carries an MPEG transport stream (RFC 2250): pictures and sound together. */
export function isTransportStream(media: SdpMedia): boolean {
  return media.direction === "recvonly" && media.codecs.some((codec) => codec.name === "MP2T");
}

/** A camera that sends a transport stream: it must play before its medias are known, and what it played is not lost. */
export class TransportStreamProducer implements Producer {
  readonly #client: RtspClient;
  readonly #session: ClientSession;
  readonly #facts: CameraFacts;
  readonly #demuxer: MpegTsDemuxer;
  #medias: { readonly media: Media; readonly stream: DemuxedStream }[] = [];
  // Frames that came before there was anybody to take them.
  #early: { readonly stream: DemuxedStream; readonly frame: FrameInput }[] = [];
  #earlyBytes = 0;
  #onFrame: (stream: DemuxedStream, frame: FrameInput) => void;
  #onProbed: () => void = () => {};

  private constructor(client: RtspClient, options: RtspSourceOptions, facts: CameraFacts) {
    this.#client = client;
    this.#facts = facts;
    this.#session = new ClientSession(client, options);
    this.#onFrame = (stream, frame) => this.#keep(stream, frame);
    this.#demuxer = new MpegTsDemuxer((stream, frame) => this.#onFrame(stream, frame));
  }

  static async open(
    client: RtspClient,
    options: RtspSourceOptions,
    index: number,
    description: Description,
    facts: CameraFacts,
    signal: AbortSignal,
  ): Promise<TransportStreamProducer> {
    const producer = new TransportStreamProducer(client, options, facts);
    try {
      await producer.#probe(index, description.sdp.medias[index]!.control, signal);
      return producer;
    } catch (error) {
      producer.close();
      throw error;
    }
  }

  async #probe(index: number, control: string | undefined, signal: AbortSignal): Promise<void> {
    const order = new ReorderBuffer((packet, nowMs) => this.#demuxer.push(rtpPayload(packet), nowMs));
    await this.#session.setup([{
      index,
      control,
      isReceiving: true,
      onRtp: (packet, nowMs) => order.push(packet, nowMs),
      onRtcp() {},
    }], signal);
    using limit = timeLimit(PROBE_MS, () => new StreamError("TIMEOUT", "probe"), signal);
    const known = new Promise<void>((resolve) => {
      this.#onProbed = resolve;
    });
    this.#session.play();
    const error = await untilAborted(Promise.race([this.#session.ended, known]), limit.signal);
    if (error) throw error;
    if (signal.aborted) throw signal.reason;
    const streams = this.#demuxer.streams.filter((stream) => stream.codec);
    if (streams.length === 0) {
      const text = `rtsp: ${this.#client.name} sends a transport stream without known codecs in ${PROBE_MS / 1000} s`;
      throw new StreamError("TIMEOUT", text);
    }
    this.#medias = streams.map((stream) => ({
      stream,
      media: { kind: stream.codec!.kind, direction: "recvonly", codecs: [stream.codec!], id: String(stream.id) },
    }));
  }

  #keep(stream: DemuxedStream, frame: FrameInput): void {
    if (this.#demuxer.streams.every((one) => one.codec)) this.#onProbed();
    this.#early.push({ stream, frame });
    this.#earlyBytes += frame.payload.byteLength;
    while (this.#earlyBytes > PROBE_BYTES) this.#earlyBytes -= this.#early.shift()!.frame.payload.byteLength;
  }

  get medias(): readonly Media[] {
    return this.#medias.map(({ media }) => media);
  }

  get info(): ConnectionInfo {
    return {
      ...this.#facts,
      bytesReceived: this.#client.bytesReceived + this.#session.datagramBytes,
      bytesSent: this.#client.bytesSent,
    };
  }

  async run(io: ProducerIo): Promise<void> {
    const tracks = new Map(this.#medias.map(({ stream, media }) => [stream.id, io.track(media)]));
    io.live();
    for (const { stream, frame } of this.#early) tracks.get(stream.id)?.append(frame);
    this.#early = [];
    this.#onFrame = (stream, frame) => tracks.get(stream.id)?.append(frame);
    try {
      const error = await untilAborted(this.#session.ended, io.signal);
      if (error) throw error;
    } finally {
      this.#session.close();
      await this.#client.teardown();
    }
  }

  close(): void {
    this.#session.close();
    this.#client.close();
    this.#early = [];
  }
}
