import type { Figure } from "./figure.ts";
import { type Usage, usageOf, UsageWatch } from "./process_meter.ts";
import { pause, Rig } from "./rig.ts";
import { slope } from "./stats.ts";
import type { Protocol } from "./viewer.ts";

const CAMERAS = 10;
/** Viewers at a time that come and go; each stays for up to so long. */
const SEATS = 40;
const STAY_MS = { least: 1000, most: 20_000 } as const;
/** Every so many visits, one stops reading and stays until it is thrown out. */
const STALLED_OF = 10;
const STALLED_MS = 25_000;
const RESTART_EVERY_MS = 30_000;
const RESTART_AFTER_MS = 1000;
const LEAVE_LIMIT_MS = 30_000;
/** Memory finds its level: this much of the time, within limits, is not looked at. */
const WARM_SHARE = 0.4;
const WARM_MOST_MS = 120_000;
const PROTOCOLS: readonly Protocol[] = ["rtsp", "mse", "mp4"];

/** What visitors have met with. */
interface Visits {
  count: number;
  readonly failures: Map<string, number>;
}

/**
 * Viewers come and go, some stall, cameras are cut off; what the server holds must not grow, and everything is given
 * back in the end.
 */
export async function soak(command: string, minutes: number): Promise<Figure[]> {
  await using rig = await Rig.start(command, CAMERAS);
  const before = await usageOf(rig.server.pid);
  // Camera 0 is never cut off; who watches the others has to live through that.
  await rig.viewers.call("open", "steady", "mse", [rig.target("mse", 0)]);
  for (const protocol of PROTOCOLS) await rig.watch(protocol, CAMERAS, CAMERAS, "patient");
  const ending = new AbortController();
  const visits: Visits = { count: 0, failures: new Map() };
  const working = [
    ...Array.from({ length: SEATS }, (_, seat) => visit(rig, seat, visits, ending.signal)),
    restartCameras(rig, ending.signal),
  ];
  const watched = await watch(rig, minutes * 60_000);
  ending.abort();
  await Promise.all(working);
  await rig.viewers.call("close", "steady");
  await rig.viewers.call("close", "patient");
  const after = await giveBack(rig, before);
  const failed = [...visits.failures.values()].reduce((sum, count) => sum + count, 0);
  for (const [text, count] of visits.failures) console.log(`  ${count} × ${text}`);
  return [
    ...watched,
    { what: "visits", value: visits.count, unit: "" },
    { what: "visits that failed", value: failed / visits.count * 100, unit: "%", atMost: 1 },
    ...after,
  ];
}

async function watch(rig: Rig, wholeMs: number): Promise<Figure[]> {
  const warmMs = Math.min(WARM_MOST_MS, wholeMs * WARM_SHARE);
  await pause(warmMs);
  using watch = new UsageWatch(rig.server.pid, 1000);
  const window = await rig.measure(["steady", "patient"], (wholeMs - warmMs) / 1000);
  const [steady, patient] = window.groups;
  const minutes = (wholeMs - warmMs) / 60_000;
  const growth = (read: (usage: Usage) => number | undefined) =>
    slope(watch.readings.map((usage) => ({ at: usage.atMs / 60_000, value: read(usage) ?? NaN })));
  const descriptors = growth((usage) => usage.descriptors);
  return [
    {
      what: "memory grew by",
      value: growth(({ rssMb }) => rssMb),
      unit: "MB/min",
      atMost: Math.max(1, 5 / minutes),
    },
    { what: "heap grew by", value: window.heapSlope, unit: "MB/min" },
    {
      what: "descriptors grew by",
      value: descriptors,
      unit: "/min",
      ...(Number.isNaN(descriptors) ? {} : { atMost: Math.max(0.5, 3 / minutes) }),
    },
    { what: "memory, highest", value: window.highestMb, unit: "MB" },
    { what: "pictures of the steady viewer", value: steady!.worstFps, unit: "fps", atLeast: 24.5 },
    { what: "latency p99", value: steady!.p99Ms, unit: "ms" },
    { what: "event loop lag p99, last minute", value: window.lagP99Ms, unit: "ms" },
    { what: "viewers lost when their camera went away", value: patient!.ended, unit: "", atMost: 0 },
    { what: "used by cameras and viewers themselves", value: window.loadShare * 100, unit: "% of a core" },
  ];
}

async function visit(rig: Rig, seat: number, visits: Visits, signal: AbortSignal): Promise<void> {
  // Not all in one moment.
  await pause(seat * 100);
  while (!signal.aborted) {
    const turn = visits.count++;
    const stalls = turn % STALLED_OF === 0;
    const protocol = PROTOCOLS[turn % PROTOCOLS.length]!;
    const ms = stalls ? STALLED_MS : STAY_MS.least + Math.random() * (STAY_MS.most - STAY_MS.least);
    const target = rig.target(protocol, Math.floor(Math.random() * CAMERAS));
    try {
      await rig.viewers.call("visit", protocol, target, ms, stalls);
    } catch (error) {
      const text = (error as Error).message;
      visits.failures.set(text, (visits.failures.get(text) ?? 0) + 1);
      await pause(1000);
    }
  }
}

async function restartCameras(rig: Rig, signal: AbortSignal): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const wait = Promise.withResolvers<void>();
    const timer = setTimeout(wait.resolve, RESTART_EVERY_MS);
    signal.addEventListener("abort", () => wait.resolve(), { once: true });
    await wait.promise;
    clearTimeout(timer);
    if (signal.aborted) return;
    await rig.cameras.call("restart", 1 + turn % (CAMERAS - 1), RESTART_AFTER_MS);
  }
}

interface StreamFacts {
  readonly consumers: readonly unknown[] | null;
}

// What is left of the viewers when they have gone.
async function giveBack(rig: Rig, before: Usage): Promise<Figure[]> {
  const endMs = performance.now() + LEAVE_LIMIT_MS;
  const atMost = { viewers: 0, descriptors: 2, mb: 20 };
  for (;;) {
    await pause(1000);
    const usage = await usageOf(rig.server.pid);
    const streams: Record<string, StreamFacts> = await (await rig.server.fetch("/api/streams")).json();
    const viewers = Object.values(streams).reduce((sum, { consumers }) => sum + (consumers?.length ?? 0), 0);
    const descriptors = (usage.descriptors ?? NaN) - (before.descriptors ?? NaN);
    const mb = usage.rssMb - before.rssMb;
    const isDone = viewers === 0 && !(descriptors > atMost.descriptors) && mb <= atMost.mb;
    if (!isDone && performance.now() < endMs) continue;
    return [
      { what: "viewers left in /api/streams", value: viewers, unit: "", atMost: atMost.viewers },
      {
        what: "descriptors above those before",
        value: descriptors,
        unit: "",
        ...(Number.isNaN(descriptors) ? {} : { atMost: atMost.descriptors }),
      },
      { what: "memory above that before", value: mb, unit: "MB" },
    ];
  }
}
