import type { CameraOptions } from "./camera.ts";
import type { Target } from "./dialog.ts";
import { METRIC, type Metrics } from "./metrics.ts";
import { cpuRate, usageOf, UsageWatch } from "./process_meter.ts";
import type { PublishCalls } from "./publish_worker.ts";
import { Remote } from "./remote.ts";
import { ServerUnderTest } from "./server.ts";
import type { GroupResult, ViewCalls } from "./view_worker.ts";
import { type Point, slope } from "./stats.ts";
import type { Protocol } from "./viewer.ts";

/** A camera as most are: 720p, a keyframe every two seconds. */
export const CAMERA: CameraOptions = { bitsPerSecond: 2_000_000, fps: 25, gop: 50, isPerPacket: false };

/** How long cameras and viewers play before anything is measured: code gets compiled, memory finds its level. */
const SETTLE_MS = 3000;

const MB = 2 ** 20;

/** What was seen in a window of time. */
export interface Window {
  readonly groups: readonly GroupResult[];
  /** Milliseconds of the server's CPU time in each second. */
  readonly cpuMs: number;
  readonly highestMb: number;
  readonly rssMb: number;
  /** The most that logs and wire forms held: it goes up and down with the groups of pictures. */
  readonly logMb: number;
  readonly renditionMb: number;
  readonly lagP99Ms: number;
  /** How fast the JavaScript heap grew, in MB a minute. */
  readonly heapSlope: number;
  /** What the cameras and viewers themselves used, as a share of one core. */
  readonly loadShare: number;
}

const SCRAPE_EVERY_MS = 1000;

/** Asks a server for its metrics again and again. */
class MetricsWatch implements Disposable {
  readonly #scrapes: { readonly atMs: number; readonly metrics: Metrics }[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(server: ServerUnderTest) {
    this.#timer = setInterval(() => {
      const atMs = performance.now();
      server.metrics().then((metrics) => this.#scrapes.push({ atMs, metrics }), () => {
        // A server that does not answer shows in everything else.
      });
    }, SCRAPE_EVERY_MS);
  }
  mostMb(name: string): number {
    return Math.max(...this.points(name).map(({ value }) => value));
  }
  /** MB by minutes. */
  points(name: string): Point[] {
    return this.#scrapes.map(({ atMs, metrics }) => ({ at: atMs / 60_000, value: (metrics.get(name) ?? NaN) / MB }));
  }
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A server under test with cameras and viewers around it. */
export class Rig implements AsyncDisposable {
  readonly server: ServerUnderTest;
  readonly cameras: Remote<PublishCalls>;
  readonly viewers: Remote<ViewCalls>;

  private constructor(server: ServerUnderTest) {
    this.server = server;
    this.cameras = new Remote<PublishCalls>(new URL("./publish_worker.ts", import.meta.url));
    this.viewers = new Remote<ViewCalls>(new URL("./view_worker.ts", import.meta.url));
  }

  /** Starts the server and so many cameras, which push themselves to `cam0`, `cam1`, … */
  static async start(command: string, count: number, camera: CameraOptions = CAMERA): Promise<Rig> {
    const names = Array.from({ length: count }, (_, i) => `cam${i}`);
    const server = await ServerUnderTest.start(command, Object.fromEntries(names.map((name) => [name, ""])));
    const rig = new Rig(server);
    try {
      await rig.cameras.call("start", names.map((name) => server.rtsp(`/${name}`)), camera);
      await pause(SETTLE_MS);
    } catch (error) {
      await rig[Symbol.asyncDispose]();
      throw error;
    }
    return rig;
  }

  /** Where a protocol's viewers of a camera connect. */
  target(protocol: Protocol, camera: number, query = ""): Target {
    switch (protocol) {
      case "rtsp":
        return this.server.rtsp(`/cam${camera}${query ? `?${query}` : ""}`);
      case "mse":
        return this.server.http(`/api/ws?src=cam${camera}${query ? `&${query}` : ""}`);
      case "mp4":
        return this.server.http(`/api/stream.mp4?src=cam${camera}${query ? `&${query}` : ""}`);
    }
  }

  /** Adds viewers, spread over so many cameras, as a group of the protocol's name or another. */
  async watch(protocol: Protocol, viewers: number, cameras = 1, group: string = protocol): Promise<void> {
    const targets = Array.from({ length: viewers }, (_, i) => this.target(protocol, i % cameras));
    await this.viewers.call("open", group, protocol, targets);
  }

  /** Waits until nothing is new any more. */
  settle(): Promise<void> {
    return pause(SETTLE_MS);
  }

  /** Watches the server and these groups of viewers. Rejects when a camera was cut off meanwhile. */
  async measure(groups: readonly string[], seconds: number): Promise<Window> {
    using watch = new UsageWatch(this.server.pid);
    using scrapes = new MetricsWatch(this.server);
    const [from, loadFrom] = await Promise.all([usageOf(this.server.pid), usageOf(Deno.pid)]);
    const results = await this.viewers.call("measure", groups, seconds * 1000);
    const [to, loadTo] = await Promise.all([usageOf(this.server.pid), usageOf(Deno.pid)]);
    const [failure] = await this.cameras.call("failures");
    if (failure !== undefined) throw new Error(failure);
    return {
      groups: results,
      cpuMs: cpuRate(from, to),
      highestMb: Math.max(watch.highestMb, to.rssMb),
      rssMb: to.rssMb,
      logMb: scrapes.mostMb(METRIC.logBytes),
      renditionMb: scrapes.mostMb(METRIC.renditionBytes),
      lagP99Ms: ((await this.server.metrics()).get(METRIC.lagP99) ?? NaN) * 1000,
      heapSlope: slope(scrapes.points(METRIC.heapBytes)),
      loadShare: cpuRate(loadFrom, loadTo) / 1000,
    };
  }

  async rssMb(): Promise<number> {
    return (await usageOf(this.server.pid)).rssMb;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.viewers[Symbol.dispose]();
    this.cameras[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
  }
}
