import assert from "node:assert/strict";
import { z } from "zod";
import * as mini from "zod/mini";
import { Access } from "../access/access.ts";
import { defaultAccessSettings } from "../access/settings.ts";
import { Streams } from "../streams/streams.ts";
import { Events } from "./events.ts";
import { Router } from "./http/router.ts";
import { ApiSockets } from "./http/sockets.ts";
import { MetricTable } from "./metrics.ts";
import type { PluginContext, PluginDefinition } from "./plugin.ts";
import { PluginHost } from "./plugin_host.ts";
import { Registry } from "./registry.ts";
import { recordingLogger } from "./testing.ts";

type Sections = Readonly<Record<string, unknown>>;

function setUp(sections: Sections = {}, setupLimitMs = 5000) {
  const lines: string[] = [];
  const log = recordingLogger(lines);
  const registry = new Registry();
  const router = new Router();
  const access = new Access(defaultAccessSettings);
  const mask = (text: string) => text;
  const sockets = new ApiSockets({ access, log, mask });
  const events = new Events(log, mask);
  const metrics = new MetricTable();
  const store = { set: () => Promise.resolve(), remove: () => Promise.resolve(), has: () => false };
  const streams = new Streams({ registry, store, log, logOf: () => log, emit: () => {} });
  const host = new PluginHost({
    access,
    streams,
    registry,
    router,
    sockets,
    events,
    metrics,
    logOf: () => log,
    core: () => Promise.resolve({} as PluginContext["core"]),
    configOf: (definition, schema) => {
      const result = z.safeParse(schema, sections[definition.name] ?? {});
      return result.success ? { value: result.data } : undefined;
    },
    setupLimitMs,
  });
  const errors = () => lines.filter((line) => line.startsWith("error"));
  return { host, registry, router, sockets, events, metrics, lines, errors };
}

function plugin(name: string, setup: PluginDefinition["setup"], more: Partial<PluginDefinition> = {}) {
  const definition = { name, api: 1, setup, ...more };
  return { label: `/plugins/${name}.ts`, load: () => Promise.resolve({ default: definition }) };
}

const nothing = () => {};
const opener = { open: () => Promise.reject(new Error("not now")) };

Deno.test("PluginScope undoes everything that a plugin registered, in reverse", async () => {
  const { host, registry, router, sockets, events, metrics } = setUp();
  const order: string[] = [];
  let context: PluginContext | undefined;
  await host.load([plugin("all", async (ctx) => {
    context = ctx;
    ctx.defer(() => void order.push("first"));
    ctx.source(["a", "b"], opener);
    ctx.sink("s", opener);
    ctx.redirect("r", { resolve: () => Promise.resolve("a:") });
    ctx.sniffer("sniff", { recognizes: () => false, open: opener.open });
    ctx.http.get("/api/all", { summary: "", needs: "public" }, () => new Response());
    ctx.socket("msg", { needs: "public", summary: "" }, nothing);
    ctx.provide("service", 1);
    ctx.metrics.counter("all_total", "").add();
    ctx.metrics.gauge("all_now", "", () => [{ value: 1 }]);
    ctx.events.on("tick", () => order.push("tick"));
    await ctx.listen("127.0.0.1:0", async () => {});
    ctx.defer(async () => {
      await Promise.resolve();
      order.push("last");
    });
    ctx.defer(() => {
      throw new Error("cannot");
    });
  })]);
  assert.deepEqual(host.names(), ["all"]);
  assert.deepEqual(registry.schemes(), ["a", "b", "r"]);
  assert.equal(router.routes().length, 1);
  assert.equal(context!.use("service"), 1);
  events.emit("tick", {});
  assert.match(metrics.text(), /all_total 1\n/);

  await host.unload("all");
  events.emit("tick", {});
  assert.deepEqual(order, ["tick", "last", "first"]);
  assert.deepEqual(registry.schemes(), []);
  assert.equal(registry.sink("s"), undefined);
  assert.equal(registry.sniffers.values().length, 0);
  assert.equal(router.routes().length, 0);
  assert.equal(sockets.types().length, 0);
  assert.equal(context!.use("service"), undefined);
  assert.equal(metrics.text(), "\n");
  assert.ok(context!.signal.aborted);
  assert.throws(() => context!.source("late", opener), /"all" has been unloaded/);
});

Deno.test("PluginHost leaves out what is no plugin and says why", async () => {
  const { host, errors } = setUp();
  const table: readonly [unknown, RegExp][] = [
    [undefined, /is an object with name, api and setup/],
    [{ name: "Bad Name", api: 1, setup: nothing }, /"Bad Name" must be lower-case/],
    [{ name: "log", api: 1, setup: nothing }, /the server needs for itself/],
    [{ name: "x", api: 1, setup: nothing, seutp: 1 }, /"x" has the unknown key "seutp"/],
    [{ name: "x", api: 2, setup: nothing }, /written for plugin API 2, this server has 1/],
    [{ name: "x", api: 1 }, /has no setup function/],
    [{ name: "x", api: 1, setup: nothing, requires: "y" }, /"requires" that is no list/],
  ];
  for (const [definition] of table) {
    await host.load([{ label: "/p/x.ts", load: () => Promise.resolve({ default: definition }) }]);
  }
  await host.load([{ label: "/p/broken.ts", load: () => Promise.reject(new SyntaxError("Unexpected token")) }]);
  assert.equal(errors().length, table.length + 1);
  table.forEach(([, text], i) => assert.match(errors()[i]!, text));
  assert.match(errors().at(-1)!, /broken\.ts was left out: Unexpected token/);
  assert.deepEqual(host.names(), []);
});

Deno.test("PluginHost contains a plugin that fails, and names it", async () => {
  const { host, registry, errors } = setUp({ picky: { rate: "fast" } }, 50);
  await host.load([
    plugin("throws", (ctx) => {
      ctx.source("t", opener);
      throw new Error("no camera here");
    }),
    plugin("hangs", (ctx) => {
      ctx.source("h", opener);
      return new Promise(nothing);
    }),
    plugin("picky", nothing, { config: () => z.object({ rate: z.number() }) }),
    plugin("fine", (ctx) => ctx.source("f", opener)),
  ]);
  assert.deepEqual(host.names(), ["fine"]);
  assert.deepEqual(registry.schemes(), ["f"]);
  assert.match(errors()[0]!, /"throws" failed to start: no camera here; it stays off, the rest runs/);
  assert.match(errors()[1]!, /"hangs" failed to start: setup took longer than 0.05 s/);
  assert.match(errors()[2]!, /"picky" found mistakes in the config/);
});

Deno.test("PluginHost takes a schema of zod/mini as it is, and hands zod to a function", async () => {
  const { host, errors } = setUp({ small: { rate: 3 }, whole: { rate: 4 } });
  const found: unknown[] = [];
  const note = (ctx: PluginContext) => void found.push(ctx.config);
  await host.load([
    plugin("small", note, { config: mini.object({ rate: mini.number(), on: mini._default(mini.boolean(), true) }) }),
    plugin("whole", note, {
      config: (zod) => zod.object({ rate: zod.number().min(1), on: zod.boolean().default(false) }),
    }),
  ]);
  assert.deepEqual(errors(), []);
  assert.deepEqual(found, [{ rate: 3, on: true }, { rate: 4, on: false }]);
});

Deno.test("PluginHost names both plugins that claim a scheme, a route or a service", async () => {
  const { host, errors, registry } = setUp();
  const claims: readonly ((ctx: PluginContext) => void)[] = [
    (ctx) => ctx.source("cam", opener),
    (ctx) => ctx.http.get("/api/cam", { summary: "", needs: "public" }, () => new Response()),
    (ctx) => ctx.provide("cam", 1),
    (ctx) => ctx.socket("cam", { needs: "public", summary: "" }, nothing),
  ];
  await host.load([plugin("one", (ctx) => claims.forEach((claim) => claim(ctx)))]);
  for (const [i, claim] of claims.entries()) await host.load([plugin(`two${i}`, claim)]);
  assert.equal(errors().length, claims.length);
  errors().forEach((line, i) => assert.match(line, new RegExp(`claimed by plugins "one" and "two${i}"`)));
  assert.deepEqual(host.names(), ["one"]);
  assert.ok(registry.source("cam"));
  await host.load([plugin("one", nothing)]);
  assert.match(errors().at(-1)!, /"one" is there twice, in \/plugins\/one.ts and in \/plugins\/one.ts/);
});

Deno.test("PluginHost sets plugins up after those whose services they require", async () => {
  const { host, errors } = setUp();
  const order: string[] = [];
  await host.load([
    plugin("third", () => void order.push("third"), { requires: ["b"] }),
    plugin("second", (ctx) => {
      order.push(`second with ${ctx.use("a")}`);
      ctx.provide("b", 2);
    }, { requires: ["a"] }),
    plugin("first", (ctx) => ctx.provide("a", 1)),
    plugin("never", nothing, { requires: ["c", "d"] }),
  ]);
  assert.deepEqual(order, ["second with 1", "third"]);
  assert.match(errors()[0]!, /"never" needs the service "c" and "d", which no loaded plugin provides/);
});

Deno.test("PluginHost loads a plugin anew with those that require it", async () => {
  const { host, registry, errors } = setUp();
  const order: string[] = [];
  const base = (version: number) =>
    plugin("base", (ctx) => {
      order.push(`base ${version}`);
      ctx.source("base", opener);
      ctx.provide("base", version);
    });
  await host.load([
    base(1),
    plugin("user", (ctx) => void order.push(`user of ${ctx.use("base")}`), { requires: ["base"] }),
  ]);
  await host.reload(base(2));
  assert.deepEqual(order, ["base 1", "user of 1", "base 2", "user of 2"]);
  assert.deepEqual(host.names(), ["base", "user"]);

  await host.reload({ ...base(3), load: () => Promise.reject(new Error("typo")) });
  assert.deepEqual(host.names(), ["base", "user"]);
  assert.ok(registry.source("base"));
  assert.match(errors()[0]!, /base.ts was left out: typo/);

  await host.restart("user");
  assert.equal(order.at(-1), "user of 2");
  await host.remove("/plugins/base.ts");
  assert.equal(registry.source("base"), undefined);
  await host.close();
  assert.deepEqual(host.names(), []);
});

Deno.test("PluginHost lets a plugin run on while its section has a mistake", async () => {
  const sections: Record<string, unknown> = { base: { rate: 1 }, user: { rate: 10 } };
  const { host, errors } = setUp(sections);
  const order: string[] = [];
  const rated = (name: string, more: Partial<PluginDefinition>) =>
    plugin(name, (ctx) => {
      order.push(`${name} ${(ctx.config as { rate: number }).rate}`);
      ctx.provide(name, 1);
      ctx.defer(() => void order.push(`no ${name}`));
    }, { config: () => z.object({ rate: z.number() }), ...more });
  await host.load([rated("base", {}), rated("user", { requires: ["base"] })]);
  sections.base = { rate: "fast" };
  sections.user = { rate: "slow" };
  await host.restart("base");
  await host.restart("user");
  assert.deepEqual(order.splice(0), ["base 1", "user 10"]);
  assert.match(errors()[0]!, /"base" found mistakes in the config; it goes on as it runs/);
  sections.base = { rate: 2 };
  await host.restart("base");
  assert.deepEqual(order.splice(0), ["no base", "no user", "base 2", "user 10"]);
  sections.user = { rate: 20 };
  await host.restart("user");
  assert.deepEqual(order, ["no user", "user 20"]);
  assert.equal(errors().length, 2);
});

Deno.test("PluginHost starts a plugin when its section is mended, with those that require it", async () => {
  const sections: Record<string, unknown> = { base: { rate: "fast" } };
  const { host, errors } = setUp(sections);
  let isPortTaken = true;
  await host.load([
    plugin("base", (ctx) => {
      if (isPortTaken) throw new Error("port taken");
      ctx.provide("base", 1);
    }, { config: () => z.object({ rate: z.number() }) }),
    plugin("user", nothing, { requires: ["base"] }),
    plugin("other", nothing, { requires: ["nothing"] }),
  ]);
  assert.equal(errors().length, 3);
  assert.deepEqual(host.readersOf("base"), ["base"]);
  sections.base = { rate: 1 };
  await host.restart("base");
  assert.match(errors()[3]!, /"base" failed to start: port taken/);
  assert.deepEqual(host.names(), []);
  isPortTaken = false;
  await host.restart("base");
  assert.deepEqual(host.names(), ["base", "user"]);
  assert.equal(errors().length, 4);
});

Deno.test("PluginHost tells who reads a section", async () => {
  const { host } = setUp();
  await host.load([plugin("a", nothing), plugin("b", nothing, { sections: ["api", "a"] })]);
  assert.deepEqual(host.readersOf("a"), ["a", "b"]);
  assert.deepEqual(host.readersOf("b"), []);
});
