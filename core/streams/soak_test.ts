import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import { budget } from "../media/budget.ts";
import { Reader } from "../media/reader.ts";
import { Track } from "../media/track.ts";
import { StreamError } from "../util/errors.ts";
import type { ConsumerEntry } from "./consumer_entry.ts";
import { aac, Bench, FakeConsumer, FakeProducer, gives, h264, h265, opus, pcma, pcmu, takes, turn } from "./testing.ts";

/** A viewer as modules write them: reads what it is given, follows what is replaced, leaves when it is closed. */
class Viewer extends FakeConsumer {
  readonly controller = new AbortController();
  readonly #microphones: Track[] = [];
  #entry: ConsumerEntry | undefined;
  #reader: Reader | undefined;

  override microphone = (_media: unknown, codec: typeof pcma): Track => {
    const track = new Track(0, codec);
    this.#microphones.push(track);
    return track;
  };
  take(entry: ConsumerEntry): void {
    this.#entry = entry;
    if (this.controller.signal.aborted) return this.leave();
    const tracks = entry.assignments.map(({ track }) => track);
    if (tracks.length > 0) this.#reader = new Reader(tracks, { start: "keyframe", dropsCorrupt: true });
    entry.onReplaced = (was, is) => this.#reader?.replace(was, is);
  }
  override close(reason: string): void {
    super.close(reason);
    this.leave();
  }
  leave(): void {
    this.controller.abort();
    this.#entry?.detach();
    this.#reader?.[Symbol.dispose]();
    for (const track of this.#microphones) track.close();
  }
}

/** Numbers that look random and are the same each time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * sides);
  };
}

const OFFERS = [
  [gives(h264), gives(aac)],
  [gives(h265), gives(pcma, pcmu), takes(pcma)],
  [gives(h264), takes(pcmu, pcma)],
  [gives(opus)],
];
const WISHES = [
  [takes(h264), takes(aac)],
  [takes(h264, h265), takes(opus, pcma)],
  [gives(pcma)],
  [takes(h265), gives(pcmu, pcma), takes(pcmu)],
];

async function soak(seed: number): Promise<void> {
  const used = budget.usedBytes;
  const roll = dice(seed);
  const bench = new Bench();
  const producers: FakeProducer[] = [];
  // Those that were dialled, or were not refused when they were pushed: ours to close.
  const owned = new Set<FakeProducer>();
  const make = () => {
    const producer = new FakeProducer(bench.clock, OFFERS[roll(OFFERS.length)]!);
    producers.push(producer);
    owned.add(producer);
    return producer;
  };
  for (const url of ["fake:a", "fake:b", "fake:c"]) {
    bench.registry.answer(url, () => {
      const outcome = roll(8);
      if (outcome === 0) return new StreamError("OFFLINE", "no route");
      if (outcome === 1) return new StreamError("UNAUTHORIZED", "wrong password");
      return outcome < 5 ? turn().then(make) : make();
    });
  }
  const configs = ["fake:a", ["fake:a", "fake:b"], ["fake:b", "fake:c#linger=0"], null];
  const configure = () => bench.streams.configure({ streams: { cam: configs[roll(configs.length)], other: "fake:c" } });
  configure();
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const viewers: Viewer[] = [];
  const work: Promise<unknown>[] = [];
  const pushed: AbortController[] = [];
  const actions = [
    () => {
      const viewer = new Viewer(...WISHES[roll(WISHES.length)]!);
      viewers.push(viewer);
      work.push(
        stream.attach(viewer, systemPrincipal, viewer.controller.signal).then(
          (entry) => viewer.take(entry),
          () => viewer.leave(),
        ),
      );
    },
    () => viewers[roll(viewers.length || 1)]?.leave(),
    () => producers[roll(producers.length || 1)]?.feed(),
    () => producers[roll(producers.length || 1)]?.end(roll(2) ? new Error("reset") : undefined),
    () => bench.clock.advance(roll(8000)),
    () => turn(),
    configure,
    () => {
      const controller = new AbortController();
      pushed.push(controller);
      const producer = make();
      work.push(
        stream.publish(producer, systemPrincipal, controller.signal).catch((error) => {
          if (error instanceof StreamError) owned.delete(producer);
        }),
      );
    },
    () => pushed[roll(pushed.length || 1)]?.abort(),
    () => {
      const source = roll(3) ? "fake:c" : "";
      const { signal } = new AbortController();
      work.push(bench.streams.control.play("cam", source, systemPrincipal, signal).catch(() => {}));
    },
  ];
  for (let i = 0; i < 150; i++) {
    await actions[roll(actions.length)]!();
    for (const name of ["cam", "other"]) JSON.stringify(bench.streams.control.describe(name, systemPrincipal));
    const ids = stream.slots.flatMap((slot) => slot.bindings.map(({ track }) => track.id));
    assert.equal(new Set(ids).size, ids.length, "two tracks of a stream share a number");
  }
  for (const viewer of viewers) viewer.leave();
  for (const controller of pushed) controller.abort();
  await bench.streams.control.play("cam", "", systemPrincipal, new AbortController().signal);
  await bench.clock.advance(80_000);
  await Promise.all(work);
  assert.deepEqual(
    stream.slots.map((slot) => [slot.users, slot.producer, slot.bindings.length]),
    stream.slots.map(() => [0, undefined, 0]),
  );
  assert.equal(bench.clock.pending, 0, "a timer is left");
  assert.equal(budget.usedBytes, used, "a track was not closed");
  for (const producer of owned) assert.equal(producer.closes, 1, "a producer was not closed once");
  assert.equal(stream.numbers.take(), 0, "a track number is left");
  await bench.streams.close();
}

for (let seed = 1; seed <= 10; seed++) {
  Deno.test(`Stream survives whatever happens in any order (${seed})`, () => soak(seed));
}
