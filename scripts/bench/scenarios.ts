import type { Figure } from "./figure.ts";
import { cpuRate, usageOf } from "./process_meter.ts";
import { CAMERA, pause, Rig, type Window } from "./rig.ts";
import { ServerUnderTest } from "./server.ts";
import { median, percentile } from "./stats.ts";
import type { Protocol } from "./viewer.ts";

/** How scenarios are run. */
export interface RunOptions {
  readonly command: string;
  readonly isQuick: boolean;
  readonly viewers: number;
  readonly cameras: number;
}

/** Something to measure. */
export interface Scenario {
  readonly name: string;
  /** What happens in it. */
  readonly title: (options: RunOptions) => string;
  readonly run: (options: RunOptions) => Promise<Figure[]>;
}

/** Of 25: less is more than a picture lost every two seconds. */
const FULL_FPS = 24.5;
const LEAVE_LIMIT_S = 30;

function memoryFigures({ logMb, renditionMb }: Window): Figure[] {
  return [
    { what: "frames in the logs", value: logMb, unit: "MB" },
    { what: "their wire forms", value: renditionMb, unit: "MB" },
  ];
}

function loadFigure({ loadShare }: Window): Figure {
  return { what: "used by cameras and viewers themselves", value: loadShare * 100, unit: "% of a core" };
}

/** What a protocol may cost: bars as multiples of a peer's figures, and those of go2rtc 1.9.14 where they were set. */
interface FanOutBars {
  readonly cpuOfPeer: number;
  readonly cpuMs: number;
  readonly memoryMb?: number;
}

const FAN_OUT: Readonly<Record<Protocol, FanOutBars>> = {
  rtsp: { cpuOfPeer: 0.85, cpuMs: 0.85 * 0.42 },
  mse: { cpuOfPeer: 0.5, cpuMs: 0.5 * 0.89, memoryMb: 160 },
  mp4: { cpuOfPeer: 0.4, cpuMs: 0.4 * 1.21 },
};

function fanOut(protocol: Protocol): Scenario {
  return {
    name: protocol,
    title: ({ viewers }) => `${viewers} viewers of one camera over ${protocol}`,
    async run({ command, isQuick, viewers }) {
      await using rig = await Rig.start(command, 1);
      const beforeMb = await rig.rssMb();
      await rig.watch(protocol, viewers);
      await rig.settle();
      const window = await rig.measure([protocol], isQuick ? 5 : 15);
      const [group] = window.groups;
      await rig.viewers.call("close", protocol);
      const { cpuOfPeer, cpuMs, memoryMb } = FAN_OUT[protocol];
      const latency = { unit: "ms", ...(protocol === "mp4" ? {} : { besidePeer: 1.2 }) };
      return [
        {
          what: "CPU for each viewer and second",
          value: window.cpuMs / viewers,
          unit: "ms",
          atMost: cpuMs,
          besidePeer: cpuOfPeer,
        },
        { what: "latency p50", value: group!.p50Ms, ...latency },
        { what: "latency p99", value: group!.p99Ms, ...latency },
        { what: "pictures of the worst viewer", value: group!.worstFps, unit: "fps", atLeast: FULL_FPS },
        { what: "event loop lag p99", value: window.lagP99Ms, unit: "ms" },
        { what: "memory", value: window.highestMb, unit: "MB", ...(memoryMb ? { atMost: memoryMb } : {}) },
        ...memoryFigures(window),
        await afterLeaving(rig, beforeMb),
        loadFigure(window),
      ];
    },
  };
}

// The lowest of what is seen within the time there is; the first that is low enough ends it.
async function afterLeaving(rig: Rig, beforeMb: number): Promise<Figure> {
  const atMost = 20;
  let lowest = Infinity;
  for (let second = 0; second < LEAVE_LIMIT_S && lowest > atMost; second++) {
    await pause(1000);
    lowest = Math.min(lowest, await rig.rssMb() - beforeMb);
  }
  return { what: `memory above that before, within ${LEAVE_LIMIT_S} s of leaving`, value: lowest, unit: "MB", atMost };
}

const ingest: Scenario = {
  name: "ingest",
  title: ({ cameras }) => `${cameras} cameras that nobody watches`,
  async run({ command, isQuick, cameras }) {
    const figures: Figure[] = [];
    for (const isPerPacket of [false, true]) {
      await using rig = await Rig.start(command, cameras, { ...CAMERA, isPerPacket });
      await rig.settle();
      const window = await rig.measure([], isQuick ? 5 : 15);
      const how = isPerPacket ? ", a write for each packet" : "";
      const held = window.logMb + window.renditionMb;
      figures.push(
        {
          what: `CPU for each camera and second${how}`,
          value: window.cpuMs / cameras,
          unit: "ms",
          atMost: isPerPacket ? 1.2 * 2.23 : 1.45,
          besidePeer: isPerPacket ? 1.2 : 1,
        },
        {
          what: `memory${how}`,
          value: window.highestMb,
          unit: "MB",
          ...(Number.isNaN(held) ? {} : { atMost: 90 + 3 * held }),
        },
        { what: `frames in the logs${how}`, value: window.logMb, unit: "MB" },
        { what: `event loop lag p99${how}`, value: window.lagP99Ms, unit: "ms" },
      );
    }
    return figures;
  },
};

const STALL = { viewers: 50, stalled: 20, bitsPerSecond: 8_000_000 } as const;

const stall: Scenario = {
  name: "stall",
  title: () => `${STALL.stalled} of ${STALL.viewers} viewers stop reading, 8 Mbit/s`,
  async run({ command, isQuick }) {
    const figures: Figure[] = [];
    for (const protocol of ["rtsp", "mse", "mp4"] as const) {
      await using rig = await Rig.start(command, 1, { ...CAMERA, bitsPerSecond: STALL.bitsPerSecond });
      await rig.watch(protocol, STALL.stalled, 1, "stalled");
      await rig.watch(protocol, STALL.viewers - STALL.stalled, 1, "others");
      await rig.settle();
      const before = await rig.measure(["others"], isQuick ? 4 : 10);
      await rig.viewers.call("stall", "stalled");
      const window = await rig.measure(["others"], isQuick ? 20 : 60);
      const [others] = window.groups;
      figures.push(
        {
          what: `${protocol}: memory above that before`,
          value: window.rssMb - before.highestMb,
          unit: "MB",
          atMost: 10,
        },
        { what: `${protocol}: highest above that before`, value: window.highestMb - before.highestMb, unit: "MB" },
        { what: `${protocol}: pictures of the worst other`, value: others!.worstFps, unit: "fps", atLeast: FULL_FPS },
        { what: `${protocol}: latency p99 of the others`, value: others!.p99Ms, unit: "ms", atMost: 20 },
      );
    }
    return figures;
  },
};

const MIXED = { mse: 100, rtsp: 50 } as const;

const mixed: Scenario = {
  name: "mixed",
  title: ({ cameras }) => `${cameras} cameras, ${MIXED.mse} over MSE, ${MIXED.rtsp} over RTSP, an API call a second`,
  async run({ command, isQuick, cameras }) {
    await using rig = await Rig.start(command, cameras);
    await Promise.all([rig.watch("mse", MIXED.mse, cameras), rig.watch("rtsp", MIXED.rtsp, cameras)]);
    await rig.settle();
    const calling = new AbortController();
    const calls = callEverySecond(rig.server, calling.signal);
    const window = await rig.measure(["mse", "rtsp"], isQuick ? 15 : 60);
    calling.abort();
    const took = await calls;
    const { groups } = window;
    return [
      {
        what: "pictures of the worst viewer",
        value: Math.min(...groups.map(({ worstFps }) => worstFps)),
        unit: "fps",
        atLeast: FULL_FPS,
      },
      { what: "latency p50", value: Math.max(...groups.map(({ p50Ms }) => p50Ms)), unit: "ms" },
      { what: "latency p99", value: Math.max(...groups.map(({ p99Ms }) => p99Ms)), unit: "ms", atMost: 60 },
      { what: "event loop lag p99", value: window.lagP99Ms, unit: "ms", atMost: 20 },
      { what: "longest pause of a viewer", value: Math.max(...groups.map((one) => one.worstGapMs)), unit: "ms" },
      { what: "API call p50", value: median(took), unit: "ms" },
      { what: "API call, slowest", value: percentile(took, 1), unit: "ms" },
      { what: "CPU", value: window.cpuMs / 10, unit: "% of a core" },
      { what: "memory", value: window.highestMb, unit: "MB" },
      ...memoryFigures(window),
      loadFigure(window),
    ];
  },
};

async function callEverySecond(server: ServerUnderTest, signal: AbortSignal): Promise<number[]> {
  const took: number[] = [];
  while (!signal.aborted) {
    const startMs = performance.now();
    await (await server.fetch("/api/streams")).bytes();
    took.push(performance.now() - startMs);
    await pause(1000 - (performance.now() - startMs));
  }
  return took;
}

const start: Scenario = {
  name: "start",
  title: () => "from the start of the process until it takes a connection",
  async run({ command, isQuick }) {
    const took: number[] = [];
    for (let i = 0; i < (isQuick ? 3 : 7); i++) {
      await using server = await ServerUnderTest.start(command, { demo: "demo:" });
      took.push(server.listeningMs);
    }
    return [
      { what: "median", value: median(took), unit: "ms", atMost: 400 },
      { what: "slowest", value: percentile(took, 1), unit: "ms" },
    ];
  },
};

const idle: Scenario = {
  name: "idle",
  title: () => "one demo stream that nobody watches",
  async run({ command, isQuick }) {
    await using server = await ServerUnderTest.start(command, { demo: "demo:" });
    await pause(isQuick ? 3000 : 10_000);
    const from = await usageOf(server.pid);
    await pause(isQuick ? 5000 : 20_000);
    const to = await usageOf(server.pid);
    return [
      { what: "memory", value: to.rssMb, unit: "MB", atMost: 60 },
      { what: "CPU", value: cpuRate(from, to) / 10, unit: "% of a core", atMost: 0.5 },
    ];
  },
};

const ttff: Scenario = {
  name: "ttff",
  title: () => "a viewer comes to a stream that is being watched",
  async run({ command, isQuick }) {
    await using rig = await Rig.start(command, 1);
    await rig.watch("mse", 1);
    const figures: Figure[] = [];
    for (const [protocol, query] of [["mse", ""], ["rtsp", "start=now"], ["mp4", "start=now"]] as const) {
      const target = rig.target(protocol, 0, query);
      const starts = await rig.viewers.call("starts", protocol, target, isQuick ? 8 : 24);
      const key = starts.map(({ keyMs }) => keyMs);
      const live = starts.map(({ liveMs }) => liveMs);
      figures.push(
        { what: `${protocol}: first keyframe p50`, value: median(key), unit: "ms" },
        { what: `${protocol}: live p50`, value: median(live), unit: "ms", atMost: 100 },
        { what: `${protocol}: live p90`, value: percentile(live, 0.9), unit: "ms", atMost: 200 },
      );
    }
    return figures;
  },
};

/** All there are, in the order in which they are run. */
export const SCENARIOS: readonly Scenario[] = [
  start,
  idle,
  ttff,
  fanOut("rtsp"),
  fanOut("mse"),
  fanOut("mp4"),
  ingest,
  stall,
  mixed,
];
