/** A source for tests whose frames come when the test says so. */
import {
  type Codec,
  codec as makeCodec,
  type Media,
  type OpenIo,
  type Producer,
  type ProducerIo,
  type SourceOpener,
  type Track,
  Units,
} from "../../core/mod.ts";

export const VP8: Codec = makeCodec("VP8");
export const PCMA: Codec = makeCodec("PCMA", { clockRate: 8000 });

/** Media of what a camera gives. */
export function gives(...codecs: Codec[]): Media {
  return { kind: codecs[0]!.kind, direction: "recvonly", codecs };
}

export class FakeSource implements SourceOpener {
  medias: Media[];
  opened = 0;
  /** Of the newest connection. */
  io: ProducerIo | undefined;
  #fail: ((error: Error) => void) | undefined;
  #pts = 0;
  #onRunning: (() => void)[] = [];

  constructor(...medias: Media[]) {
    this.medias = medias;
  }

  open(_source: unknown, _io: OpenIo): Promise<Producer> {
    this.opened++;
    const medias = this.medias;
    return Promise.resolve({
      info: { formatName: "fake" },
      medias,
      run: (io) => {
        this.io = io;
        for (const resolve of this.#onRunning.splice(0)) resolve();
        return new Promise<void>((resolve, reject) => {
          this.#fail = reject;
          io.signal.addEventListener("abort", () => resolve(), { once: true });
        });
      },
      close() {},
    });
  }

  /** Resolves when a connection runs that the test has not seen yet. */
  running(): Promise<void> {
    return this.io ? Promise.resolve() : new Promise((resolve) => this.#onRunning.push(resolve));
  }

  track(index: number): Track {
    return this.io!.track(this.medias[index]!)!;
  }

  /** Appends frames 40 ms apart to the first media: the first one a keyframe. */
  feed(count: number, { isKeyframe = true, size = 50 } = {}): void {
    const track = this.track(0);
    for (let i = 0; i < count; i++) {
      const isKey = isKeyframe && i === 0;
      const unit = new Uint8Array(size).fill(1);
      unit.set([isKey ? 0x10 : 0x11, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0]);
      track.append({ payload: new Units([unit]), pts: this.#pts, isKeyframe: isKey });
      this.#pts += track.codec.clockRate / 25;
    }
  }

  /** Appends sound of 20 ms to a media. */
  sound(index: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.track(index).append({ payload: new Units([new Uint8Array(160)]), pts: i * 160, isKeyframe: true });
    }
  }

  /** The camera breaks off, and comes back as it is described now. */
  breakOff(): void {
    this.io = undefined;
    this.#fail?.(new Error("broke off"));
  }
}
