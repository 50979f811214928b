import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import { StreamError } from "../util/errors.ts";
import { preloadQuery } from "./preload.ts";
import { aac, Bench, FakeConsumer, gives, h264, h265, takes, turn } from "./testing.ts";

Deno.test("preloadQuery() keeps what it knows", () => {
  const read = (text: string) => preloadQuery(new URLSearchParams(text));
  assert.equal(read(""), "video&audio");
  assert.equal(read("src=cam&video_codec_filter=h264"), "video&audio");
  assert.equal(read("src=cam&video=h264,h265&audio&microphone=pcma"), "video=h264,h265&audio&microphone=pcma");
});

Deno.test("Keepers starts the config's preloads one second after the start", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264), gives(aac));
  bench.streams.configure({ streams: { cam: "fake:a" }, preload: { cam: null } });
  await bench.clock.advance(900);
  assert.equal(cameras.length, 0);
  await bench.clock.advance(200);
  assert.equal(cameras.length, 1);
  assert.equal(bench.streams.control.preloads(systemPrincipal).cam!.query, "video&audio");
  // Later changes hold at once.
  bench.streams.configure({ preload: { cam: "video" } });
  await turn();
  assert.equal(bench.streams.control.preloads(systemPrincipal).cam!.query, "video");
  assert.equal(bench.streams.get("cam", systemPrincipal)!.consumers.length, 1);
  bench.streams.configure({ streams: { cam: "fake:a" } });
  assert.equal(Object.keys(bench.streams.control.preloads(systemPrincipal)).length, 1);
  bench.streams.configure({ preload: null });
  await bench.clock.advance(6000);
  assert.equal(cameras.length, 1);
  assert.equal(cameras[0]!.closes, 1);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Keepers preloads a source that was down at the start as soon as it is there", async () => {
  const bench = new Bench();
  bench.registry.answer("fake:a", () => new StreamError("OFFLINE", "no route"));
  bench.streams.configure({ streams: { cam: "fake:a" }, preload: { cam: "video", late: "video" } });
  await bench.clock.advance(10_000);
  assert.deepEqual(bench.streams.control.preloads(systemPrincipal).cam, {
    consumer: { format_name: "preload" },
    query: "video",
  });
  const cameras = bench.camera("fake:a", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:a", late: "fake:a" } });
  await bench.clock.advance(10_000);
  assert.equal(cameras.length, 2);
  assert.ok(cameras.every(({ isRunning }) => isRunning));
  await bench.streams.close();
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Keepers preloads anew what came back with other codecs", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:a" }, preload: { cam: "video" } });
  await bench.clock.advance(1500);
  cameras[0]!.feed();
  const back = bench.camera("fake:a", gives(h265));
  await bench.clock.advance(2000);
  cameras[0]!.end();
  await bench.clock.advance(3000);
  assert.equal(back.length, 1);
  const [entry] = bench.streams.get("cam", systemPrincipal)!.consumers;
  assert.equal(entry!.assignments[0]!.track.codec.name, "H265");
  await bench.streams.close();
});

Deno.test("Keepers publishes as the config says, as a diff", async () => {
  const bench = new Bench();
  bench.camera("fake:a", gives(h264));
  const open: string[] = [];
  bench.registry.addSink("push", {
    open: (sink) => {
      open.push(sink.text);
      const consumer = new FakeConsumer(takes(h264));
      return Promise.resolve(Object.assign(consumer, {
        run: async (signal: AbortSignal) => {
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          open.splice(open.indexOf(sink.text), 1);
        },
      }));
    },
  });
  bench.streams.configure({ streams: { cam: "fake:a" }, publish: { cam: "push:1", nobody: ["push:9", 7] } });
  await bench.clock.advance(1500);
  assert.deepEqual(open, ["push:1"]);
  bench.streams.configure({ publish: { cam: ["push:1", "push:2"] } });
  await turn();
  assert.deepEqual(open, ["push:1", "push:2"]);
  bench.streams.configure({ publish: { cam: ["push:2"] } });
  await turn();
  assert.deepEqual(open, ["push:2"]);
  await bench.streams.close();
  assert.deepEqual(open, []);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Keepers does not wait for ever for a sink that opens never or does not stop", async () => {
  const bench = new Bench();
  bench.camera("fake:a", gives(h264));
  bench.registry.addSink("never", { open: () => new Promise(() => {}) });
  bench.registry.addSink("stuck", {
    open: () =>
      Promise.resolve(Object.assign(new FakeConsumer(takes(h264)), { run: () => new Promise<void>(() => {}) })),
  });
  bench.streams.configure({ streams: { cam: "fake:a" } });
  const { control } = bench.streams;
  const rejected = assert.rejects(control.publish("cam", "never:x", systemPrincipal), { code: "TIMEOUT" });
  await bench.clock.advance(61_000);
  await rejected;
  await control.publish("cam", "stuck:x", systemPrincipal);
  const closed = bench.streams.close();
  await bench.clock.advance(3100);
  await closed;
  assert.equal(bench.clock.pending, 0);
});
