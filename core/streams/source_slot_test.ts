import assert from "node:assert/strict";
import { systemPrincipal } from "../access/types.ts";
import { StreamError } from "../util/errors.ts";
import { retryDelayMs } from "./source_slot.ts";
import type { Attachment } from "./types.ts";
import { aac, Bench, FakeConsumer, FakeProducer, gives, h264, h265, takes, turn } from "./testing.ts";

const viewer = () => new FakeConsumer(takes(h264));

Deno.test("SourceSlot connects for the first viewer, serves the second, and lingers after the last", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  await bench.clock.advance(10_000);
  assert.equal(cameras.length, 0);
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const first = await stream.attach(viewer(), systemPrincipal);
  const second = await stream.attach(viewer(), systemPrincipal);
  await turn();
  assert.equal(cameras.length, 1);
  assert.equal(first.assignments[0]!.track, second.assignments[0]!.track);
  first.detach();
  second.detach();
  second.detach();
  await bench.clock.advance(4900);
  assert.ok(cameras[0]!.isRunning);
  await bench.clock.advance(200);
  assert.equal(cameras[0]!.closes, 1);
  assert.equal(stream.slots[0]!.state, "idle");
  assert.equal(bench.clock.pending, 0);
  await bench.streams.close();
});

Deno.test("SourceSlot keeps the connection for a viewer who comes within the linger time", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  (await stream.attach(viewer(), systemPrincipal)).detach();
  await bench.clock.advance(4000);
  using _ = await stream.attach(viewer(), systemPrincipal);
  await bench.clock.advance(20_000);
  assert.equal(cameras.length, 1);
  assert.ok(cameras[0]!.isRunning);
  await bench.streams.close();
});

Deno.test("SourceSlot takes the linger time of the source before that of the stream, and 0 as at once", async () => {
  const bench = new Bench();
  const slow = bench.camera("fake:slow", gives(h264));
  const quick = bench.camera("fake:quick", gives(h264));
  bench.streams.configure({
    streams: { slow: { url: "fake:slow", linger: 30 }, quick: { url: "fake:quick#linger=0", linger: 30 } },
  });
  for (const name of ["slow", "quick"]) {
    const attachment = await bench.streams.get(name, systemPrincipal)!.attach(viewer(), systemPrincipal);
    await turn();
    attachment.detach();
  }
  await turn();
  assert.equal(quick[0]!.closes, 1);
  await bench.clock.advance(29_000);
  assert.equal(slow[0]!.closes, 0);
  await bench.clock.advance(2000);
  assert.equal(slow[0]!.closes, 1);
  assert.deepEqual(bench.registry.dialled, ["fake:slow", "fake:quick"]);
  await bench.streams.close();
});

Deno.test("SourceSlot closes at once what was dialled and not needed", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h265));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  await assert.rejects(stream.attach(viewer(), systemPrincipal), { code: "NO_COMMON_CODEC" });
  await bench.clock.advance(1000);
  assert.equal(cameras[0]!.closes, 1);
  assert.equal(cameras[0]!.io, undefined);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("retryDelayMs() follows the contract: 1, 5, 10, 60 s", () => {
  const delays = Array.from({ length: 22 }, (_, i) => retryDelayMs(i) / 1000);
  assert.deepEqual(delays, [1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 60, 60]);
});

Deno.test("SourceSlot redials on the contract's schedule while somebody watches, and starts anew after success", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const consumer = viewer();
  using attachment = await stream.attach(consumer, systemPrincipal);
  await turn();
  const { track } = attachment.assignments[0]!;
  cameras[0]!.feed();
  await bench.clock.advance(2000);
  const times: number[] = [];
  bench.registry.answer("fake:cam", () => {
    times.push(bench.clock.now());
    return new StreamError("OFFLINE", "no route");
  });
  cameras[0]!.end(new Error("reset by peer"));
  await bench.clock.advance(250_000);
  const gaps = times.slice(1).map((time, i) => (time - times[i]!) / 1000);
  assert.deepEqual(gaps.slice(0, 21), [1, 1, 1, 1, 1, 5, 5, 5, 5, 5, ...Array(10).fill(10), 60]);
  assert.equal(stream.slots[0]!.state, "offline");
  assert.equal(stream.slots[0]!.cause, "no route");
  const again = bench.camera("fake:cam", gives(h264));
  await bench.clock.advance(61_000);
  again[0]!.feed();
  assert.equal(stream.slots[0]!.state, "live");
  assert.equal(attachment.assignments[0]!.track, track);
  assert.equal(track.frames, 2);
  assert.deepEqual(consumer.reasons, []);
  await bench.clock.advance(2000);
  again[0]!.end();
  await turn();
  assert.equal(again.length, 2);
  await bench.streams.close();
});

Deno.test("SourceSlot waits a second before it restarts what ended right after its start", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  using _ = await bench.streams.get("cam", systemPrincipal)!.attach(viewer(), systemPrincipal);
  await turn();
  for (let i = 0; i < 5; i++) {
    cameras[i]!.feed();
    cameras[i]!.end();
    await turn();
    assert.equal(cameras.length, i + 1);
    await bench.clock.advance(1000);
    assert.equal(cameras.length, i + 2);
  }
  await bench.streams.close();
});

Deno.test("SourceSlot treats a source's own CLOSED as a failure like any other", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  using _ = await bench.streams.get("cam", systemPrincipal)!.attach(viewer(), systemPrincipal);
  await turn();
  bench.registry.answer("fake:cam", () => new StreamError("CLOSED", "the camera hung up"));
  cameras[0]!.end();
  await bench.clock.advance(3500);
  assert.equal(bench.dials("fake:cam"), 4);
  await bench.streams.close();
});

Deno.test("SourceSlot leaves a source alone for a minute when it refused the login", async () => {
  const bench = new Bench();
  bench.registry.answer("fake:cam", () => new StreamError("UNAUTHORIZED", "cam refused the password"));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  for (let i = 0; i < 10; i++) {
    await assert.rejects(stream.attach(viewer(), systemPrincipal), {
      code: "UNAUTHORIZED",
      message: "streams: cam refused the password",
    });
    await bench.clock.advance(1000);
  }
  assert.equal(bench.dials("fake:cam"), 1);
  assert.equal(stream.slots[0]!.state, "refused");
  await bench.clock.advance(60_000);
  await assert.rejects(stream.attach(viewer(), systemPrincipal));
  assert.equal(bench.dials("fake:cam"), 2);
  const cameras = bench.camera("fake:cam#user=b", gives(h264));
  bench.registry.answer("fake:cam", () => new FakeProducer(bench.clock, [gives(h264)]));
  await bench.streams.control.put("cam", ["fake:cam#user=b"], systemPrincipal);
  using _ = await stream.attach(viewer(), systemPrincipal);
  assert.equal(cameras.length, 0);
  assert.equal(bench.dials("fake:cam#user=b"), 1);
  await bench.streams.close();
});

Deno.test("SourceSlot redials a source that begins to refuse the login once a minute at most", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  using _ = await bench.streams.get("cam", systemPrincipal)!.attach(viewer(), systemPrincipal);
  await turn();
  cameras[0]!.feed();
  bench.registry.answer("fake:cam", () => new StreamError("UNAUTHORIZED", "wrong password"));
  cameras[0]!.end(new StreamError("UNAUTHORIZED", "wrong password"));
  await bench.clock.advance(305_000);
  assert.equal(bench.dials("fake:cam"), 6);
  await bench.streams.close();
});

Deno.test("SourceSlot.dial() is shared by all who wait, and ends when the last of them leaves", async () => {
  const bench = new Bench();
  const opened = Promise.withResolvers<FakeProducer>();
  let signal: AbortSignal | undefined;
  bench.registry.answer("fake:cam", (io) => {
    signal = io.signal;
    return opened.promise;
  });
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const first = new AbortController();
  const second = new AbortController();
  const attaching = [first, second].map(({ signal }) => stream.attach(viewer(), systemPrincipal, signal));
  const settled = Promise.allSettled(attaching);
  await turn();
  assert.equal(bench.dials("fake:cam"), 1);
  first.abort();
  await assert.rejects(attaching[0]!, { code: "CLOSED" });
  assert.equal(signal!.aborted, false);
  second.abort();
  await settled;
  assert.equal(signal!.aborted, true);
  // What opens too late is closed.
  const late = new FakeProducer(bench.clock, [gives(h264)]);
  opened.resolve(late);
  await turn();
  assert.equal(late.closes, 1);
  assert.equal(stream.slots[0]!.state, "idle");
  await bench.clock.advance(1000);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("SourceSlot.dial() serves one who comes just when the others gave up", async () => {
  const bench = new Bench();
  let second: Promise<Attachment> | undefined;
  bench.registry.answer("fake:cam", (io) => {
    io.signal.addEventListener("abort", () => {
      bench.camera("fake:cam", gives(h264));
      second = stream.attach(viewer(), systemPrincipal);
    });
    return new Promise(() => {});
  });
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const first = new AbortController();
  const attaching = stream.attach(viewer(), systemPrincipal, first.signal);
  const rejected = assert.rejects(attaching, { code: "CLOSED" });
  await turn();
  first.abort();
  await rejected;
  using attachment = (await second)!;
  assert.equal(attachment.assignments.length, 1);
  assert.equal(bench.dials("fake:cam"), 2);
  await bench.streams.close();
});

Deno.test("SourceSlot.dial() gives up on an opener that never answers", async () => {
  const bench = new Bench();
  bench.registry.answer("fake:me:pw@cam", () => new Promise(() => {}));
  bench.streams.configure({ streams: { cam: "fake:me:pw@cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const attaching = stream.attach(viewer(), systemPrincipal);
  const rejected = assert.rejects(attaching, { code: "TIMEOUT", message: /^streams: no answer from .* within 60 s$/ });
  await bench.clock.advance(60_000);
  await rejected;
  assert.equal(bench.clock.pending, 0);
});

Deno.test("SourceSlot does not wait for ever for a producer that ignores its signal", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam#linger=0" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const attachment = await stream.attach(viewer(), systemPrincipal);
  await turn();
  cameras[0]!.obeys = false;
  const stubborn = new FakeProducer(bench.clock, [gives(h264)]);
  stubborn.obeys = false;
  cameras[0]!.end();
  bench.registry.answer("fake:cam", () => stubborn);
  await bench.clock.advance(1000);
  assert.ok(stubborn.isRunning);
  attachment.detach();
  await bench.clock.advance(2900);
  assert.equal(stubborn.closes, 0);
  const next = stream.attach(viewer(), systemPrincipal);
  bench.camera("fake:cam", gives(h264));
  await bench.clock.advance(200);
  assert.equal(stubborn.closes, 1);
  (await next).detach();
  await bench.streams.close();
  stubborn.end(new Error("at last"));
  await turn();
});

Deno.test("SourceSlot becomes frozen, without video and live again by what arrives", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264), gives(aac));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  using _ = await stream.attach(viewer(), systemPrincipal);
  const [slot] = stream.slots;
  await bench.clock.advance(9000);
  assert.equal(slot!.state, "connecting");
  await bench.clock.advance(2000);
  assert.equal(slot!.state, "no video");
  cameras[0]!.feed();
  assert.equal(slot!.state, "live");
  await bench.clock.advance(7000);
  assert.equal(slot!.state, "frozen");
  assert.equal(slot!.cause, "no picture for 5 s");
  cameras[0]!.feed();
  await bench.clock.advance(1000);
  assert.equal(slot!.state, "live");
  assert.deepEqual(slot!.timeline.map(({ state }) => state), ["connecting", "no video", "live", "frozen", "live"]);
  const told = bench.events.filter(({ type }) => type === "source").map(({ data }) => data.state);
  assert.deepEqual(told, ["connecting", "no video", "live", "frozen", "live"]);
  await bench.streams.close();
});

Deno.test("SourceSlot follows redirects, and trusts them only as far as it may", async () => {
  const bench = new Bench();
  const { registry } = bench;
  const cameras = bench.camera("fake:cam", gives(h264));
  const ran: string[] = [];
  registry.addSource("exec", {
    trusted: true,
    open: (source) => {
      ran.push(source.text);
      return Promise.resolve(new FakeProducer(bench.clock, [gives(h264)]));
    },
  });
  registry.addRedirect("name", { resolve: () => Promise.resolve("fake:cam") });
  registry.addRedirect("loop", { resolve: (source) => Promise.resolve(source.text) });
  registry.addRedirect("void", { resolve: () => Promise.resolve("") });
  registry.addRedirect("evil", { resolve: () => Promise.resolve("exec:evil") });
  registry.addRedirect("echo", { trusted: true, resolve: () => Promise.resolve("exec:echoed") });
  registry.addRedirect("ffmpeg", { vouches: true, resolve: () => Promise.resolve("exec:built") });
  bench.streams.configure({
    streams: { name: "name:x", loop: "loop:x", void: "void:x", evil: "evil:x", echo: "echo:x", odd: "gopher://x" },
  });
  await bench.streams.control.put("built", ["ffmpeg:x"], { ...systemPrincipal, isTrusted: false });
  const attach = async (name: string) => {
    (await bench.streams.get(name, systemPrincipal)!.attach(viewer(), systemPrincipal)).detach();
  };
  await attach("name");
  assert.equal(cameras.length, 1);
  await attach("echo");
  await attach("built");
  assert.deepEqual(ran, ["exec:echoed", "exec:built"]);
  await assert.rejects(attach("evil"), { code: "UNTRUSTED_SOURCE", message: "streams: source from insecure producer" });
  await assert.rejects(attach("loop"), { code: "BAD_SOURCE", message: /check for a loop/ });
  await assert.rejects(attach("void"), { code: "BAD_SOURCE" });
  await assert.rejects(attach("odd"), { message: "streams: unsupported scheme: gopher://x" });
  assert.equal(ran.length, 2);
  await bench.streams.close();
});

Deno.test("SourceSlot keeps no track when its last viewer leaves while it redials", async () => {
  const bench = new Bench();
  const cameras = bench.camera("fake:cam", gives(h264));
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const attachment = await stream.attach(viewer(), systemPrincipal);
  await turn();
  cameras[0]!.feed();
  bench.registry.answer("fake:cam", () => new Promise(() => {}));
  await bench.clock.advance(2000);
  cameras[0]!.end();
  await turn();
  assert.equal(stream.slots[0]!.state, "connecting");
  attachment.detach();
  await turn();
  assert.equal(stream.slots[0]!.state, "idle");
  assert.deepEqual(stream.slots[0]!.bindings, []);
  assert.equal(bench.clock.pending, 0);
  await bench.streams.close();
});

Deno.test("SourceSlot closes what opens in the very moment in which it is given up", async () => {
  // However far the news of it has come when the stream is removed.
  for (let steps = 0; steps < 12; steps++) {
    const bench = new Bench();
    const opened = Promise.withResolvers<FakeProducer>();
    bench.registry.answer("fake:cam", () => opened.promise);
    bench.streams.configure({ streams: { cam: "fake:cam" } });
    const attaching = bench.streams.get("cam", systemPrincipal)!.attach(viewer(), systemPrincipal).catch(() => {});
    await turn();
    const producer = new FakeProducer(bench.clock, [gives(h264)]);
    opened.resolve(producer);
    for (let i = 0; i < steps; i++) await Promise.resolve();
    bench.streams.configure({ streams: {} });
    await attaching;
    await turn();
    assert.equal(producer.closes, 1, `after ${steps} steps`);
    await bench.streams.close();
    assert.equal(bench.clock.pending, 0);
  }
});

Deno.test("SourceSlot goes on when a producer throws on closing", async () => {
  const bench = new Bench();
  bench.streams.configure({ streams: { cam: "fake:cam" } });
  const stream = bench.streams.get("cam", systemPrincipal)!;
  const slot = stream.slots[0]!;
  bench.registry.answer("fake:cam", () => {
    const producer = new FakeProducer(bench.clock, [gives(h265)]);
    producer.close = () => {
      throw new Error("socket is closed already");
    };
    return producer;
  });
  // Not needed, as it gives another codec.
  await assert.rejects(stream.attach(viewer(), systemPrincipal), /codecs not matched/);
  assert.deepEqual([slot.state, slot.producer, slot.bindings.length], ["idle", undefined, 0]);
  assert.ok(bench.log.lines.some((line) => line.includes("socket is closed already")));
  bench.camera("fake:cam", gives(h264));
  using attachment = await stream.attach(viewer(), systemPrincipal);
  assert.equal(attachment.assignments.length, 1);
  await bench.streams.close();
});
