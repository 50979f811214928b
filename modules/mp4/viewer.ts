import {
  type Attachment,
  awaitParameterSets,
  type Codec,
  type ConnectionInfo,
  type Consumer,
  fmp4InitSegment,
  fmp4Mime,
  type Fmp4Rendition,
  fmp4RenditionOf,
  Fmp4Timeline,
  type Frame,
  hasSameParameters,
  type Media,
  type Principal,
  Reader,
  type Start,
  type StreamHandle,
  type Track,
} from "../../core/mod.ts";

/** What a viewer is made with. */
export interface ViewerOptions {
  readonly formatName: string;
  readonly protocol: string;
  readonly remoteAddr: string;
  readonly userAgent: string;
  readonly medias: readonly Media[];
  readonly start: Start;
  /** Turns and stretches the picture by what the header says. */
  readonly shape?: { readonly rotate?: number; readonly scale?: [number, number] };
  /** Pictures only where a decoder can start, each with a header of its own. */
  readonly isStills?: boolean;
  /** Whoever is given its bytes copies them before another viewer is served. */
  readonly isCopiedAtOnce?: boolean;
  /** What a still needs instead of the right to watch. */
  readonly right?: "snapshot";
  /** The stream lets it go. */
  readonly onClose: (reason: string) => void;
}

interface Output {
  readonly rendition: Fmp4Rendition;
  release(): void;
  /** The codec of the header that the viewer has. */
  codec: Codec;
  bytes: number;
  packets: number;
}

/** How long to wait for the parameter sets of a source that does not describe itself. */
const DESCRIBE_MS = 5000;

/**
 * Somebody who watches a stream as fragmented MP4. All share the fragments; each has its own time base, as players
 * expect media to begin at zero, so what it is sent is a copy with other times.
 */
export class Mp4Viewer implements Consumer, Disposable {
  readonly medias: readonly Media[];
  readonly right?: "snapshot";
  readonly #options: ViewerOptions;
  readonly #outputs = new Map<Track, Output>();
  #attachment: Attachment | undefined;
  #reader: Reader | undefined;
  readonly #timeline: Fmp4Timeline;
  /** What the next bytes are to begin with. */
  #header: Uint8Array | undefined;
  #notice: string | undefined;
  #bytesSent = 0;

  private constructor(options: ViewerOptions) {
    this.#options = options;
    this.medias = options.medias;
    this.#timeline = new Fmp4Timeline({ isCopiedAtOnce: options.isCopiedAtOnce ?? false });
    if (options.right) this.right = options.right;
  }

  /** Attaches to a stream and waits until the header can be written. Rejects in the contract's words. */
  static async attach(
    stream: StreamHandle,
    principal: Principal,
    options: ViewerOptions,
    signal?: AbortSignal,
  ): Promise<Mp4Viewer> {
    const viewer = new Mp4Viewer(options);
    const attachment = await stream.attach(viewer, principal, signal);
    try {
      viewer.#attachment = attachment;
      const tracks = attachment.assignments.map(({ track }) => track);
      for (const track of tracks) viewer.#addOutput(track);
      viewer.#reader = new Reader(tracks, { start: options.start, dropsCorrupt: true });
      attachment.onReplaced = (was, is) => viewer.#replace(was, is);
      await awaitParameterSets(tracks, DESCRIBE_MS, signal);
      signal?.throwIfAborted();
      for (const [track, output] of viewer.#outputs) output.codec = track.codec;
      // What cannot be written is to be known while the viewer is still ours to close.
      void viewer.initSegment;
      void viewer.mime;
    } catch (error) {
      viewer[Symbol.dispose]();
      throw error;
    }
    return viewer;
  }

  get reader(): Reader {
    return this.#reader!;
  }

  get info(): ConnectionInfo {
    const { formatName, protocol, remoteAddr, userAgent, start } = this.#options;
    const skips = this.#reader?.skips ?? 0;
    return {
      formatName,
      protocol,
      remoteAddr,
      userAgent,
      bytesSent: this.#bytesSent,
      start,
      ...(skips > 0 ? { skips } : {}),
    };
  }

  sent(track: Track): { bytes: number; packets: number; drops: number } {
    const output = this.#outputs.get(track);
    const drops = track.kind === "video" ? this.#reader?.dropped ?? 0 : 0;
    return { bytes: output?.bytes ?? 0, packets: output?.packets ?? 0, drops };
  }

  close(reason: string): void {
    this.#options.onClose(reason);
  }

  #addOutput(track: Track): void {
    const { rendition, release } = fmp4RenditionOf(track);
    this.#outputs.set(track, { rendition, release, codec: track.codec, bytes: 0, packets: 0 });
  }

  #replace(was: Track, is: Track): void {
    const output = this.#outputs.get(was);
    if (!output || !this.#reader) return;
    output.release();
    this.#outputs.delete(was);
    this.#addOutput(is);
    // The viewer has the header of the track before.
    this.#outputs.get(is)!.codec = output.codec;
    this.#reader.replace(was, is);
  }

  get #codecs(): Codec[] {
    return this.#ordered.map(([, output]) => output.codec);
  }
  // Headers list the tracks by number, which stays when one is replaced.
  get #ordered(): [Track, Output][] {
    return [...this.#outputs].sort(([a], [b]) => a.id - b.id);
  }

  /** The type of what it is sent: `video/mp4; codecs="…"`. */
  get mime(): string {
    return fmp4Mime(this.#codecs);
  }

  /** The header of what it is sent. */
  get initSegment(): Uint8Array {
    return fmp4InitSegment(
      this.#ordered.map(([track, output]) => ({ id: track.id, codec: output.codec })),
      this.#options.shape,
    );
  }

  /** The bytes of a frame for this viewer; with another header in front when the codec has changed. */
  readonly render = (frame: Frame, reader: Reader): Uint8Array | undefined => {
    const { track } = reader;
    const output = this.#outputs.get(track);
    if (!output || (this.#options.isStills && !frame.isKeyframe)) return undefined;
    if (reader.isNewGeneration) {
      const codec = track.codecOf(frame.generation);
      if (!hasSameParameters(codec, output.codec)) {
        const before = this.mime;
        output.codec = codec;
        this.#header = this.initSegment;
        if (this.mime !== before) this.#notice = this.mime;
      }
    }
    const bytes = this.#timeline.bytes(output.rendition, frame, reader.edit);
    if (!bytes) return undefined;
    output.bytes += bytes.length;
    output.packets++;
    this.#bytesSent += bytes.length;
    const header = this.#options.isStills ? this.initSegment : this.#header;
    this.#header = undefined;
    return header ? join(header, bytes) : bytes;
  };

  /** The type that the bytes rendered last begin, if it is another than before. */
  takeNotice(): string | undefined {
    const notice = this.#notice;
    this.#notice = undefined;
    return notice;
  }

  [Symbol.dispose](): void {
    this.#reader?.[Symbol.dispose]();
    for (const output of this.#outputs.values()) output.release();
    this.#outputs.clear();
    this.#attachment?.detach();
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
