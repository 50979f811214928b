import {
  type Logger,
  messageOf,
  parseSdp,
  type Peer,
  plainHost,
  type PluginContext,
  type Principal,
  type SdpSession,
  type StreamConn,
  StreamError,
  type StreamHandle,
  type StreamOutlet,
} from "../../core/mod.ts";
import { hostPort } from "./facts.ts";
import { ServerLogin } from "./login.ts";
import type { RtspRequest } from "./message.ts";
import { parseRequestPath, parseTrackNumber, type RequestPath, type RtspConfig } from "./options.ts";
import { whenDescribed } from "./parameters.ts";
import { Publisher } from "./publisher.ts";
import { parseTransports, type TransportSpec } from "./transport.ts";
import { UdpSender } from "./udp.ts";
import { type Answer, ServerConnection, type ServerHandler } from "./server_connection.ts";
import type { UdpPorts } from "./udp_ports.ts";
import { Viewer } from "./viewer.ts";
import { timeoutOf, viewerOptions } from "./viewer_options.ts";

/** A publisher is gone when nothing came from it for this long. */
const PUBLISHER_MS = 15_000;
/** How long a description waits for parameter sets. */
const DESCRIBE_MS = 5000;
const PUBLIC = "OPTIONS, SETUP, TEARDOWN, DESCRIBE, PLAY, PAUSE, ANNOUNCE, RECORD, GET_PARAMETER, SET_PARAMETER";

/** What sessions share. */
export interface ServerParts {
  readonly config: RtspConfig;
  readonly streams: PluginContext["streams"];
  readonly identify: PluginContext["identify"];
  readonly log: Logger;
  readonly ports: UdpPorts;
}

/** One player or publisher: what it asked so far, and what it is answered (contract §5.1). */
export class ServerSession implements ServerHandler {
  readonly #connection: ServerConnection;
  readonly #peer: Peer;
  readonly #parts: ServerParts;
  readonly #login: ServerLogin;
  readonly #sessionId = String(10_000_000 + Math.floor(Math.random() * 90_000_000));
  #principal: Principal | undefined;
  #first: RequestPath | undefined;
  #userAgent = "";
  #viewer: Viewer | undefined;
  #publisher: Publisher | undefined;
  #publishing: { readonly handle: StreamHandle; readonly timeoutMs: number } | undefined;
  #isUdp: boolean | undefined;
  #hasSession = false;
  // By track number.
  readonly #stopWatching = new Map<number, () => void>();

  constructor(conn: StreamConn, peer: Peer, parts: ServerParts) {
    this.#peer = { ...peer, host: plainHost(peer.host) };
    this.#parts = parts;
    this.#login = new ServerLogin(parts.identify, this.#peer, parts.config);
    this.#connection = new ServerConnection(conn, this.#peer, parts.log, this);
  }

  /** Serves the connection until its end. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#connection.run(signal);
    } finally {
      this.#viewer?.leave();
      this.#publisher?.end();
      for (const stop of this.#stopWatching.values()) stop();
    }
  }

  get outlet(): StreamOutlet | undefined {
    return this.#viewer?.streamOutlet;
  }
  stopMedia(): void {
    this.#viewer?.pause();
  }
  onAnswered(): void {
    // The answer to PLAY goes out before media.
    this.#viewer?.begin();
  }
  onPacket(channel: number, packet: Uint8Array, nowMs: number): void {
    if (this.#publisher) this.#publisher.onPacket(channel, packet, nowMs);
    else this.#viewer?.onPacket(channel, packet, nowMs);
  }

  async answer(request: RtspRequest): Promise<Answer> {
    const answer = await this.#answer(request);
    const limitMs = this.#viewer?.timeoutMs ?? this.#publishing?.timeoutMs;
    if (!this.#hasSession || limitMs === undefined) return answer;
    const timeoutS = Math.max(1, Math.floor(limitMs / 1000));
    const session = ["Session", `${this.#sessionId};timeout=${timeoutS}`] as const;
    return { ...answer, headers: [session, ...answer.headers ?? []] };
  }

  #answer(request: RtspRequest): Answer | Promise<Answer> {
    this.#first ??= parseRequestPath(request.url);
    this.#userAgent ||= request.headers.get("User-Agent") ?? "";
    if (!this.#principal) {
      const result = this.#login.check(request);
      if (!("principal" in result)) return this.#refuse(result);
      this.#principal = result.principal;
    }
    switch (request.method) {
      case "OPTIONS":
        return { status: 200, headers: [["Public", PUBLIC]] };
      case "DESCRIBE":
        return this.#describe(request, this.#principal);
      case "ANNOUNCE":
        return this.#announce(request, this.#principal);
      case "SETUP":
        return this.#setup(request);
      case "PLAY":
        return this.#play();
      case "RECORD":
        return this.#record(this.#principal);
      case "PAUSE":
        return this.#pause();
      case "GET_PARAMETER":
      case "SET_PARAMETER":
        return { status: 200 };
      case "TEARDOWN":
        return { status: 200, closes: true };
      default:
        return { status: 501 };
    }
  }

  #refuse({ challenges, isWrong }: { challenges: readonly string[]; isWrong: boolean }): Answer {
    if (isWrong) {
      this.#parts.log.limited(`login ${this.#peer.host}`, "warn", "refused a wrong password", {
        peer: hostPort(this.#peer),
      });
    }
    return { status: 401, headers: challenges.map((one) => ["WWW-Authenticate", one] as const), closes: isWrong };
  }

  // The connection's first URL counts for requests that carry none of their own.
  #pathOf(request: RtspRequest): RequestPath {
    const own = parseRequestPath(request.url);
    return own.name === "" && this.#first ? this.#first : own;
  }

  #find({ name }: RequestPath, principal: Principal): StreamHandle | undefined {
    return this.#parts.streams.get(name, principal) ??
      (name.endsWith("/") ? this.#parts.streams.get(name.slice(0, -1), principal) : undefined);
  }

  async #describe(request: RtspRequest, principal: Principal): Promise<Answer> {
    if (this.#publisher || this.#connection.isRunning) return { status: 455 };
    const path = this.#pathOf(request);
    const options = viewerOptions(path.query, this.#parts.config);
    const { signal } = this.#connection;
    const facts = { remoteAddr: hostPort(this.#peer), userAgent: this.#userAgent };
    const viewer = new Viewer(options, facts, (reason) => this.#connection.end(reason));
    this.#viewer?.leave();
    this.#viewer = undefined;
    try {
      const handle = this.#find(path, principal);
      if (!handle) throw new StreamError("NOT_FOUND", "stream not found");
      viewer.enter(handle.start, await handle.attach(viewer, principal, signal));
    } catch (error) {
      viewer.leave();
      if (signal.aborted) return { status: 503, closes: true };
      const text = messageOf(error);
      this.#parts.log[options.logLevel](text, { stream: path.name, peer: hostPort(this.#peer) });
      return failure(404, text);
    }
    this.#viewer = viewer;
    await whenDescribed(viewer.tracks, DESCRIBE_MS, signal);
    return { status: 200, headers: [["Content-Type", "application/sdp"]], body: viewer.describe() };
  }

  #announce(request: RtspRequest, principal: Principal): Answer {
    if (this.#viewer || this.#connection.isRunning) return { status: 455 };
    const type = request.headers.get("Content-Type") ?? "";
    if (!/^application\/sdp\b/i.test(type)) return failure(400, "expected Content-Type: application/sdp");
    const path = this.#pathOf(request);
    const handle = this.#find(path, principal);
    if (!handle) return failure(404, "stream not found");
    if (!principal.can("publish", handle.name)) {
      return failure(403, `${principal.name} may not publish to this stream`);
    }
    let sdp: SdpSession;
    try {
      sdp = parseSdp(request.body);
    } catch (error) {
      return failure(400, messageOf(error));
    }
    const facts = { remoteAddr: hostPort(this.#peer), userAgent: this.#userAgent, sdp: request.body };
    this.#publisher?.end();
    this.#publisher = new Publisher(
      sdp,
      facts,
      () => this.#connection.bytesReceived,
      () => this.#connection.end("the stream was closed"),
    );
    this.#publishing = { handle, timeoutMs: timeoutOf(path.query, PUBLISHER_MS) };
    return { status: 200 };
  }

  #setup(request: RtspRequest): Answer {
    if (this.#connection.isRunning) return { status: 455 };
    const number = parseTrackNumber(request.url);
    const specs = parseTransports(request.headers.get("Transport") ?? "");
    const spec = specs.find((one) => this.#isUsable(one));
    if (!spec) return { status: 461 };
    // It is small, and a way back over UDP would need ports of its own.
    if (!spec.isInterleaved && this.#viewer?.lineOf(number) === "microphone") return { status: 461 };
    let transport: string | undefined;
    try {
      transport = this.#publisher
        ? this.#setupPublisher(this.#publisher, request, number, spec)
        : this.#viewer && this.#setupViewer(this.#viewer, number, spec);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      // No UDP ports: players try TCP then.
      this.#parts.log.limited("udp", "warn", messageOf(error), { peer: hostPort(this.#peer) });
      return { status: 461 };
    }
    if (transport === undefined) return failure(this.#viewer || this.#publisher ? 400 : 455, "no such track");
    this.#isUdp = !spec.isInterleaved;
    this.#hasSession = true;
    return { status: 200, headers: [["Transport", transport]] };
  }

  // All tracks of a session come the same way.
  #isUsable(spec: TransportSpec): boolean {
    if (!spec.isPlain || spec.isMulticast) return false;
    if (this.#isUdp !== undefined && this.#isUdp === spec.isInterleaved) return false;
    if (spec.isInterleaved) return true;
    // A link-local address is of no use to a socket without its interface, which is not known.
    return spec.clientPorts !== undefined && this.#peer.transport === "tcp" && !/^fe80:/i.test(this.#peer.host);
  }

  #setupViewer(viewer: Viewer, wanted: number, spec: TransportSpec): string | undefined {
    const number = wanted < 0 ? viewer.onlyNumber : wanted;
    const line = viewer.lineOf(number);
    if (!line) return undefined;
    if (line === "microphone") {
      viewer.addMicrophone();
      return `RTP/AVP/TCP;unicast;interleaved=${number * 2}-${number * 2 + 1}`;
    }
    if (spec.isInterleaved) {
      viewer.add(number, "interleaved");
      return `RTP/AVP/TCP;unicast;interleaved=${number * 2}-${number * 2 + 1}`;
    }
    const { host } = this.#peer;
    const [rtpPort, rtcpPort] = spec.clientPorts!;
    const pair = this.#parts.ports.pair(plainHost(this.#connection.localHost));
    // To the peer himself and nobody else, whatever `destination` says.
    const ssrc = viewer.add(number, {
      rtp: new UdpSender(pair.rtp, { host, port: rtpPort }),
      rtcp: new UdpSender(pair.rtcp, { host, port: rtcpPort }),
    });
    this.#stopWatching.get(number)?.();
    const onLife = () => this.#connection.extend(performance.now());
    this.#stopWatching.set(number, this.#parts.ports.watch(host, [rtpPort, rtcpPort], onLife));
    const ours = `server_port=${pair.port}-${pair.port + 1};ssrc=${ssrc.toString(16).padStart(8, "0").toUpperCase()}`;
    return `RTP/AVP;unicast;client_port=${rtpPort}-${rtcpPort};${ours}`;
  }

  #setupPublisher(
    publisher: Publisher,
    request: RtspRequest,
    number: number,
    spec: TransportSpec,
  ): string | undefined {
    const index = publisher.lineOf(request.url, number);
    if (index < 0) return undefined;
    if (spec.isInterleaved) {
      publisher.addInterleaved(index, spec.channel ?? index * 2);
      return spec.channel === undefined ? `${spec.text};interleaved=${index * 2}-${index * 2 + 1}` : spec.text;
    }
    const { host } = this.#peer;
    const [rtpPort, rtcpPort] = spec.clientPorts!;
    const port = publisher.addUdp(
      index,
      plainHost(this.#connection.localHost),
      (from) => plainHost(from) === host,
      (pair) => new UdpSender(pair.rtcp, { host, port: rtcpPort }),
      (nowMs) => this.#connection.extend(nowMs),
    );
    return `RTP/AVP;unicast;client_port=${rtpPort}-${rtcpPort};server_port=${port}-${port + 1};mode=record`;
  }

  #play(): Answer {
    const viewer = this.#viewer;
    if (!viewer?.hasOutputs) return { status: 455 };
    this.#connection.start(viewer.timeoutMs);
    viewer.play(this.#connection.outletConn());
    return { status: 200 };
  }

  // A publisher that pauses sends nothing, which needs no help.
  #pause(): Answer {
    if (this.#publisher && this.#connection.isRunning) return { status: 200 };
    if (!this.#viewer?.isPlaying) return { status: 455 };
    this.#viewer.pause();
    return { status: 200 };
  }

  async #record(principal: Principal): Promise<Answer> {
    const publisher = this.#publisher;
    const publishing = this.#publishing;
    if (!publisher?.hasLines || !publishing) return { status: 455 };
    // It goes on after a pause.
    if (this.#connection.isRunning) return { status: 200 };
    this.#connection.start(publishing.timeoutMs);
    const { handle } = publishing;
    const published = handle.publish(publisher, principal, this.#connection.signal);
    const warn = (error: unknown) =>
      this.#parts.log.warn(messageOf(error), { stream: handle.name, peer: hostPort(this.#peer) });
    try {
      await Promise.race([publisher.begun, published]);
    } catch (error) {
      warn(error);
      return { ...failure(503, messageOf(error)), closes: true };
    }
    published.catch(warn).then(() => this.#connection.end("the stream takes no more frames"));
    return { status: 200 };
  }
}

function failure(status: number, text: string): Answer {
  return { status, headers: [["Content-Type", "text/plain"]], body: `${text}\n`, closes: status === 404 };
}
