import type { ConnectionInfo, Media, Producer, ProducerIo, Track } from "../../core/mod.ts";
import type { Clip, ClipFrame, ClipTrack } from "./clip.ts";

/** After a sleep of the machine the clip goes on from where it was, instead of sending all that was missed. */
const MAX_LATE_MS = 1000;

/** Where one track of the clip is in its loop. */
interface Feed {
  readonly from: ClipTrack;
  readonly to: Track;
  next: number;
  turn: number;
}

/** Plays a clip again and again in real time, with times that go on from turn to turn. */
export class LoopProducer implements Producer {
  readonly medias: readonly Media[];
  readonly #clip: Clip;
  readonly #url: string;
  #bytes = 0;

  constructor(clip: Clip, url: string) {
    this.#clip = clip;
    this.#url = url;
    this.medias = clip.tracks.map(({ codec }) => ({ kind: codec.kind, direction: "recvonly", codecs: [codec] }));
  }

  get info(): ConnectionInfo {
    return { formatName: "demo", url: this.#url, bytesReceived: this.#bytes };
  }

  run(io: ProducerIo): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (io.signal.aborted) return Promise.resolve();
    const feeds = this.#feeds(io);
    let startMs = performance.now();
    let isLive = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = () => {
      clearTimeout(timer);
      resolve();
    };
    io.signal.addEventListener("abort", stop, { once: true });
    const step = () => {
      try {
        const nowMs = performance.now();
        const lateMs = nowMs - startMs - dueMs(soonest(feeds));
        if (lateMs > MAX_LATE_MS) startMs += lateMs;
        let feed = soonest(feeds);
        for (; startMs + dueMs(feed) <= nowMs; feed = soonest(feeds)) this.#append(feed);
        if (!isLive) io.live();
        isLive = true;
        if (!io.signal.aborted) timer = setTimeout(step, startMs + dueMs(feed) - nowMs);
      } catch (error) {
        io.signal.removeEventListener("abort", stop);
        reject(error);
      }
    };
    // Without a track that somebody wants there is nothing to do but to wait for the end.
    if (feeds.length > 0) step();
    return promise;
  }

  #feeds(io: ProducerIo): Feed[] {
    const feeds: Feed[] = [];
    for (const [i, from] of this.#clip.tracks.entries()) {
      const to = io.track(this.medias[i]!);
      if (to) feeds.push({ from, to, next: 0, turn: 0 });
    }
    return feeds;
  }

  #append(feed: Feed): void {
    const { period, frames } = feed.from;
    const { dts, pts, isKeyframe, payload } = frames[feed.next] as ClipFrame;
    const passed = feed.turn * period;
    feed.to.append({ payload, isKeyframe, dts: passed + dts, pts: passed + pts });
    this.#bytes += payload.byteLength;
    feed.next++;
    if (feed.next < frames.length) return;
    feed.next = 0;
    feed.turn++;
  }

  close(): void {}
}

/** When the next frame of a feed is due, in ms since the start. */
function dueMs({ from, next, turn }: Feed): number {
  return (turn * from.period + from.frames[next]!.dts) * 1000 / from.codec.clockRate;
}

function soonest(feeds: readonly Feed[]): Feed {
  return feeds.reduce((first, feed) => dueMs(feed) < dueMs(first) ? feed : first);
}
