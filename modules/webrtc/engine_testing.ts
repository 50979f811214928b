/** The engine without a kernel, and a peer that nobody here wrote (werift), for tests. */
import {
  type Codec,
  type Logger,
  type Media,
  openAccel,
  type Principal,
  type Producer,
  type ProducerIo,
  Streams,
  systemPrincipal,
  Units,
} from "../../core/mod.ts";
import { RTCPeerConnection, RTCRtpCodecParameters } from "werift";
import { Engine } from "./engine.ts";
import { openListener } from "./ice_testing.ts";
import { IceTransport } from "./ice_transport.ts";
import type { Offer } from "./offer.ts";

/** A camera whose frames come when the test says so. */
export class TestCamera implements Producer {
  readonly info = { formatName: "test" };
  readonly medias: readonly Media[];
  readonly running = Promise.withResolvers<ProducerIo>();
  #pts = 0;

  constructor(...medias: Media[]) {
    this.medias = medias;
  }
  async run(io: ProducerIo): Promise<void> {
    this.running.resolve(io);
    await new Promise<void>((resolve) => io.signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  close(): void {}

  /** Appends a frame to the track of a media. */
  async feed(payload: Uint8Array, index = 0, ticks = 3600): Promise<void> {
    const io = await this.running.promise;
    io.live();
    this.#pts += ticks;
    io.track(this.medias[index]!)!.append({ payload: new Units([payload]), pts: this.#pts, isKeyframe: true });
  }
}

/** The engine with a stream `cam`. */
export class TestEngine implements AsyncDisposable {
  readonly engine: Engine;
  readonly transport: IceTransport;
  readonly streams: Streams;
  /** Log lines of level debug and above. */
  readonly lines: string[];

  private constructor(engine: Engine, transport: IceTransport, streams: Streams, lines: string[]) {
    this.engine = engine;
    this.transport = transport;
    this.streams = streams;
    this.lines = lines;
  }

  static async open(
    camera?: TestCamera,
    limits = { total: 100, per_ip: 100, connecting_per_ip: 20 },
    listen = "127.0.0.1:0/udp",
  ): Promise<TestEngine> {
    const lines: string[] = [];
    const log = recordingLogger(lines);
    const streams = new Streams({
      registry: {
        source: (scheme) => scheme === "test" && camera ? { open: () => Promise.resolve(camera) } : undefined,
        sink: () => undefined,
        redirect: () => undefined,
        isTrusted: () => false,
        schemes: () => ["test"],
      },
      store: { set: () => Promise.resolve(), remove: () => Promise.resolve(), has: () => false },
      log,
      logOf: () => log,
      emit: () => {},
    });
    streams.configure({ streams: { cam: camera ? "test://camera" : [] } });
    const transport = await IceTransport.open({
      listen,
      candidates: [],
      filters: {},
      serverUrls: [],
      log,
      openListener,
    });
    const engine = await Engine.open({ transport, accel: openAccel("off"), limits, iceServers: [], log });
    return new TestEngine(engine, transport, streams, lines);
  }

  /** An offer for `cam`. */
  offer(sdp: string, more: Partial<Offer> & { readonly role?: Offer["target"]["role"] } = {}): Offer {
    const { role = "viewer", principal = systemPrincipal } = more;
    return {
      sdp,
      target: { stream: this.streams.get("cam", systemPrincipal)!, role },
      principal: principal as Principal,
      formatName: "webrtc",
      protocol: "ws",
      remoteAddr: "192.0.2.7:1234",
      userAgent: "test",
      isTrickle: false,
      signal: new AbortController().signal,
      ...more,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close("the test is over");
    this.transport[Symbol.dispose]();
    await this.streams.close();
  }
}

function recordingLogger(lines: string[]): Logger {
  const write = (level: string) => (message: string, fields: object = {}) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return {
    trace() {},
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    limited: (_key, level, message, fields) => write(level)(message, fields),
  };
}

/** A peer on loopback that knows these codecs. */
export function weriftPeer(codecs: readonly Codec[]): RTCPeerConnection {
  const of = (kind: "video" | "audio") =>
    codecs.filter((one) => one.kind === kind).map(({ name, clockRate, channels }) =>
      new RTCRtpCodecParameters({
        mimeType: `${kind}/${name}`,
        clockRate,
        ...(channels > 0 ? { channels } : {}),
        rtcpFeedback: kind === "video" ? [{ type: "nack" }, { type: "nack", parameter: "pli" }] : [],
      })
    );
  return new RTCPeerConnection({
    codecs: { video: of("video"), audio: of("audio") },
    iceServers: [],
    iceAdditionalHostAddresses: ["127.0.0.1"],
  });
}
