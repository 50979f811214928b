import assert from "node:assert/strict";
import { adminPrincipal, userPrincipal } from "../access/principals.ts";
import { Events } from "./events.ts";
import { MetricTable } from "./metrics.ts";
import { recordingLogger } from "./testing.ts";

async function textOf(response: Response): Promise<string> {
  return await response.text();
}

Deno.test("Events tells plugins and listeners, each what he may see", async () => {
  const lines: string[] = [];
  const events = new Events(recordingLogger(lines), (text) => text.replaceAll("hunter2", "***"));
  const seen: unknown[] = [];
  const off = events.on("source", (data) => seen.push(data.stream));
  events.on("source", () => {
    throw new Error("broken");
  });
  const admin = events.serve(adminPrincipal("a", true));
  const anna = events.serve(userPrincipal({ name: "anna", password: "", cameras: ["yard"] }, false));
  events.emit("source", { stream: "yard", url: "hunter2" });
  off();
  events.emit("source", { stream: "bed" });
  events.emit("config", { sections: ["log"] });
  events[Symbol.dispose]();
  assert.deepEqual(seen, ["yard"]);
  assert.match(lines[0]!, /A listener of "source" failed: broken/);
  const begin = "retry: 2000\n\n";
  const yard = 'event: source\ndata: {"stream":"yard","url":"***"}\n\n';
  assert.equal(await textOf(anna), begin + yard);
  const rest = 'event: source\ndata: {"stream":"bed"}\n\nevent: config\ndata: {"sections":["log"]}\n\n';
  assert.equal(await textOf(admin), begin + yard + rest);
  assert.equal(events.clientCount, 0);
});

Deno.test("Events stay JSON where a secret is a number", async () => {
  const events = new Events(recordingLogger([]), (text) => text.replaceAll("1", "***"));
  const listener = events.serve(adminPrincipal("a", true));
  events.emit("source", { stream: "cam1", id: 12, sources: [{ url: "1" }] });
  events[Symbol.dispose]();
  const data = /^data: (.*)$/m.exec(await textOf(listener))![1]!;
  assert.deepEqual(JSON.parse(data), { stream: "cam***", id: 12, sources: [{ url: "***" }] });
});

Deno.test("Events drops a listener who takes nothing, and refuses too many", async () => {
  const events = new Events(recordingLogger([]), (text) => text);
  const slow = events.serve(adminPrincipal("a", true));
  for (let i = 0; i < 1000; i++) events.emit("tick", { i });
  assert.equal(events.clientCount, 0);
  assert.ok((await slow.text()).length < 20_000);
  for (let i = 0; i < 200; i++) events.serve(adminPrincipal("a", true));
  assert.equal(events.serve(adminPrincipal("a", true)).status, 503);
  events[Symbol.dispose]();
});

Deno.test("MetricTable prints Prometheus' text and bounds its counters", () => {
  const table = new MetricTable();
  const undo: (() => void)[] = [];
  const metrics = table.scope((remove) => undo.push(remove));
  const counter = metrics.counter("x_total", "Counts\nthings");
  counter.add();
  counter.add(2, { path: 'a"b\\c\n' });
  metrics.gauge("y", "Now", () => [{ value: 1.5 }]);
  metrics.gauge("z", "Broken", () => {
    throw new Error("no");
  });
  assert.equal(
    table.text(),
    "# HELP x_total Counts\\nthings\n# TYPE x_total counter\nx_total 1\n" +
      'x_total{path="a\\"b\\\\c\\n"} 2\n# HELP y Now\n# TYPE y gauge\ny 1.5\n',
  );
  for (let i = 0; i < 5000; i++) counter.add(1, { i: String(i) });
  assert.ok(table.text().split("\n").length < 1100);
  assert.throws(() => metrics.counter("x_total", ""), /is there already/);
  assert.throws(() => metrics.counter("x total", ""), TypeError);
  for (const one of undo) one();
  assert.equal(table.text(), "\n");
});
