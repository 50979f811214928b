/** The viewers, in a thread of their own. */
import type { Target } from "./dialog.ts";
import { answerCalls } from "./remote.ts";
import { percentile, Samples } from "./stats.ts";
import { type Protocol, Viewer } from "./viewer.ts";

/** What the thread of viewers can be asked. */
export type ViewCalls = typeof calls;

/** How a group of viewers did in a window of time. */
export interface GroupResult {
  readonly viewers: number;
  /** Those whose connection has ended. */
  readonly ended: number;
  /** Pictures a second: of the worst viewer, and on average. */
  readonly worstFps: number;
  readonly fps: number;
  readonly worstGapMs: number;
  /** Age of pictures as they come in. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const KEEP_ALIVE_MS = 15_000;
/** Viewers come one after the other, not all in one moment. */
const RAMP_MS = 2000;
const FIRST_PICTURE_MS = 20_000;

const groups = new Map<string, Viewer[]>();

function groupOf(name: string): Viewer[] {
  let group = groups.get(name);
  if (!group) groups.set(name, group = []);
  return group;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const limit = new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error(what)), ms));
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

// One that is answered too late leaves at once.
async function openViewer(protocol: Protocol, target: Target): Promise<Viewer> {
  const opening = Viewer.open(protocol, target);
  try {
    return await within(opening, FIRST_PICTURE_MS, `${protocol}: no answer`);
  } catch (error) {
    opening.then((viewer) => viewer.close(), () => {
      // It failed by itself, which is the error that is thrown.
    });
    throw error;
  }
}

setInterval(() => {
  for (const group of groups.values()) for (const viewer of group) viewer.keepAlive();
}, KEEP_ALIVE_MS);

const calls = {
  /** Adds a viewer for each target to a group, and waits until all of them have a picture. */
  async open(name: string, protocol: Protocol, targets: readonly Target[]): Promise<void> {
    const opening: Promise<void>[] = [];
    let failure: Error | undefined;
    const add = async (target: Target) => {
      const viewer = await openViewer(protocol, target);
      groupOf(name).push(viewer);
      await within(viewer.first, FIRST_PICTURE_MS, `${protocol}: no picture`);
    };
    for (const target of targets) {
      opening.push(add(target).catch((error) => void (failure ??= error)));
      await pause(RAMP_MS / targets.length);
    }
    await Promise.all(opening);
    if (failure) throw failure;
  },

  /** Watches the watchers for a while. */
  async measure(names: readonly string[], ms: number): Promise<GroupResult[]> {
    const startMs = performance.now();
    const started = names.map((name) => {
      const ages = new Samples();
      const viewers = groupOf(name).map((viewer) => {
        viewer.ages = ages;
        viewer.worstGapMs = 0;
        return { viewer, from: viewer.frames };
      });
      return { ages, viewers };
    });
    await pause(ms);
    const seconds = (performance.now() - startMs) / 1000;
    return started.map(({ ages, viewers }) => {
      const rates = viewers.map(({ viewer, from }) => (viewer.frames - from) / seconds);
      for (const { viewer } of viewers) viewer.ages = undefined;
      return {
        viewers: viewers.length,
        ended: viewers.filter(({ viewer }) => viewer.hasEnded).length,
        worstFps: Math.min(...rates),
        fps: rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
        worstGapMs: Math.max(...viewers.map(({ viewer }) => viewer.worstGapMs)),
        p50Ms: percentile(ages.values, 0.5),
        p99Ms: percentile(ages.values, 0.99),
      };
    });
  },

  /** One viewer after the other: ms until its first keyframe, and until it is live. */
  async starts(protocol: Protocol, target: Target, count: number): Promise<{ keyMs: number; liveMs: number }[]> {
    const found: { keyMs: number; liveMs: number }[] = [];
    for (let i = 0; i < count; i++) {
      // At another place of the group of pictures each time.
      await pause(300 + i * 137 % 1000);
      const viewer = await openViewer(protocol, target);
      try {
        found.push(await within(viewer.live, FIRST_PICTURE_MS, `${protocol}: not live`));
      } finally {
        viewer.close();
      }
    }
    return found;
  },

  /** One viewer that comes, watches and goes; with `stalls` it stops reading at its first picture. */
  async visit(protocol: Protocol, target: Target, ms: number, stalls: boolean): Promise<number> {
    const viewer = await openViewer(protocol, target);
    try {
      await within(viewer.first, FIRST_PICTURE_MS, `${protocol}: no picture`);
      if (stalls) viewer.stall();
      await pause(ms);
      return viewer.frames;
    } finally {
      viewer.close();
    }
  },

  /** A group reads no more. */
  stall(name: string): void {
    for (const viewer of groupOf(name)) viewer.stall();
  },

  /** A group leaves. */
  close(name: string): void {
    for (const viewer of groupOf(name)) viewer.close();
    groups.delete(name);
  },
};

answerCalls(calls);
