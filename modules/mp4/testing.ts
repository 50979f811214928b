/** A stream, a request and a socket that tests own. */
import {
  type ApiSocket,
  type Attachment,
  type Codec,
  codec,
  type Consumer,
  type Peer,
  type RouteRequest,
  type ServerSocket,
  type StreamHandle,
  systemPrincipal,
  Track,
  Units,
  withParameterSets,
} from "../../core/mod.ts";

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

/** Baseline, 320x240, and Main, 1280x720. */
export const small: Codec = withParameterSets(codec("H264"), [bytesOf("Z0LADYyNQKD5APCIRqA="), bytesOf("aM48gA==")]);
export const large: Codec = withParameterSets(codec("H264"), [
  bytesOf("Z01AH9sBQBbpqAgICgAAAwACAAADAGQeMGXA"),
  bytesOf("aOrCyyA="),
]);
export const pcma: Codec = codec("PCMA", { clockRate: 8000 });

interface Feed {
  /** The first picture is one. */
  readonly isKeyframe?: boolean;
  /** The track in the place of the stream's own. */
  readonly video?: Track;
  readonly codec?: Codec;
}

/** A stream of one camera, fed by hand at 25 pictures a second. */
export class TestStream implements StreamHandle {
  readonly name = "cam";
  readonly video: Track;
  readonly audio: Track;
  consumers: Consumer[] = [];
  attachment: Attachment | undefined;
  /** Called when a viewer has left. */
  onLeft: () => void = () => {};
  #pts = 0;
  #nowMs = 1000;

  constructor(video: Codec = small) {
    this.video = new Track(0, video);
    this.audio = new Track(1, pcma);
  }

  attach(consumer: Consumer): Promise<Attachment> {
    const wants = (track: Track) => ({ codecs }: { codecs: readonly Codec[] }) =>
      codecs.some(({ name }) => name === track.codec.name);
    const assignments = [this.video, this.audio].flatMap((track) => {
      const media = consumer.medias.find(wants(track));
      return media ? [{ media, track }] : [];
    });
    this.consumers.push(consumer);
    const detach = () => {
      if (!this.consumers.includes(consumer)) return;
      this.consumers = this.consumers.filter((one) => one !== consumer);
      this.onLeft();
    };
    this.attachment = { assignments, detach, onReplaced: undefined, [Symbol.dispose]: detach };
    return Promise.resolve(this.attachment);
  }

  publish(): Promise<void> {
    return Promise.resolve();
  }

  /** Appends pictures, each with 40 ms of sound. */
  feed(count: number, options: Feed = {}): void {
    const { isKeyframe = false, video = this.video } = options;
    const { codec = video.codec } = options;
    for (let i = 0; i < count; i++) {
      const isKey = isKeyframe && i === 0;
      const arrivalMs = this.#nowMs += 40;
      const unit = Uint8Array.of(isKey ? 0x65 : 0x41, 0x80, ...new Uint8Array(50));
      video.append({ payload: new Units([unit]), pts: this.#pts, dts: this.#pts, isKeyframe: isKey, codec, arrivalMs });
      const sound = new Units([new Uint8Array(320).fill(0xd5)]);
      this.audio.append({ payload: sound, pts: this.#pts / 90 * 8, isKeyframe: true, arrivalMs });
      this.#pts += 3600;
    }
  }
}

const peer: Peer = { transport: "tcp", host: "127.0.0.1", port: 1 };

/** Lets everything happen that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A request with a query. */
export function request(query: string, signal?: AbortSignal): RouteRequest {
  const url = new URL(`http://127.0.0.1/?${query}`);
  return {
    request: new Request(url, signal ? { signal } : {}),
    url,
    query: url.searchParams,
    principal: systemPrincipal,
    peer,
    remoteAddr: "127.0.0.1:1",
  };
}

/** The wire of a {@linkcode TestSocket}: it keeps what is sent, and takes as much as its test lets it. */
class TestWire implements ServerSocket {
  readonly sent: (string | Uint8Array)[] = [];
  bufferedAmount = 0;
  isOpen = true;
  /** The reason of the server, when it has closed. */
  closeReason: string | undefined;
  onOpen: (() => void) | undefined;
  onMessage: ((message: string | Uint8Array) => void) | undefined;
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;

  // A socket copies at once: the sender uses its bytes again.
  send(message: string | Uint8Array): void {
    if (!this.isOpen) throw new TypeError("WebSocket is not open");
    this.sent.push(typeof message === "string" ? message : message.slice());
  }
  close(_code?: number, reason?: string): void {
    this.isOpen = false;
    this.closeReason = reason;
  }
}

/** A socket of `/api/ws`. */
export class TestSocket implements ApiSocket, Disposable {
  readonly principal = systemPrincipal;
  readonly query: URLSearchParams;
  readonly remoteAddr = "127.0.0.1:1";
  readonly userAgent = "test";
  readonly socket = new TestWire();
  readonly #controller = new AbortController();
  readonly #undo: (() => void)[] = [];

  constructor(query = "src=cam") {
    this.query = new URLSearchParams(query);
  }
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  /** The JSON messages, and the binary ones. */
  get texts(): { type: string; value?: string }[] {
    return this.socket.sent.filter((one) => typeof one === "string").map((text) => JSON.parse(text));
  }
  get pieces(): Uint8Array[] {
    return this.socket.sent.filter((one) => typeof one !== "string");
  }
  send(type: string, value?: unknown): void {
    this.socket.send(JSON.stringify({ type, value }));
  }
  defer(undo: () => void): void {
    this.#undo.push(undo);
  }
  /** The peer goes away. */
  [Symbol.dispose](): void {
    this.socket.isOpen = false;
    this.#controller.abort();
    for (const undo of this.#undo.splice(0)) undo();
  }
}
