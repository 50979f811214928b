/** A camera that others wrote (werift), and signalling that records what it is told, for tests of sources. */
import {
  codec,
  type Media,
  openAccel,
  parseSourceUrl,
  type Producer,
  type ProducerIo,
  Track,
} from "../../../core/mod.ts";
import { RtpHeader, RtpPacket } from "werift";
import { weriftPeer } from "../engine_testing.ts";
import { silentLogger } from "../ice_testing.ts";
import { IceTransport } from "../ice_transport.ts";
import type { IceServer } from "../options.ts";
import { openWebRtcSource } from "./mod.ts";
import type { OpenSource } from "./open_sources.ts";

const H264 = codec("H264");
const PCMA = codec("PCMA", { clockRate: 8000 });
/** A keyframe as far as anybody looks at it. */
export const PICTURE = Uint8Array.of(0x65, 1, 2, 3, 4, 5);

/** A camera with picture, sound and speaker that sends as soon as it is connected. */
export class FakeCamera implements AsyncDisposable {
  /** The payload of the first packet that its speaker gets. */
  readonly heard: Promise<Uint8Array>;
  readonly #pc = weriftPeer([H264, PCMA]);
  #sending: ReturnType<typeof setInterval> | undefined;

  /** Without sound where the other side wants none. */
  constructor(hasSound = true) {
    const heard = Promise.withResolvers<Uint8Array>();
    this.heard = heard.promise;
    this.#pc.onTrack.subscribe((track) => track.onReceiveRtp.once(({ payload }) => heard.resolve(payload)));
    const video = this.#pc.addTransceiver("video", { direction: "sendonly" });
    const audio = hasSound ? this.#pc.addTransceiver("audio", { direction: "sendonly" }) : undefined;
    let sequence = 0;
    this.#pc.connectionStateChange.subscribe((state) => {
      if (state !== "connected") return;
      this.#sending ??= setInterval(() => {
        sequence++;
        const picture = new RtpHeader({ marker: true, sequenceNumber: sequence, timestamp: sequence * 1800 });
        const sound = new RtpHeader({ sequenceNumber: sequence, timestamp: sequence * 160 });
        video.sender.sendRtp(new RtpPacket(picture, Buffer.from(PICTURE)));
        audio?.sender.sendRtp(new RtpPacket(sound, Buffer.alloc(160, 0xd5)));
      }, 20);
    });
  }

  /** Its answer to an offer, complete. */
  async answer(sdp: string): Promise<string> {
    await this.#pc.setRemoteDescription({ type: "offer", sdp });
    await this.#pc.setLocalDescription(await this.#pc.createAnswer());
    return this.#pc.localDescription!.sdp;
  }

  /** Its offer, complete. */
  async offer(): Promise<string> {
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    return this.#pc.localDescription!.sdp;
  }

  async takeAnswer(sdp: string): Promise<void> {
    await this.#pc.setRemoteDescription({ type: "answer", sdp });
  }

  async addCandidate(candidate: string): Promise<void> {
    await this.#pc.addIceCandidate({ candidate, sdpMLineIndex: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sending);
    await this.#pc.close();
  }
}

/** A description without its candidates, and those. */
export function withoutCandidates(sdp: string): { sdp: string; candidates: string[] } {
  const lines = sdp.split(/\r?\n/);
  const isCandidate = (line: string) => /^a=(candidate:|end-of-candidates)/.test(line);
  return {
    sdp: lines.filter((line) => !isCandidate(line)).join("\r\n"),
    candidates: lines.filter((line) => line.startsWith("a=candidate:")).map((line) => line.slice(2)),
  };
}

/** A source that is being watched. */
export class Watched implements AsyncDisposable {
  readonly producer: Producer;
  readonly live: Promise<void>;
  readonly tracks = new Map<Media, Track>();
  /** What the speaker reads, where there is one. */
  readonly microphone = new Track(9, PCMA);
  readonly ended: Promise<void>;
  readonly #controller = new AbortController();

  constructor(producer: Producer) {
    const live = Promise.withResolvers<void>();
    this.live = live.promise;
    this.producer = producer;
    const io: ProducerIo = {
      signal: this.#controller.signal,
      track: (media) => {
        const track = new Track(this.tracks.size, media.codecs[0]!);
        this.tracks.set(media, track);
        return track;
      },
      speaker: (media) =>
        media.codecs.some(({ name }) => name === "PCMA") ? { track: this.microphone, codec: PCMA } : undefined,
      live: () => live.resolve(),
    };
    this.ended = producer.run(io);
    this.ended.catch(() => {});
  }

  /** The bytes of the first frame of a kind. */
  async first(kind: "video" | "audio"): Promise<Uint8Array> {
    const { log } = [...this.tracks.values()].find((one) => one.kind === kind)!;
    if (!log.newest) {
      await new Promise<void>((resolve) => {
        const cursor = {
          index: Infinity,
          wake: () => {
            log.removeCursor(cursor);
            resolve();
          },
        };
        log.addCursor(cursor);
      });
    }
    return log.newest!.payload.units()[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.ended.catch(() => {});
  }
}

/** Opens sources as the module does, on loopback. */
export class SourceOpener implements Disposable {
  readonly warnings: string[] = [];
  readonly #transports: IceTransport[] = [];
  readonly #accel = openAccel("off");

  /** The config's. */
  iceServers: readonly IceServer[] = [];
  /** The sources that are open. */
  readonly sources = new Set<OpenSource>();

  async open(source: string, signal: AbortSignal = new AbortController().signal): Promise<Producer> {
    const log = {
      ...silentLogger,
      limited: (_key: string, _level: string, message: string) => void this.warnings.push(message),
    };
    const io = { signal, log, stream: "cam", isTrusted: true, wanted: [], wantsSpeaker: false };
    const openTransport = async () => {
      const transport = await IceTransport.open({
        listen: "127.0.0.1:0/udp",
        candidates: [],
        filters: {},
        serverUrls: [],
        log: silentLogger,
        openListener: () => Promise.reject(new Error("The test has no TCP")),
      });
      this.#transports.push(transport);
      return transport;
    };
    const { iceServers, sources } = this;
    return await openWebRtcSource(parseSourceUrl(source), io, {
      openTransport,
      iceServers,
      sources,
      accel: this.#accel,
    });
  }

  async watch(source: string): Promise<Watched> {
    return new Watched(await this.open(source));
  }

  /** Sessions and sockets that are open. */
  get leftovers(): number {
    return this.#transports.reduce((sum, { stats, udpAddresses }) => sum + stats.sessions + udpAddresses.length, 0);
  }

  /** Waits until all that servers gave is given back. */
  async released(): Promise<void> {
    await Promise.all(Array.from(this.sources, ({ peer }) => peer.released));
  }

  [Symbol.dispose](): void {
    this.#accel[Symbol.dispose]();
  }
}

/** A request that a fake server got. */
export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** An HTTP server whose requests are kept. */
export class FakeServer implements AsyncDisposable {
  readonly got: Got[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #arrived = new EventTarget();

  constructor(answer: (got: Got, index: number) => Response | Promise<Response>, tls?: { cert: string; key: string }) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {}, ...tls }, async (request) => {
      const { method, headers, url } = request;
      const { pathname, search } = new URL(url);
      const got = { method, path: pathname + search, headers, body: await request.text() };
      const index = this.got.push(got) - 1;
      this.#arrived.dispatchEvent(new Event("request"));
      return await answer(got, index);
    });
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** Waits until so many requests have come. */
  async until(count: number): Promise<void> {
    while (this.got.length < count) {
      await new Promise((resolve) => this.#arrived.addEventListener("request", resolve, { once: true }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

type Message = Readonly<Record<string, unknown>>;

/** A WebSocket server for one client, whose messages are kept in order. */
export class FakeSocket implements AsyncDisposable {
  /** What the client came with. */
  readonly request: Promise<{ readonly url: string; readonly authorization: string | null }>;
  readonly messages: Message[] = [];
  readonly closed: Promise<void>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(serve: (message: Message | undefined, send: (message: unknown) => void) => void | Promise<void>) {
    const request = Promise.withResolvers<{ url: string; authorization: string | null }>();
    const closed = Promise.withResolvers<void>();
    this.request = request.promise;
    this.closed = closed.promise;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (got) => {
      request.resolve({ url: got.url, authorization: got.headers.get("authorization") });
      const { socket, response } = Deno.upgradeWebSocket(got);
      const send = (message: unknown) => {
        if (socket.readyState === WebSocket.OPEN) {
          socket.send(typeof message === "string" ? message : JSON.stringify(message));
        }
      };
      socket.onopen = () => serve(undefined, send);
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data) as Message;
        this.messages.push(message);
        serve(message, send);
      };
      socket.onclose = () => closed.resolve();
      return response;
    });
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
