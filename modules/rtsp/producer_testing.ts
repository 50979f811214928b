/** A producer that runs without a stream, for tests. */
import { type Logger, type Media, parseSourceUrl, type Producer, Track } from "../../core/mod.ts";
import type { Script } from "./fake_camera.ts";
import { openCamera } from "./producer.ts";

const silent: Logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, limited() {} };

/** The camera of a source, as stream `yard`. */
export function open(source: string, signal = new AbortController().signal): Promise<Producer> {
  return openCamera(parseSourceUrl(source), {
    signal,
    log: silent,
    stream: "yard",
    wanted: [],
    wantsSpeaker: false,
    isTrusted: true,
  });
}

/** A producer that runs, with a track for each media. */
export class Running implements AsyncDisposable {
  readonly tracks: Track[];
  readonly speaker: Track | undefined;
  readonly ended: Promise<Error | undefined>;
  isLive = false;
  readonly #controller = new AbortController();
  readonly #producer: Producer;

  constructor(producer: Producer, wants: (media: Media) => boolean = () => true) {
    this.#producer = producer;
    const tracks = new Map<Media, Track>();
    const speakers = new Map<Media, Track>();
    for (const media of producer.medias) {
      const track = new Track(tracks.size, media.codecs[0]!);
      if (media.direction === "sendonly") speakers.set(media, track);
      else if (wants(media)) tracks.set(media, track);
    }
    this.tracks = [...tracks.values()];
    this.speaker = [...speakers.values()][0];
    this.ended = producer.run({
      signal: this.#controller.signal,
      track: (media) => tracks.get(media),
      speaker: (media) => {
        const track = speakers.get(media);
        return track && { track, codec: media.codecs[0]! };
      },
      live: () => {
        this.isLive = true;
      },
    }).then(() => undefined, (error) => error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.ended;
    this.#producer.close();
    for (const track of this.tracks) track.close();
    this.speaker?.close();
  }
}

/** Resolves when a track has that many frames. */
export function frames(track: Track, count: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => track.frames >= count && (track.log.removeCursor(cursor), resolve());
    const cursor = { index: Infinity, wake: look };
    track.log.addCursor(cursor);
    look();
  });
}

/** The obedient camera, except for one method. */
export function except(base: Script, method: string, script: Script): Script {
  return (request, camera) => request.method === method ? script(request, camera) : base(request, camera);
}
