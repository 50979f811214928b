/** For the player's test: a server of the pages with an `/api/ws` that plays a clip as MSE. */
import { type Browser, chromium } from "playwright-core";
import {
  type Codec,
  codec,
  fmp4InitSegment,
  fmp4Mime,
  fmp4RenditionOf,
  Fmp4Timeline,
  type Frame,
  inspect,
  makeAudioSpecificConfig,
  parseAvcConfig,
  Reader,
  readFmp4,
  type ServerSocket,
  SinkOutlet,
  splitLengthPrefixed,
  Track,
  Units,
  upgradeWebSocket,
  withParameterSets,
} from "../../core/mod.ts";
import { StaticFolder } from "./static_folder.ts";

const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
  // Names of the local network cannot be resolved everywhere tests run.
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/** A name of this machine that browsers do not think of as secure. */
export const INSECURE_HOST = "camera.test";

export function openBrowser(): Promise<Browser> {
  const args = [...FLAGS, `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`];
  return chromium.launch({ executablePath: "/usr/bin/chromium", args });
}

interface Sound {
  readonly codec: Codec;
  readonly frames: readonly Uint8Array[];
}

interface Picture {
  readonly codec: Codec;
  readonly frames: readonly { readonly units: readonly Uint8Array[]; readonly isKeyframe: boolean }[];
}

/** Reads the pictures of a fragmented MP4. */
export function picturesOf(file: Uint8Array): Picture {
  const video = readFmp4(file).tracks.find((track) => track.handler === "vide")!;
  const { parameterSets, lengthSize } = parseAvcConfig(video.config.get("avcC")!);
  const known = withParameterSets(codec("H264"), parameterSets);
  const frames = video.samples.map(({ bytes }) => {
    const units = splitLengthPrefixed(bytes, lengthSize);
    return { units, isKeyframe: inspect(known, units).isKeyframe };
  });
  return { codec: known, frames };
}

/** Reads the sound of a fragmented MP4: AAC of 48 kHz. */
export function soundOf(file: Uint8Array): Sound {
  const audio = readFmp4(file).tracks.find((track) => track.handler === "soun")!;
  const config = makeAudioSpecificConfig({ objectType: 2, sampleRate: 48000, channels: 2 });
  const known = withParameterSets(codec("MPEG4-GENERIC", { clockRate: 48000, channels: 2 }), [config]);
  return { codec: known, frames: audio.samples.map(({ bytes }) => bytes) };
}

/** Feeds tracks in real time, 25 pictures and 46.875 sounds a second. */
export class LiveFeed implements Disposable {
  readonly video: Track;
  readonly audio: Track;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #sound: Sound;
  readonly #startMs = performance.now();
  #picture: Picture;
  #at = 0;
  #pictures = 0;
  #sounds = 0;
  #isHeld = false;
  #isAway = false;

  constructor(picture: Picture, sound: Sound) {
    this.#picture = picture;
    this.#sound = sound;
    this.video = new Track(0, picture.codec);
    this.audio = new Track(1, sound.codec);
    this.#timer = setInterval(() => this.#feed(), 5);
  }

  /** Goes on with other pictures, from their first keyframe. */
  switchTo(picture: Picture): void {
    this.#picture = picture;
    this.#at = 0;
  }
  /** Nothing comes until `false`; then all that was held back comes in one go. */
  set isHeld(value: boolean) {
    this.#isHeld = value;
  }

  /** What is due until `false` never comes; then the tracks begin anew, in the middle of a GOP. */
  set isAway(value: boolean) {
    this.#isAway = value;
    if (!value) { for (const track of [this.video, this.audio]) track.restart(); }
  }

  #feed(): void {
    if (this.#isHeld) return;
    const seconds = (performance.now() - this.#startMs) / 1000;
    for (; this.#pictures / 25 <= seconds; this.#pictures++) {
      const { codec, frames } = this.#picture;
      const { units, isKeyframe } = frames[this.#at++ % frames.length]!;
      if (this.#isAway) continue;
      this.video.append({ payload: new Units(units), isKeyframe, pts: this.#pictures * 3600, codec });
    }
    for (; this.#sounds * 1024 / 48000 <= seconds; this.#sounds++) {
      if (this.#isAway) continue;
      const frame = this.#sound.frames[this.#sounds % this.#sound.frames.length]!;
      this.audio.append({ payload: new Units([frame]), isKeyframe: true, pts: this.#sounds * 1024 });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.video.close();
    this.audio.close();
  }
}

/** The pages, and `/api/ws` with MSE of a feed; what else is asked for is answered with an error, or not at all. */
export class PlayerServer implements AsyncDisposable {
  readonly messages: string[] = [];
  readonly #folder = new StaticFolder(new URL("../../www/", import.meta.url));
  readonly #feed: LiveFeed;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #sockets = new Set<ServerSocket>();
  /** Answers other requests than those of the player. */
  respond: (url: URL) => Promise<Response> | undefined = () => undefined;
  /** Answers other messages than `mse`; by default WebRTC offers are refused, and the rest is not known. */
  answer: (socket: ServerSocket, type: string, value: string) => void | Promise<void> = (socket, type) => {
    if (type === "webrtc/offer") {
      socket.send(JSON.stringify({ type: "error", value: "webrtc/offer: codecs not matched" }));
    }
  };

  constructor(feed: LiveFeed) {
    this.#feed = feed;
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const url = new URL(request.url);
      if (url.pathname === "/api/ws") return this.#accept(request);
      return this.respond(url) ?? this.#folder.respond(url.pathname.slice(1), request.headers);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }
  get connections(): number {
    return this.#sockets.size;
  }

  closeSockets(reason: string): void {
    for (const socket of this.#sockets) socket.close(1001, reason);
  }

  #accept(request: Request): Response {
    const { response, socket } = upgradeWebSocket(request);
    let outlet: SinkOutlet | undefined;
    socket.onOpen = () => this.#sockets.add(socket);
    socket.onClose = () => {
      this.#sockets.delete(socket);
      outlet?.end("closed");
    };
    socket.onMessage = async (message) => {
      const { type, value } = JSON.parse(String(message)) as { type: string; value?: string };
      this.messages.push(type);
      if (type === "mse") outlet ??= this.play(socket, value ?? "");
      else await this.answer(socket, type, value ?? "");
    };
    return response;
  }

  /** A file with the newest keyframe, as the `mp4` technology has it. */
  still(): Uint8Array | undefined {
    const { video } = this.#feed;
    const { keyframe } = video.log;
    if (!keyframe) return undefined;
    const { rendition, release } = fmp4RenditionOf(video);
    const bytes = rendition.bytes(keyframe, { timeDelta: -keyframe.timestamp, sequenceDelta: 0 });
    release();
    return new Uint8Array([...fmp4InitSegment([video]), ...bytes]);
  }

  /** Answers `mse`. */
  play = (socket: ServerSocket, wanted: string): SinkOutlet | undefined => {
    const tracks = wanted.includes("mp4a") ? [this.#feed.video, this.#feed.audio] : [this.#feed.video];
    const renditions = new Map(tracks.map((track) => [track, fmp4RenditionOf(track)]));
    const reader = new Reader(tracks, { start: "now", dropsCorrupt: true });
    let type = "";
    const header = (): Uint8Array => fmp4InitSegment(tracks);
    const announce = () => {
      const next = fmp4Mime(tracks.map((track) => track.codec));
      if (next !== type) socket.send(JSON.stringify({ type: "mse", value: next }));
      type = next;
    };
    announce();
    socket.send(header());
    let generation = this.#feed.video.generation;
    const timeline = new Fmp4Timeline();
    const render = (frame: Frame): Uint8Array | undefined => {
      const bytes = timeline.bytes(renditions.get(reader.track)!.rendition, frame, reader.edit);
      if (!bytes || reader.track.kind !== "video" || frame.generation === generation) return bytes;
      generation = frame.generation;
      announce();
      return new Uint8Array([...header(), ...bytes]);
    };
    const outlet = new SinkOutlet(socket, {
      reader,
      render,
      onEnd: () => renditions.forEach((one) => one.release()),
    });
    outlet.pump();
    return outlet;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.closeSockets("the test is over");
    await this.#server.shutdown();
  }
}
