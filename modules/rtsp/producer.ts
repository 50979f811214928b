import {
  type Codec,
  type ConnectionInfo,
  type Media,
  type OpenIo,
  type Producer,
  type ProducerIo,
  rtpPayloadType,
  RtpReceiver,
  type SdpMedia,
  SoundSlab,
  type SourceUrl,
  StreamError,
  type Track,
} from "../../core/mod.ts";
import { type Description, RtspClient } from "./client.ts";
import { ClientSession, type MediaLink } from "./client_session.ts";
import { isTransportStream, TransportStreamProducer } from "./transport_stream.ts";
import { type CameraFacts, cameraFacts } from "./facts.ts";
import { parseSourceOptions, parseTarget, type RtspSourceOptions } from "./options.ts";
import { SpeakerSender } from "./speaker.ts";
import { untilAborted } from "./until.ts";

/** Connects to a camera and learns what it has. */
export async function openCamera(source: SourceUrl, io: OpenIo): Promise<Producer> {
  const options = parseSourceOptions(source);
  const client = new RtspClient(parseTarget(source.url), options, io);
  try {
    await client.connect(io.signal);
    const { description, hasSpeaker } = await describe(client, options, io);
    const facts = cameraFacts(client, options, source, description);
    const stream = description.sdp.medias.findIndex(isTransportStream);
    if (stream >= 0 && options.wants("video")) {
      return await TransportStreamProducer.open(client, options, stream, description, facts, io.signal);
    }
    return new RtspProducer({ client, options, io, description, hasSpeaker, facts });
  } catch (error) {
    client.close();
    throw error;
  }
}

// Cameras that do not know the speaker's extension refuse, or say nothing, or close.
async function describe(
  client: RtspClient,
  options: RtspSourceOptions,
  { signal, log }: OpenIo,
): Promise<{ description: Description; hasSpeaker: boolean }> {
  if (options.hasBackchannel) {
    try {
      return { description: await client.describe(true, signal), hasSpeaker: true };
    } catch (error) {
      if (signal.aborted || (error instanceof StreamError && error.code === "UNAUTHORIZED")) throw error;
      log.debug(`${client.name} does not know the backchannel`, { error: (error as Error).message });
      await client.connect(signal);
    }
  }
  return { description: await client.describe(false, signal), hasSpeaker: false };
}

interface CameraOptions {
  readonly client: RtspClient;
  readonly options: RtspSourceOptions;
  readonly io: OpenIo;
  readonly description: Description;
  readonly hasSpeaker: boolean;
  readonly facts: CameraFacts;
}

/** A line of the SDP and what viewers know of it. */
interface Line {
  readonly index: number;
  readonly sdp: SdpMedia;
  readonly media: Media;
}

/** Lines of a description that are taken: their channels must fit into a byte. */
const MAX_LINES = 32;

function linesOf(medias: readonly SdpMedia[], options: RtspSourceOptions, hasSpeaker: boolean): Line[] {
  return medias.slice(0, MAX_LINES).map((sdp, index): Line => ({
    index,
    sdp,
    media: {
      kind: sdp.kind,
      direction: sdp.direction,
      codecs: sdp.codecs,
      ...(sdp.control === undefined ? {} : { id: sdp.control }),
    },
  })).filter(({ media }) =>
    media.codecs.length > 0 && options.wants(media.kind) && (hasSpeaker || media.direction === "recvonly")
  );
}

/** A camera: feeds a track for each media that is wanted, and its speaker. */
class RtspProducer implements Producer {
  readonly medias: readonly Media[];
  readonly #camera: CameraOptions;
  readonly #session: ClientSession;
  readonly #lines: readonly Line[];
  readonly #speakers: SpeakerSender[] = [];

  constructor(camera: CameraOptions) {
    this.#camera = camera;
    this.#session = new ClientSession(camera.client, camera.options);
    this.#lines = linesOf(camera.description.sdp.medias, camera.options, camera.hasSpeaker);
    this.medias = this.#lines.map(({ media }) => media);
  }

  get info(): ConnectionInfo {
    const { client, facts } = this.#camera;
    return {
      ...facts,
      bytesReceived: client.bytesReceived + this.#session.datagramBytes,
      bytesSent: client.bytesSent,
    };
  }

  async run(io: ProducerIo): Promise<void> {
    const { client } = this.#camera;
    try {
      const links = this.#links(io);
      await this.#setup(links, io.signal);
      this.#session.onMedia = () => io.live();
      this.#session.play();
      const error = await untilAborted(this.#session.ended, io.signal);
      if (error) throw error;
    } catch (error) {
      if (!io.signal.aborted) throw error;
    } finally {
      this.#stop();
      await client.teardown();
    }
  }

  #links(io: ProducerIo): MediaLink[] {
    const links: MediaLink[] = [];
    for (const line of this.#lines) {
      if (line.media.direction === "recvonly") {
        const track = io.track(line.media);
        if (track) links.push(receivingLink(line, track, this.#camera.options));
      } else {
        const speaker = io.speaker(line.media);
        if (speaker) links.push(this.#speakerLink(line, speaker.track, speaker.codec));
      }
    }
    return links;
  }

  #speakerLink(line: Line, track: Track, codec: Codec): MediaLink {
    const own = line.media.codecs.find((one) => one.name === codec.name && one.clockRate === codec.clockRate) ?? codec;
    return {
      index: line.index,
      control: line.sdp.control,
      isReceiving: false,
      onRtp() {},
      onRtcp() {},
      onReady: (send) => void this.#speakers.push(new SpeakerSender(track, own, send)),
    };
  }

  // Without a viewer's wish, nothing is set up; a camera that refuses its speaker is asked again without it.
  async #setup(links: readonly MediaLink[], signal: AbortSignal): Promise<void> {
    const { client, hasSpeaker, io } = this.#camera;
    try {
      this.#warn(await this.#session.setup(links, signal));
    } catch (error) {
      const isLogin = error instanceof StreamError && error.code === "UNAUTHORIZED";
      if (!hasSpeaker || isLogin || signal.aborted) throw error;
      io.log.debug(`${client.name} is set up again without the backchannel`, { error: (error as Error).message });
      await client.connect(signal);
      const { sdp } = await client.describe(false, signal);
      const rest = links.filter((link) => link.isReceiving);
      for (const link of rest) link.control = controlOf(sdp.medias, this.#camera.description.sdp.medias, link.index);
      this.#warn(await this.#session.setup(rest, signal));
    }
  }

  #warn(refusals: readonly StreamError[]): void {
    for (const { message } of refusals) this.#camera.io.log.warn(message);
  }

  #stop(): void {
    this.#session.close();
    for (const speaker of this.#speakers) speaker[Symbol.dispose]();
  }

  close(): void {
    this.#stop();
    this.#camera.client.close();
  }
}

// The control of the same line in another description: the one of the same kind at the same place among its like.
function controlOf(now: readonly SdpMedia[], before: readonly SdpMedia[], index: number): string | undefined {
  const isLike = (media: SdpMedia) => media.kind === before[index]!.kind && media.direction === "recvonly";
  const place = before.slice(0, index).filter(isLike).length;
  return (now.filter(isLike)[place] ?? before[index])?.control;
}

function receivingLink(line: Line, track: Track, { transport }: RtspSourceOptions): MediaLink {
  const { codec: wanted } = track;
  const codec = line.media.codecs.find((one) => one.name === wanted.name && one.clockRate === wanted.clockRate) ??
    line.media.codecs[0]!;
  const receiver = new RtpReceiver(track, codec, { reorder: transport.kind === "udp" });
  const isOther = otherPayloadTypes(line.media, codec);
  const keep = track.kind === "audio" && transport.kind !== "udp" ? new SoundSlab() : undefined;
  return {
    index: line.index,
    control: line.sdp.control,
    isReceiving: track.kind !== "application",
    onRtp: (packet, nowMs) => {
      if (isOther && packet.length > 1 && isOther[rtpPayloadType(packet)]) return;
      receiver.push(keep ? keep.copy(packet) : packet, nowMs);
    },
    onRtcp: (packet, nowMs) => receiver.control(packet, nowMs),
    report: (nowMs) => receiver.report(nowMs),
  };
}

// Of a line with several codecs only one feeds the track (comfort noise and tones come under other numbers).
function otherPayloadTypes(media: Media, codec: Codec): Uint8Array | undefined {
  if (media.codecs.length < 2) return undefined;
  const types = new Uint8Array(128);
  for (const { payloadType } of media.codecs) {
    if (payloadType !== undefined && payloadType !== codec.payloadType) types[payloadType & 127] = 1;
  }
  return types;
}
