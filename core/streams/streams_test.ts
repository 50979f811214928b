import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import {
  Bench,
  FakeConsumer,
  FakeProducer,
  gives,
  h264,
  h265,
  operator,
  opus,
  principal,
  takes,
  turn,
} from "./testing.ts";

const viewer = () => new FakeConsumer(takes(h264));
const query = (text: string) => new URLSearchParams(text);

Deno.test("Streams.configure() leaves the viewers of unchanged streams and sources alone", async () => {
  const bench = new Bench();
  const [a, b, c] = ["fake:a", "fake:b", "fake:c"].map((url) => bench.camera(url, gives(h264)));
  bench.streams.configure({ streams: { one: "fake:a", two: ["fake:b", "fake:c#linger=0"] } });
  const one = viewer();
  const two = viewer();
  await bench.streams.get("one", systemPrincipal)!.attach(one, systemPrincipal);
  await bench.streams.get("two", systemPrincipal)!.attach(two, systemPrincipal);
  await turn();
  const stream = bench.streams.get("two", systemPrincipal);
  bench.streams.configure({ streams: { three: "fake:c", two: ["fake:x", "fake:b", "fake:c"], one: ["fake:a"] } });
  bench.streams.configure({});
  await bench.clock.advance(20_000);
  assert.equal(bench.streams.get("two", systemPrincipal), stream);
  assert.deepEqual(stream!.sources, ["fake:x", "fake:b", "fake:c"]);
  assert.deepEqual([one.reasons, two.reasons], [[], []]);
  assert.deepEqual([a, b, c].map((cameras) => cameras!.length), [1, 1, 0]);
  assert.ok(a![0]!.isRunning && b![0]!.isRunning);
  assert.deepEqual(bench.streams.names(systemPrincipal), ["one", "two", "three"]);
  await bench.streams.close();
});

Deno.test("Streams.configure() changes a source in its place: viewers go on with what comes from there now", async () => {
  const bench = new Bench();
  const before = bench.camera("fake:a", gives(h264));
  const after = bench.camera("fake:b", gives(h264));
  bench.streams.configure({ streams: { cam: ["fake:a", "fake:z"] } });
  const consumer = viewer();
  const attachment = await bench.streams.get("cam", systemPrincipal)!.attach(consumer, systemPrincipal);
  await turn();
  before[0]!.feed();
  bench.streams.configure({ streams: { cam: ["fake:b", "fake:z"] } });
  await turn();
  assert.equal(before[0]!.closes, 1);
  after[0]!.feed();
  assert.equal(attachment.assignments[0]!.track.frames, 2);
  assert.deepEqual(consumer.reasons, []);
  await bench.streams.close();
});

Deno.test("Streams.configure() dials the new source for those who wait for the old one", async () => {
  const bench = new Bench();
  bench.registry.answer("fake:a", () => new Promise(() => {}));
  bench.camera("fake:b", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:a" } });
  const attaching = bench.streams.get("cam", systemPrincipal)!.attach(viewer(), systemPrincipal);
  await turn();
  bench.streams.configure({ streams: { cam: "fake:b" } });
  assert.equal((await attaching).assignments.length, 1);
  await bench.streams.close();
});

Deno.test("Streams.configure() closes the viewers of what was removed, with a reason", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264));
  const others = bench.camera("fake:b", gives(opus));
  bench.streams.configure({ streams: { cam: ["fake:a", "fake:b"], gone: "fake:a" } });
  const [video, audio, gone] = [viewer(), new FakeConsumer(takes(opus)), viewer()];
  await bench.streams.get("cam", systemPrincipal)!.attach(video, systemPrincipal);
  await bench.streams.get("cam", systemPrincipal)!.attach(audio, systemPrincipal);
  await bench.streams.get("gone", systemPrincipal)!.attach(gone, systemPrincipal);
  await turn();
  bench.streams.configure({ streams: { cam: "fake:a" } });
  await turn();
  assert.deepEqual(video.reasons, []);
  assert.deepEqual(audio.reasons, ["the source was removed"]);
  assert.deepEqual(gone.reasons, ["the stream was removed from the config"]);
  assert.deepEqual([cameras[0]!.closes, cameras[1]!.closes, others[0]!.closes], [0, 1, 1]);
  assert.equal(bench.streams.get("gone", systemPrincipal), undefined);
  bench.streams.configure({ streams: null });
  assert.deepEqual(bench.streams.names(systemPrincipal), []);
  await bench.streams.close();
});

Deno.test("Streams.configure() reads every form of an entry, says what is wrong, and goes on", async () => {
  const bench = new Bench();
  bench.streams.configure({ streams: { a: "fake:a", b: ["fake:a", 7], c: 12, d: null, "e/f": { url: "fake:a" } } });
  assert.deepEqual(bench.streams.names(systemPrincipal), ["a", "b", "c", "d", "e/f"]);
  assert.equal(bench.log.lines.filter((line) => line.startsWith("warn stream entry")).length, 2);
  await bench.streams.close();
});

Deno.test("Streams.get() and names() show a stream to those who may do something with it", async () => {
  const bench = new Bench();
  bench.streams.configure({ streams: { yard: "fake:a", hall: "fake:b" } });
  const yardOnly = { ...principal([]), can: (right: string, name: string) => right === "snapshot" && name === "yard" };
  assert.deepEqual(bench.streams.names(yardOnly), ["yard"]);
  assert.equal(bench.streams.get("hall", yardOnly), undefined);
  assert.equal(bench.streams.get("yard", yardOnly)?.name, "yard");
  assert.deepEqual(bench.streams.names(principal([])), []);
  assert.deepEqual(bench.streams.names(principal([], { mayOperate: true })), ["yard", "hall"]);
  assert.throws(() => bench.streams.getOrPatch(query("src=hall"), yardOnly), { code: "NOT_FOUND" });
  await bench.streams.close();
});

Deno.test("Streams.getOrPatch() answers the contract's errors", () => {
  const { streams } = new Bench();
  const get = (text: string, who = operator) => () => streams.getOrPatch(query(text), who);
  assert.throws(get(""), { message: "streams: source empty" });
  assert.throws(get("src=nobody"), { code: "NOT_FOUND", message: "stream not found" });
  assert.throws(get("src=gopher://x"), { message: "streams: source not supported" });
  assert.throws(get("src=fake:a%20b"), { message: "streams: source with spaces may be insecure" });
  assert.throws(get("src=fake:a", principal(["watch", "listen"])), { code: "UNAUTHORIZED" });
  assert.throws(get("src=fake:a&name=x", principal(["watch", "listen"])), { code: "UNAUTHORIZED" });
  assert.deepEqual(streams.names(operator), []);
});

Deno.test("Streams.getOrPatch() makes a stream of a URL, and drops it when nobody uses it any more", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264));
  const stream = bench.streams.getOrPatch(query("src=fake:a"), operator);
  assert.equal(stream.name, "fake:a");
  assert.equal(bench.streams.getOrPatch(query("src=fake:a"), operator), stream);
  await bench.clock.advance(9000);
  const attachment = await stream.attach(viewer(), operator);
  await bench.clock.advance(100_000);
  assert.deepEqual(bench.streams.names(operator), ["fake:a"]);
  attachment.detach();
  await bench.clock.advance(9900);
  assert.deepEqual(bench.streams.names(operator), ["fake:a"]);
  await bench.clock.advance(200);
  assert.deepEqual(bench.streams.names(operator), []);
  assert.equal(cameras[0]!.closes, 1);
  assert.equal(bench.clock.pending, 0);
  const named = bench.streams.getOrPatch(query("src=fake:a&name=front"), operator);
  assert.equal(named.name, "front");
  await bench.clock.advance(11_000);
  assert.deepEqual(bench.streams.names(operator), []);
});

Deno.test("Streams.getOrPatch() does not let the table grow without limit", async () => {
  const bench = new Bench();
  for (let i = 0; i < 256; i++) bench.streams.getOrPatch(query(`src=fake:${i}`), operator);
  assert.throws(() => bench.streams.getOrPatch(query("src=fake:more"), operator), { code: "BUSY" });
  await bench.clock.advance(11_000);
  bench.streams.getOrPatch(query("src=fake:more"), operator);
  assert.deepEqual(bench.streams.names(operator), ["fake:more"]);
  await bench.streams.close();
  assert.equal(bench.clock.pending, 0);
});

Deno.test("Streams knows a URL of its own RTSP server as the stream itself, and no other host's", async () => {
  const bench = new Bench({ isOwnRtsp: (host, port) => host === "localhost" && port === 8554 });
  bench.registry.addSource("rtsp", { open: () => Promise.reject(new Error("dialled")) });
  bench.streams.configure({ streams: { "front door": "fake:a" } });
  const stream = bench.streams.get("front door", operator);
  const own = "rtsp://localhost:8554/front%20door?video";
  assert.equal(bench.streams.getOrPatch(query(`src=${encodeURIComponent(own)}`), operator), stream);
  assert.equal(bench.streams.getOrPatch(query(`src=${encodeURIComponent(own)}`), principal(["watch"])), stream);
  assert.deepEqual(bench.streams.names(operator), ["front door"]);
  assert.equal(bench.streams.control.patch("alias", own, operator), stream);
  assert.equal(bench.streams.get("alias", operator), stream);
  assert.deepEqual(bench.streams.names(operator), ["front door", "alias"]);
  for (const other of ["rtsp://camera:8554/front%20door", "rtsp://localhost:554/front%20door"]) {
    assert.notEqual(bench.streams.getOrPatch(query(`src=${encodeURIComponent(other)}`), operator), stream);
  }
  bench.streams.configure({ streams: {} });
  assert.equal(bench.streams.get("alias", operator), undefined);
  await bench.streams.close();
});

Deno.test("Streams takes port 8554 of a loopback name as its own RTSP server unless told otherwise", async () => {
  const bench = new Bench();
  bench.registry.addSource("rtsp", { open: () => Promise.reject(new Error("dialled")) });
  bench.streams.configure({ streams: { cam: "fake:a" } });
  const isOwn = (url: string) => bench.streams.getOrPatch(query(`src=${url}`), operator).name === "cam";
  assert.ok(isOwn("rtsp://127.0.0.1:8554/cam"));
  assert.ok(isOwn("rtsp://[::1]:8554/cam"));
  assert.ok(!isOwn("rtsp://127.0.0.1:8555/cam"));
  assert.ok(!isOwn("rtsp://10.0.0.1:8554/cam"));
  await bench.streams.close();
});

Deno.test("Streams fills the first {input} of a template, each time anew, and trusts what the template says", async () => {
  const bench = new Bench();
  const opened: string[] = [];
  bench.registry.addSource("exec", {
    trusted: true,
    open: (source) => {
      opened.push(source.text);
      return Promise.resolve(new FakeProducer(bench.clock, [gives(h264)]));
    },
  });
  bench.streams.configure({ streams: { filled: "exec:play {input} {input}" } });
  const stream = bench.streams.get("filled", operator)!;
  assert.equal(bench.streams.control.describe("filled", operator)!.producers[0]!.url, "");
  await assert.rejects(stream.attach(viewer(), operator), { message: "streams: unknown error" });
  for (const input of ["fake:one$&", "fake:two"]) {
    assert.equal(bench.streams.getOrPatch(query(`name=filled&src=${encodeURIComponent(input)}`), operator), stream);
    const attachment = await stream.attach(viewer(), operator);
    attachment.detach();
    await bench.clock.advance(6000);
  }
  assert.deepEqual(opened, ["exec:play fake:one$& {input}", "exec:play fake:two {input}"]);
  await bench.streams.close();
});

Deno.test("Streams.close() ends everything and leaves no timer", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:a", gives(h264), gives(h265));
  bench.streams.configure({ streams: { cam: "fake:a" }, preload: { cam: null }, publish: {} });
  await bench.clock.advance(1500);
  const consumer = viewer();
  const stream = bench.streams.get("cam", systemPrincipal)!;
  await stream.attach(consumer, systemPrincipal);
  const pushed = stream.publish(
    new FakeProducer(bench.clock, [gives(opus)]),
    systemPrincipal,
    new AbortController().signal,
  );
  await turn();
  await bench.streams.close();
  await pushed;
  assert.deepEqual(consumer.reasons, ["the server is stopping"]);
  assert.equal(cameras[0]!.closes, 1);
  assert.equal(bench.clock.pending, 0);
  bench.streams.configure({ streams: { cam: "fake:a" } });
  assert.deepEqual(bench.streams.names(systemPrincipal), []);
});
