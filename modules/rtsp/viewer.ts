import {
  type Attachment,
  type Codec,
  type ConnectionInfo,
  type Consumer,
  type Frame,
  type Media,
  type Outlet,
  Reader,
  RTP_HEADER_BYTES,
  RtpReceiver,
  type RtpRendition,
  rtpRenditionOf,
  type Start,
  type StreamConn,
  StreamOutlet,
  Track,
  writeSdp,
  writeSenderReport,
} from "../../core/mod.ts";
import { forgottenPicture } from "./forgotten_picture.ts";
import { SOFTWARE } from "./options.ts";
import { concat, interleave, INTERLEAVED_HEADER_BYTES, reportRegularly } from "./reports.ts";
import type { UdpSender } from "./udp.ts";
import { UdpOutlet } from "./udp_outlet.ts";
import type { ViewerOptions } from "./viewer_options.ts";

/** Some cameras never send a keyframe (they refresh bit by bit): after this long a player gets what there is. */
const KEYFRAME_PATIENCE_MS = 10_000;
/** What is safe on every network; larger packets of a camera on TCP are cut up for players on UDP. */
const UDP_PACKET_BYTES = 1472;
/** A backlog beyond this is not sent over UDP. */
const UDP_BACKLOG_BYTES = 1_500_000;

/** How a track reaches a player: on its interleaved channels, or to its UDP ports. */
export type Delivery = { readonly rtp: UdpSender; readonly rtcp: UdpSender } | "interleaved";

/** What a player gets of one track. */
interface Output {
  readonly track: Track;
  readonly delivery: Delivery;
  readonly rendition: RtpRendition;
  readonly release: () => void;
  packets: number;
  bytes: number;
}

/** What a player sends: a microphone. */
interface Microphone {
  readonly number: number;
  readonly track: Track;
  readonly codec: Codec;
  receiver: RtpReceiver | undefined;
}

/** The number of a track fixes its control, its channels and its payload type, whatever else a player takes. */
const payloadTypeOf = (number: number) => 96 + number % 32;

/** A player in a stream: what it is offered, and what it is sent once it plays. */
export class Viewer implements Consumer {
  readonly medias: readonly Media[];
  readonly loopGuard?: string;
  readonly #options: ViewerOptions;
  readonly #facts: { readonly remoteAddr: string; readonly userAgent: string };
  readonly #onClose: (reason: string) => void;
  #attachment: Attachment | undefined;
  #start: Start = "live";
  #tracks: Track[] = [];
  #microphone: Microphone | undefined;
  #sdp = "";
  readonly #outputs: Output[] = [];
  #outlet: Outlet | undefined;
  #stopReports: () => void = () => {};
  #hasBegun = false;
  #hasReported = false;
  #isPaused = false;
  // After a pause: until when only a keyframe will do; 0: anything does.
  #awaitsKeyframeUntilMs = 0;

  constructor(
    options: ViewerOptions,
    facts: { readonly remoteAddr: string; readonly userAgent: string },
    onClose: (reason: string) => void,
  ) {
    this.#options = options;
    this.#facts = facts;
    this.#onClose = onClose;
    this.medias = options.medias;
    if (options.loopGuard !== undefined) this.loopGuard = options.loopGuard;
  }

  get info(): ConnectionInfo {
    const { reader } = this.#outlet ?? {};
    const isUdp = this.#outputs.some(({ delivery }) => delivery !== "interleaved");
    return {
      formatName: "rtsp",
      protocol: isUdp ? "rtsp+udp" : "rtsp+tcp",
      ...this.#facts,
      sdp: this.#sdp,
      bytesSent: this.#outlet?.bytesSent ?? 0,
      start: this.#start,
      ...(reader ? { skips: reader.skips } : {}),
      ...(this.loopGuard === undefined ? {} : { source: this.loopGuard }),
    };
  }

  /** Takes its place in a stream, whose own `start` holds unless the player asks for another. */
  enter(start: Start | undefined, attachment: Attachment): void {
    this.#attachment = attachment;
    this.#start = this.#options.start ?? start ?? "live";
    this.#tracks = attachment.assignments.filter(({ media }) => media.direction === "sendonly").map(({ track }) =>
      track
    );
  }

  /** It is gone when nothing comes from it for this long. */
  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }
  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  microphone(_media: Media, codec: Codec): Track {
    const track = new Track(0, codec);
    this.#microphone = { number: -1, track, codec, receiver: undefined };
    return track;
  }

  /** What the player is told; parameter sets are those known by now. */
  describe(): string {
    const taken = new Set(this.#tracks.map((track) => track.id));
    if (this.#microphone) {
      let number = 0;
      while (taken.has(number)) number++;
      this.#microphone = { ...this.#microphone, number };
    }
    this.#sdp = writeSdp({
      name: SOFTWARE,
      medias: [
        ...this.#tracks.map((track) => ({ number: track.id, codec: track.codec, direction: "recvonly" as const })),
        ...(this.#microphone ? [{ ...this.#microphone, direction: "sendonly" as const }] : []),
      ].map(({ number, codec, direction }) => ({
        kind: codec.kind,
        direction,
        codec,
        payloadType: payloadTypeOf(number),
        control: `trackID=${number}`,
      })),
    });
    return this.#sdp;
  }

  /** What a SETUP of that number is about; `undefined`: nothing was offered under it. */
  lineOf(number: number): "track" | "microphone" | undefined {
    if (this.#tracks.some((track) => track.id === number)) return "track";
    return this.#microphone?.number === number ? "microphone" : undefined;
  }

  /** The only number there is, for players that leave it out. */
  get onlyNumber(): number {
    return this.#tracks.length === 1 && !this.#microphone ? this.#tracks[0]!.id : -1;
  }

  get isPlaying(): boolean {
    return this.#outlet !== undefined && !this.#isPaused;
  }
  get hasOutputs(): boolean {
    return this.#outputs.length > 0 || this.#microphone?.receiver !== undefined;
  }

  /** The player wants this track by that way; answers the SSRC it will see. */
  add(number: number, delivery: Delivery): number {
    const track = this.#tracks.find((one) => one.id === number)!;
    const existing = this.#outputs.findIndex((output) => output.track === track);
    if (existing >= 0) this.#outputs.splice(existing, 1)[0]!.release();
    const output: Output = { track, delivery, ...this.#renditionOf(track, delivery), packets: 0, bytes: 0 };
    this.#outputs.push(output);
    return output.rendition.ssrc;
  }

  #renditionOf(track: Track, delivery: Delivery): { rendition: RtpRendition; release: () => void } {
    const { packetBytes } = this.#options;
    const isUdp = delivery !== "interleaved";
    const maxPacketBytes = isUdp ? Math.min(packetBytes || UDP_PACKET_BYTES, UDP_PACKET_BYTES) : packetBytes;
    return rtpRenditionOf(track, {
      framing: isUdp ? "packets" : "interleaved",
      payloadType: payloadTypeOf(track.id),
      ...(isUdp ? {} : { channel: track.id * 2 }),
      ...(maxPacketBytes > 0 ? { maxPacketBytes } : {}),
    });
  }

  /** The player will speak. */
  addMicrophone(): void {
    const microphone = this.#microphone!;
    const codec = { ...microphone.codec, payloadType: payloadTypeOf(microphone.number) };
    microphone.receiver = new RtpReceiver(microphone.track, codec);
  }

  /** A packet of the player's on its microphone's channels. */
  onPacket(channel: number, packet: Uint8Array, nowMs: number): void {
    const microphone = this.#microphone;
    if (channel >> 1 !== microphone?.number) return;
    if (channel & 1) microphone.receiver?.control(packet, nowMs);
    else microphone.receiver?.push(packet, nowMs);
  }

  /** Prepares media for `begin`, or goes on after a pause. `conn` is the outlet's alone from now on. */
  play(conn: StreamConn): void {
    if (this.#outlet) {
      if (this.#isPaused && this.#outputs.some(({ track }) => track.kind === "video")) {
        this.#awaitsKeyframeUntilMs = performance.now() + KEYFRAME_PATIENCE_MS;
      }
      this.#isPaused = false;
      return;
    }
    const isUdp = this.#outputs.some(({ delivery }) => delivery !== "interleaved");
    const tracks = this.#outputs.map(({ track }) => track);
    if (tracks.length === 0) return;
    if (isUdp && tracks.some((track) => backlogBytes(track) > UDP_BACKLOG_BYTES)) this.#start = "live";
    const reader = new Reader(tracks, {
      start: this.#start,
      dropsCorrupt: false,
      keyframePatienceMs: KEYFRAME_PATIENCE_MS,
    });
    const onEnd = (reason: string) => this.#onClose(reason);
    this.#outlet = isUdp
      ? new UdpOutlet({ reader, onEnd, packetsOf: (frame) => this.#datagrams(frame, reader) })
      : new StreamOutlet(conn, { reader, onEnd, render: (frame) => this.#bytes(frame, reader) });
    reader.wake = () => {};
    this.#stopReports = reportRegularly((nowMs) => this.#report(nowMs));
  }

  /** The answer to PLAY is on its way: media may follow. */
  begin(): void {
    const outlet = this.#outlet;
    if (!outlet || this.#hasBegun) return;
    this.#hasBegun = true;
    outlet.reader.wake = () => outlet.pump();
    outlet.pump();
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** The outlet, while media shares the connection with answers. */
  get streamOutlet(): StreamOutlet | undefined {
    return this.#outlet instanceof StreamOutlet && !this.#outlet.hasEnded ? this.#outlet : undefined;
  }

  // The output of a frame that is for this player now.
  #outputOf(frame: Frame, reader: Reader): Output | undefined {
    if (this.#isPaused) return undefined;
    if (this.#awaitsKeyframeUntilMs > 0) {
      const isKeyframe = reader.track.kind === "video" && frame.isKeyframe;
      if (!isKeyframe && performance.now() < this.#awaitsKeyframeUntilMs) return undefined;
      this.#awaitsKeyframeUntilMs = 0;
    }
    return this.#outputs.find((output) => output.track === reader.track);
  }

  #bytes(frame: Frame, reader: Reader): Uint8Array | undefined {
    const output = this.#outputOf(frame, reader);
    if (!output) return undefined;
    const { rendition } = output;
    const chunk = rendition.chunk(frame);
    const bytes = reader.edit ? rendition.patch(chunk, frame, reader.edit) : chunk.bytes;
    count(output, chunk.count, bytes.length);
    if (this.#hasReported) return bytes;
    const reports = this.#firstReports(frame, output).map(({ report, on }) => interleave(on, report));
    const picture = this.#forgotten(frame, output, bytes, chunk.offsets[0]);
    return concat([...reports, ...(picture ? [interleave(output.track.id * 2, picture)] : []), bytes]);
  }

  #datagrams(frame: Frame, reader: Reader) {
    const output = this.#outputOf(frame, reader);
    if (!output || output.delivery === "interleaved") return undefined;
    const { rendition } = output;
    const chunk = rendition.chunk(frame);
    const bytes = reader.edit ? rendition.patch(chunk, frame, reader.edit) : chunk.bytes;
    count(output, chunk.count, bytes.length);
    if (!this.#hasReported) {
      for (const { report, delivery } of this.#firstReports(frame, output)) {
        if (delivery !== "interleaved") delivery.rtcp.send(report);
      }
      const picture = this.#forgotten(frame, output, bytes, chunk.offsets[0]);
      if (picture) output.delivery.rtp.send(picture);
    }
    return { chunk, bytes, sender: output.delivery.rtp };
  }

  // `start`: where the first packet is; a frame may have none.
  #forgotten(frame: Frame, { track }: Output, bytes: Uint8Array, start: number | undefined): Uint8Array | undefined {
    if (start === undefined) return undefined;
    const { userAgent } = this.#facts;
    return forgottenPicture({ userAgent, codecName: track.codec.name, frame }, bytes.subarray(start));
  }

  // A player that knows from the first packet on how its tracks belong together need not correct that later.
  #firstReports(frame: Frame, { track }: Output) {
    this.#hasReported = true;
    const seconds = frame.timestamp / (track.codec.clockRate || 90000);
    return this.#outputs.map((output) => this.#reportOf(output, seconds));
  }

  // All tracks count from one zero, which is that of this program's clock.
  #reportOf({ track, rendition, delivery, packets, bytes }: Output, seconds: number) {
    const rtpTimestamp = Math.round(seconds * (track.codec.clockRate || 90000));
    // Reports count the payload alone (RFC 3550 §6.4.1).
    const headerBytes = RTP_HEADER_BYTES + (delivery === "interleaved" ? INTERLEAVED_HEADER_BYTES : 0);
    const report = writeSenderReport({
      ssrc: rendition.ssrc,
      wallMs: track.wallMsOf(rtpTimestamp),
      rtpTimestamp,
      packets,
      bytes: bytes - packets * headerBytes,
      cname: SOFTWARE,
    });
    return { report, delivery, on: track.id * 2 + 1 };
  }

  #report(nowMs: number): void {
    if (!this.#hasReported || this.#isPaused) return;
    const reports = this.#outputs.map((output) => this.#reportOf(output, nowMs / 1000));
    const frames: Uint8Array[] = [];
    for (const { report, delivery, on } of reports) {
      if (delivery === "interleaved") frames.push(interleave(on, report));
      else delivery.rtcp.send(report);
    }
    if (frames.length > 0) this.streamOutlet?.send(concat(frames));
  }

  sent(track: Track): { bytes: number; packets: number; drops: number } {
    const output = this.#outputs.find((one) => one.track === track);
    const drops = track.kind === "video" ? this.#outlet?.reader.dropped ?? 0 : 0;
    return { bytes: output?.bytes ?? 0, packets: output?.packets ?? 0, drops };
  }

  close(reason: string): void {
    this.#onClose(reason);
  }

  /** Leaves the stream. */
  leave(): void {
    this.#stopReports();
    this.#outlet?.end("the player left");
    for (const { release } of this.#outputs) release();
    this.#outputs.length = 0;
    this.#attachment?.detach();
    this.#microphone?.track.close();
  }
}

function count(output: Output, packets: number, bytes: number): void {
  output.packets += packets;
  output.bytes += bytes;
}

function backlogBytes({ log }: Track): number {
  return log.keyframe ? log.position - log.keyframe.position : 0;
}
