import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import { StreamError } from "../util/errors.ts";
import type { SinkOpener } from "./opener.ts";
import { aac, Bench, FakeConsumer, gives, h264, operator, pcma, principal, takes, turn } from "./testing.ts";

const viewer = () => new FakeConsumer(takes(h264));
const query = (text: string) => new URLSearchParams(text);
const guest = principal(["watch", "listen", "talk", "snapshot"]);
const denied = { code: "UNAUTHORIZED" };

Deno.test("Control refuses one who may not operate", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.streams.configure({ streams: { cam: "fake:a" } });
  await assert.rejects(control.put("x", ["fake:a"], guest), denied);
  assert.throws(() => control.patch("x", "fake:a", guest), denied);
  await assert.rejects(control.remove("cam", guest), denied);
  await assert.rejects(control.publish("cam", "push:x", guest), denied);
  assert.throws(() => control.unpublish("cam", "push:x", guest), denied);
  await assert.rejects(control.preload("cam", query(""), guest), denied);
  await assert.rejects(control.unpreload("cam", guest), denied);
  assert.deepEqual(bench.streams.names(operator), ["cam"]);
  assert.equal(bench.store.writes, 0);
  await bench.streams.close();
});

Deno.test("Control.put() creates a stream and saves it; the same sources again change and save nothing", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  const cameras = bench.camera("fake:a", gives(h264));
  await control.put("cam", ["fake:a", "fake:b"], operator);
  assert.deepEqual(bench.store.saved.get("streams/cam"), ["fake:a", "fake:b"]);
  const stream = bench.streams.get("cam", operator)!;
  const consumer = viewer();
  await stream.attach(consumer, operator);
  await turn();
  for (let i = 0; i < 3; i++) await control.put("cam", ["fake:a", "fake:b"], operator);
  assert.equal(bench.store.writes, 1);
  await control.put("cam", ["fake:a"], operator);
  assert.equal(bench.streams.get("cam", operator), stream);
  assert.deepEqual(stream.sources, ["fake:a"]);
  assert.deepEqual(consumer.reasons, []);
  assert.equal(cameras.length, 1);
  await bench.streams.close();
});

Deno.test("Control.put() creates the stream also when there is no config file, and says so each time", async () => {
  const bench = new Bench();
  bench.store.error = new StreamError("REFUSED", "config file disabled");
  for (let i = 0; i < 2; i++) {
    await assert.rejects(bench.streams.control.put("cam", ["fake:a"], operator), { message: "config file disabled" });
    assert.deepEqual(bench.streams.get("cam", operator)?.sources, ["fake:a"]);
  }
  await bench.streams.control.remove("cam", operator);
  assert.equal(bench.streams.get("cam", operator), undefined);
});

Deno.test("Control.put() changes nothing when one of the sources is refused", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.registry.addSource("exec", { trusted: true, open: () => Promise.reject(new Error("ran")) });
  await control.put("cam", ["fake:a"], operator);
  await assert.rejects(control.put("cam", ["fake:b", "exec:x"], operator), { code: "UNTRUSTED_SOURCE" });
  await assert.rejects(control.put("new", ["gopher:x"], operator), { code: "UNSUPPORTED_SCHEME" });
  await assert.rejects(control.put("new", [], operator), { message: "streams: source empty" });
  assert.deepEqual(bench.streams.names(operator), ["cam"]);
  assert.deepEqual(bench.streams.get("cam", operator)!.sources, ["fake:a"]);
  await control.put("cam", ["exec:x"], systemPrincipal);
  assert.deepEqual(bench.streams.get("cam", operator)!.sources, ["exec:x"]);
  await bench.streams.close();
});

Deno.test("Control.put() keeps a stream that was temporary", async () => {
  const bench = new Bench();
  const stream = bench.streams.getOrPatch(query("src=fake:a"), operator);
  await bench.streams.control.put("fake:a", ["fake:a"], operator);
  await bench.clock.advance(60_000);
  assert.equal(bench.streams.get("fake:a", operator), stream);
  assert.ok(bench.store.saved.has("streams/fake:a"));
  await bench.streams.close();
});

Deno.test("Control.put() is not undone by the config that it wrote, nor by one from before", async () => {
  const bench = new Bench();
  bench.streams.configure({ streams: { old: "fake:o" } });
  await bench.streams.control.put("cam", ["fake:a"], operator);
  const stream = bench.streams.get("cam", operator);
  bench.streams.configure({ streams: { old: "fake:o", cam: ["fake:a"] } });
  assert.equal(bench.streams.get("cam", operator), stream);
  bench.streams.configure({ streams: { old: "fake:o" } });
  assert.equal(bench.streams.get("cam", operator), undefined);
  await bench.streams.close();
});

Deno.test("Control.patch() makes an alias, replaces sources, or adds a stream that is not saved", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  const cameras = bench.camera("fake:a", gives(h264));
  bench.streams.configure({ streams: { cam: ["fake:a", "fake:b"], empty: null } });
  const cam = bench.streams.get("cam", operator)!;
  await cam.attach(viewer(), operator);
  await turn();
  assert.equal(control.patch("front", "cam", operator), cam);
  assert.deepEqual(Object.keys(control.list(operator)), ["cam", "empty", "front"]);
  assert.equal(control.patch("cam", "fake:c", operator), cam);
  assert.deepEqual(cam.sources, ["fake:c", "fake:c"]);
  // What runs goes on until its end.
  assert.ok(cameras[0]!.isRunning);
  control.patch("empty", "fake:d", operator);
  assert.deepEqual(bench.streams.get("empty", operator)!.sources, ["fake:d"]);
  control.patch("added", "fake:e", operator);
  assert.throws(() => control.patch("x", "gopher:x", operator), { message: "streams: source not supported" });
  await bench.clock.advance(60_000);
  bench.streams.configure({ streams: { cam: ["fake:a", "fake:b"] } });
  assert.deepEqual(bench.streams.names(operator), ["cam", "added", "front"]);
  assert.equal(bench.store.writes, 0);
  await bench.streams.close();
});

Deno.test("Control finds a stream that is named by its URL as it is listed, but for two that look alike", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  const [yard, hall] = ["http://yard/flv?user=admin&password=1", "http://yard/flv?user=admin&password=2"];
  await control.put(yard, ["fake:a"], operator);
  const [shown] = Object.keys(control.list(operator));
  assert.equal(shown, "http://yard/flv?user=admin&password=***");
  assert.ok(control.describe(shown, operator));
  await control.put(hall, ["fake:b"], operator);
  await control.remove(shown, operator);
  assert.deepEqual(bench.streams.names(operator), [yard, hall]);
  await control.remove(hall, operator);
  await control.remove(shown, operator);
  assert.deepEqual(bench.streams.names(operator), []);
  assert.equal(bench.store.saved.size, 0);
  await bench.streams.close();
});

Deno.test("Control.remove() removes an alias alone, a stream with all it owns, and nothing for an unknown name", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.camera("fake:a", gives(h264), gives(aac));
  bench.streams.configure({ streams: { cam: "fake:a" } });
  await bench.clock.advance(1000);
  await control.preload("cam", query("video"), operator);
  bench.store.saved.set("streams/cam", "fake:a");
  control.patch("front", "cam", operator);
  await control.remove("front", operator);
  assert.ok(bench.streams.get("cam", operator));
  await control.remove("nobody", operator);
  const consumer = viewer();
  await bench.streams.get("cam", operator)!.attach(consumer, operator);
  await control.remove("cam", operator);
  assert.deepEqual(consumer.reasons, ["the stream was removed"]);
  assert.equal(bench.store.saved.size, 0);
  assert.deepEqual(control.preloads(operator), {});
  await bench.streams.close();
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Control.remove() also saves the end of a stream that an alias stands in front of", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.streams.configure({ streams: { one: "fake:a", two: "fake:b" } });
  bench.store.saved.set("streams/one", "fake:a").set("streams/two", "fake:b");
  control.patch("one", "two", operator);
  await control.remove("one", operator);
  assert.deepEqual(bench.streams.names(operator), ["two"]);
  assert.deepEqual([...bench.store.saved.keys()], ["streams/two"]);
  await bench.streams.close();
});

Deno.test("Control says what it could not save, and has changed it all the same", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.streams.configure({ streams: { cam: "fake:a" } });
  bench.store.saved.set("streams/cam", "fake:a");
  bench.store.error = new Error("edit the file by hand");
  const refused = { code: "REFUSED", message: "edit the file by hand" };
  await assert.rejects(control.put("added", ["fake:b"], operator), refused);
  await assert.rejects(control.remove("cam", operator), refused);
  assert.deepEqual(bench.streams.names(operator), ["added"]);
  await bench.streams.close();
});

Deno.test("Control.list() and describe() show what the principal may see, logins hidden", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.streams.configure({ streams: { yard: "fake://me:secret@yard/1", hall: null } });
  bench.streams.getOrPatch(query("src=fake://me:secret@gate/1"), operator);
  const text = JSON.stringify(control.list(operator)) + control.dot([], operator);
  assert.doesNotMatch(text, /secret/);
  assert.deepEqual(Object.keys(control.list(operator)), ["yard", "hall", "fake://***@gate/1"]);
  assert.deepEqual(control.list(operator).hall, { producers: [], consumers: [] });
  const yardOnly = { ...principal([]), can: (_right: string, name: string) => name === "yard" };
  assert.deepEqual(Object.keys(control.list(yardOnly)), ["yard"]);
  assert.equal(control.describe("hall", yardOnly), undefined);
  assert.equal(control.describe("nobody", operator), undefined);
  await bench.streams.close();
});

Deno.test("Control.preload() keeps a source connected, replaces the former one, and saves the query", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  const cameras = bench.camera("fake:a", gives(h264), gives(aac), takes(pcma));
  bench.streams.configure({ streams: { cam: "fake:a#linger=0" } });
  await control.preload("cam", query("video_codec_filter=h264"), operator);
  assert.equal(bench.store.saved.get("preload/cam"), "video&audio");
  await control.preload("cam", query("video=h264&microphone&x=1"), operator);
  assert.equal(bench.store.saved.get("preload/cam"), "video=h264&microphone");
  await bench.clock.advance(60_000);
  assert.ok(cameras.at(-1)!.isRunning);
  const { consumer, query: text } = control.preloads(operator).cam!;
  assert.equal(text, "video=h264&microphone");
  assert.equal(consumer.format_name, "preload");
  assert.deepEqual(consumer.medias, ["video, sendonly, H264", "audio, recvonly, ANY"]);
  assert.equal(bench.streams.get("cam", operator)!.consumers.length, 1);
  // A failure leaves the one that is there.
  await assert.rejects(control.preload("cam", query("video=vp8"), operator), { code: "NO_COMMON_CODEC" });
  assert.equal(control.preloads(operator).cam!.query, "video=h264&microphone");
  await assert.rejects(control.preload("nobody", query(""), operator), { message: "stream not found" });
  await control.unpreload("cam", operator);
  await turn();
  assert.equal(cameras.at(-1)!.closes, 1);
  assert.equal(bench.store.saved.has("preload/cam"), false);
  await assert.rejects(control.unpreload("cam", operator), { message: "streams: preload not found: cam" });
  await bench.streams.close();
  assert.equal(bench.clock.pending, 0);
});

/** A sink that remembers its runs and ends them when told. */
class FakeSink extends FakeConsumer {
  readonly #end = Promise.withResolvers<void>();
  isRunning = false;

  async run(signal: AbortSignal): Promise<void> {
    this.isRunning = true;
    signal.addEventListener("abort", () => this.#end.resolve(), { once: true });
    await this.#end.promise;
    this.isRunning = false;
  }
  end(error: Error): void {
    this.#end.reject(error);
  }
}

function sinks(bench: Bench, scheme: string, options: Partial<SinkOpener> = {}): FakeSink[] {
  const opened: FakeSink[] = [];
  bench.registry.addSink(scheme, {
    open: () => {
      const sink = new FakeSink(takes(h264), takes(aac));
      opened.push(sink);
      return Promise.resolve(sink);
    },
    ...options,
  });
  return opened;
}

Deno.test("Control.publish() pushes again 5 s after each end, until unpublish()", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.camera("fake:a", gives(h264), gives(aac));
  const opened = sinks(bench, "push");
  bench.streams.configure({ streams: { cam: "fake:a" } });
  await control.publish("cam", "push://host/key", operator);
  await control.publish("cam", "push://host/key", operator);
  await turn();
  assert.equal(opened.length, 1);
  assert.ok(opened[0]!.isRunning);
  assert.equal(bench.streams.get("cam", operator)!.consumers.length, 1);
  for (let i = 0; i < 3; i++) {
    opened[i]!.end(new Error("hung up"));
    await bench.clock.advance(4900);
    assert.equal(opened.length, i + 1);
    await bench.clock.advance(200);
    assert.equal(opened.length, i + 2);
    assert.ok(opened[i + 1]!.isRunning);
  }
  assert.equal(control.unpublish("cam", "push://host/key", operator), true);
  assert.equal(control.unpublish("cam", "push://host/key", operator), false);
  await bench.clock.advance(20_000);
  assert.equal(opened.length, 4);
  assert.equal(opened[3]!.isRunning, false);
  assert.equal(bench.streams.get("cam", operator)!.consumers.length, 0);
  await bench.streams.close();
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Control.publish() rejects when the first try fails, and tries no more", async () => {
  const bench = new Bench();
  const { control } = bench.streams;
  bench.registry.answer("fake:a", () => new StreamError("OFFLINE", "no route"));
  const opened = sinks(bench, "push");
  sinks(bench, "run", { trusted: true });
  bench.registry.addSink("down", { open: () => Promise.reject(new StreamError("OFFLINE", "refused")) });
  bench.streams.configure({ streams: { cam: "fake:a" } });
  await assert.rejects(control.publish("cam", "push://host/key", operator), { message: "streams: no route" });
  assert.deepEqual(opened[0]!.reasons, ["streams: no route"]);
  await assert.rejects(control.publish("cam", "down://host", operator), { message: "refused" });
  await assert.rejects(control.publish("cam", "gopher://host", operator), { code: "UNSUPPORTED_SCHEME" });
  await assert.rejects(control.publish("cam", "run:it", operator), { code: "UNTRUSTED_SOURCE" });
  await assert.rejects(control.publish("cam", "push:a b", operator), { code: "UNTRUSTED_SOURCE" });
  await assert.rejects(control.publish("nobody", "push:a", operator), { code: "NOT_FOUND" });
  await bench.clock.advance(60_000);
  assert.equal(opened.length, 1);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Control.publish() needs the rights of a viewer too", async () => {
  const bench = new Bench();
  bench.camera("fake:a", gives(h264), gives(aac));
  const opened = sinks(bench, "push");
  bench.streams.configure({ streams: { cam: "fake:a" } });
  const blind = principal([], { mayOperate: true });
  await assert.rejects(bench.streams.control.publish("cam", "push:x", blind), denied);
  assert.equal(opened[0]!.reasons.length, 1);
  await bench.streams.close();
});
