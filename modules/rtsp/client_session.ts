import {
  Deadline,
  plainHost,
  RTP_HEADER_BYTES,
  type SocketAddress,
  StreamError,
  writeReceiverReport,
  writeRtpHeader,
} from "../../core/mod.ts";
import type { RtspClient } from "./client.ts";
import type { ClientSink } from "./client_connection.ts";
import type { RtspResponse } from "./message.ts";
import type { RtspSourceOptions } from "./options.ts";
import { interleave, reportRegularly } from "./reports.ts";
import type { TransportSpec } from "./transport.ts";
import { UdpPair, UdpSender } from "./udp.ts";

/** Datagrams towards a camera (its speaker) that may be in flight. */
const MAX_IN_FLIGHT = 64;

/**
 * Over TCP, where nothing is lost, media may be away for so many times as long as everything: there are cameras that send
 * a picture now and then.
 */
const MEDIA_TIMEOUTS = 6;

/** One media line of a camera that is set up: who takes its packets, and the way back. */
export interface MediaLink {
  /** Position of the line in the SDP: which channels are asked for. */
  readonly index: number;
  control: string | undefined;
  /** Pictures or sound come from it, so silence means that something is wrong. */
  readonly isReceiving: boolean;
  onRtp(packet: Uint8Array, nowMs: number): void;
  onRtcp(packet: Uint8Array, nowMs: number): void;
  /** What the camera is told of the reception. */
  report?(nowMs: number): Uint8Array | undefined;
  /** The way to the camera is open: it has accepted PLAY. */
  onReady?(send: (packet: Uint8Array) => void): void;
}

/** A link with the transport that was agreed. */
interface Route {
  readonly link: MediaLink;
  readonly channel: number;
  readonly sendRtp: (packet: Uint8Array) => void;
  readonly sendRtcp: (packet: Uint8Array) => void;
}

/**
 * A session with a camera from SETUP to TEARDOWN: hands packets to the links, keeps the session alive, tells of the
 * reception, and notices when media stops.
 */
export class ClientSession implements ClientSink {
  readonly #client: RtspClient;
  readonly #options: RtspSourceOptions;
  readonly #pairs: UdpPair[] = [];
  // By even channel.
  readonly #byChannel: (MediaLink | undefined)[] = [];
  #routes: Route[] = [];
  #deadline: Deadline | undefined;
  #mediaDeadline: Deadline | undefined;
  #keepAlive: ReturnType<typeof setInterval> | undefined;
  #keepAliveMethod = "OPTIONS";
  #mayUseParameters = true;
  #stopReports: () => void = () => {};
  #isReady = false;
  /** Pictures or sound are expected. */
  #isReceiving = false;
  #isClosed = false;
  readonly #end = Promise.withResolvers<Error>();
  /** Bytes that came over UDP. */
  datagramBytes = 0;
  /** Media has come. */
  hasMedia = false;
  /** Called at the first packet of media. */
  onMedia: () => void = () => {};

  constructor(client: RtspClient, options: RtspSourceOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Resolves, never rejects, with what ended the session by itself. */
  get ended(): Promise<Error> {
    return this.#end.promise;
  }

  /**
   * Sets up the links. Pictures without sound are better than nothing: a line that is refused is left out and its error
   * answered, unless it is the speaker's or no other is left.
   */
  async setup(links: readonly MediaLink[], signal: AbortSignal): Promise<StreamError[]> {
    this.#reset();
    const refusals: StreamError[] = [];
    for (const link of links) {
      try {
        await this.#setupOne(link, signal);
      } catch (error) {
        if (!link.isReceiving || !isRefusal(error)) throw error;
        refusals.push(error);
      }
    }
    if (refusals[0] && this.#routes.length === 0) throw refusals[0];
    for (const { link, channel } of this.#routes) if (channel >= 0) this.#byChannel[channel & ~1] = link;
    // Some cameras answer with other channels than they use: those that were asked for are believed too, where free.
    for (const { link, channel } of this.#routes) if (channel >= 0) this.#byChannel[link.index * 2] ??= link;
    return refusals;
  }

  async #setupOne(link: MediaLink, signal: AbortSignal): Promise<void> {
    const isUdp = this.#options.transport.kind === "udp";
    this.#routes.push(isUdp ? await this.#setupUdp(link, signal) : await this.#setupTcp(link, signal));
  }

  // A connection before this one may have set up some.
  #reset(): void {
    for (const pair of this.#pairs) pair[Symbol.dispose]();
    this.#pairs.length = 0;
    this.#routes = [];
    this.#byChannel.length = 0;
  }

  async #setupTcp(link: MediaLink, signal: AbortSignal): Promise<Route> {
    const first = link.index * 2;
    const wish = `RTP/AVP/TCP;unicast;interleaved=${first}-${first + 1}`;
    return this.#interleavedRoute(link, await this.#client.setup(link.control, wish, signal));
  }

  #interleavedRoute(link: MediaLink, spec: TransportSpec): Route {
    const channel = spec.channel ?? link.index * 2;
    const send = (on: number) => (packet: Uint8Array) => void this.#client.connection?.write(interleave(on, packet));
    return { link, channel, sendRtp: send(channel), sendRtcp: send(channel + 1) };
  }

  async #setupUdp(link: MediaLink, signal: AbortSignal): Promise<Route> {
    const hosts = new Set([this.#client.remoteHost]);
    const isCamera = (from: SocketAddress) => hosts.has(plainHost(from.host));
    const pair = UdpPair.open(this.#client.localHost, {
      onRtp: (packet, from) => {
        if (!isCamera(from)) return;
        const nowMs = performance.now();
        this.#onDatagram(packet, nowMs);
        this.#onRtp(link, packet, nowMs);
      },
      onRtcp: (packet, from) => {
        if (!isCamera(from)) return;
        const nowMs = performance.now();
        this.#onDatagram(packet, nowMs);
        link.onRtcp(packet, nowMs);
      },
    });
    this.#pairs.push(pair);
    const wish = `RTP/AVP;unicast;client_port=${pair.port}-${pair.port + 1}`;
    const spec = await this.#client.setup(link.control, wish, signal);
    if (spec.isInterleaved) return this.#interleavedRoute(link, spec);
    if (spec.source) hosts.add(spec.source);
    const [rtpPort, rtcpPort] = spec.serverPorts ?? [0, 0];
    const host = this.#client.remoteHost;
    const route: Route = {
      link,
      channel: -1,
      sendRtp: rtpPort > 0 ? bounded(new UdpSender(pair.rtp, { host, port: rtpPort })) : () => {},
      sendRtcp: rtcpPort > 0 ? bounded(new UdpSender(pair.rtcp, { host, port: rtcpPort })) : () => {},
    };
    openWay(route);
    return route;
  }

  #onDatagram(packet: Uint8Array, nowMs: number): void {
    this.datagramBytes += packet.length;
    this.onRead(nowMs);
  }

  #onRtp(link: MediaLink, packet: Uint8Array, nowMs: number): void {
    if (link.isReceiving) this.#mediaDeadline?.extend(nowMs);
    if (!this.hasMedia) {
      this.hasMedia = true;
      this.onMedia();
    }
    link.onRtp(packet, nowMs);
  }

  /** Starts media, and all that goes with it. */
  play(): void {
    const { connection } = this.#client;
    if (!connection) return this.#end.resolve(new StreamError("CLOSED", `rtsp: ${this.#client.name} is not connected`));
    connection.sink = this;
    connection.ended.then((error) =>
      this.#end.resolve(new StreamError("OFFLINE", this.#text(error), { cause: error }))
    );
    const { keepAliveMs } = this.#client;
    this.#isReceiving = this.#routes.some(({ link }) => link.isReceiving);
    const isUdp = this.#routes.some(({ channel }) => channel < 0);
    const limitMs = this.#options.timeoutMs + (isUdp || !this.#isReceiving ? keepAliveMs : 0);
    if (this.#routes.length > 0) {
      this.#deadline = this.#limit(limitMs, "nothing");
      const mediaMs = isUdp ? limitMs : MEDIA_TIMEOUTS * this.#options.timeoutMs;
      if (this.#isReceiving) this.#mediaDeadline = this.#limit(mediaMs, "no media");
    }
    if (this.#routes.length > 0) this.#client.play((error) => error ? this.#end.resolve(error) : this.#onAccepted());
    this.#keepAlive = setInterval(() => this.#sendKeepAlive(), keepAliveMs);
    this.#stopReports = reportRegularly((nowMs) => this.#report(nowMs));
  }

  #limit(limitMs: number, what: string): Deadline {
    return new Deadline(limitMs, () => {
      const isBlocked = !this.hasMedia && this.#routes.some(({ channel }) => channel < 0);
      const hint = isBlocked ? " over UDP, a firewall may be in the way: try #transport=tcp" : "";
      const text = `rtsp: ${this.#client.name} sent ${what} for ${limitMs / 1000} s${hint}`;
      this.#end.resolve(new StreamError("TIMEOUT", text));
    });
  }

  #text(error: Error): string {
    return `rtsp: ${this.#client.name} ended the session: ${error.message}`;
  }

  // Any answer will do: some cameras leave out that to PLAY.
  #onAccepted(): void {
    if (this.#isReady || this.#isClosed) return;
    this.#isReady = true;
    for (const { link, sendRtp } of this.#routes) link.onReady?.(sendRtp);
  }

  #sendKeepAlive(): void {
    const method = this.#keepAliveMethod;
    this.#client.keepAlive(method, (response) => this.#onKeptAlive(method, response));
  }

  // What the other method was found to be good for is asked at once: the session may not last until the next time.
  #onKeptAlive(method: string, response: RtspResponse): void {
    if (this.#isClosed) return;
    // Quirk(thingino): answers 454 to GET_PARAMETER while media flows. Media that stops is noticed anyway.
    if (response.status === 454 && method === "OPTIONS" && !this.#isReceiving) {
      this.#end.resolve(new StreamError("CLOSED", `rtsp: ${this.#client.name} has forgotten the session`));
      return;
    }
    this.#onAccepted();
    if (method === "GET_PARAMETER") {
      if (response.status < 400) return;
      this.#mayUseParameters = false;
      this.#keepAliveMethod = "OPTIONS";
    } else {
      if (!this.#mayUseParameters || !/\bGET_PARAMETER\b/.test(response.headers.get("Public") ?? "")) return;
      this.#keepAliveMethod = "GET_PARAMETER";
    }
    this.#sendKeepAlive();
  }

  #report(nowMs: number): void {
    for (const { link, sendRtcp } of this.#routes) {
      const report = link.report?.(nowMs);
      if (report) sendRtcp(report);
    }
  }

  onRead(nowMs: number): void {
    this.#deadline?.extend(nowMs);
  }

  onPacket(channel: number, packet: Uint8Array, nowMs: number): void {
    const link = this.#byChannel[channel & ~1];
    if (!link) return;
    if (channel & 1) return link.onRtcp(packet, nowMs);
    this.#onRtp(link, packet, nowMs);
  }

  /** Ends it; the connection is its owner's to close. */
  close(): void {
    this.#isClosed = true;
    this.#stopReports();
    this.#deadline?.[Symbol.dispose]();
    this.#mediaDeadline?.[Symbol.dispose]();
    clearInterval(this.#keepAlive);
    if (this.#client.connection?.sink === this) this.#client.connection.sink = undefined;
    this.#reset();
  }
}

function isRefusal(error: unknown): error is StreamError {
  return error instanceof StreamError && (error.code === "PROTOCOL" || error.code === "NOT_FOUND");
}

function bounded(sender: UdpSender): (packet: Uint8Array) => void {
  return (packet) => {
    if (sender.inFlight < MAX_IN_FLIGHT) sender.send(packet);
  };
}

/** Firewalls and NATs let datagrams in once some have gone out. */
function openWay({ sendRtp, sendRtcp }: Route): void {
  const packet = new Uint8Array(RTP_HEADER_BYTES);
  writeRtpHeader(packet, 0, { marker: false, payloadType: 0, sequence: 0, timestamp: 0, ssrc: 0 });
  sendRtp(packet);
  sendRtcp(writeReceiverReport({ ssrc: 1, about: [] }));
}
