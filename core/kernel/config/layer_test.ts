import assert from "node:assert/strict";
import fc from "fast-check";
import { parseLayer } from "./layer.ts";
import { describeProblem } from "./problem.ts";
import { substitute } from "./substitute.ts";

function layerOf(text: string, env: Readonly<Record<string, string>> = {}) {
  return parseLayer("go2rtc.yaml", text, substitute(text, (name) => env[name]));
}

interface Case {
  readonly name: string;
  readonly text: string;
  readonly problems: readonly string[];
  readonly sections: Readonly<Record<string, unknown>>;
  readonly broken?: readonly string[];
}

const cases: readonly Case[] = [
  { name: "nothing", text: "", problems: [], sections: {} },
  { name: "comments alone", text: "# nothing\n\n", problems: [], sections: {} },
  { name: "CRLF", text: "a: 1\r\nb:\r\n  - x\r\n", problems: [], sections: { a: 1, b: ["x"] } },
  {
    name: "YAML 1.2: yes and on are text",
    text: "a: [yes, on, 0123, 0x10]",
    problems: [],
    sections: { a: ["yes", "on", 123, 16] },
  },
  { name: "a port alone", text: "rtsp:\n  listen: :8554\n", problems: [], sections: { rtsp: { listen: ":8554" } } },
  {
    name: "anchors, aliases and merge keys",
    text: "x: &base {listen: ':1', origin: '*'}\napi:\n  <<: *base\n  listen: ':2'\nb: *base\n",
    problems: [],
    sections: {
      x: { listen: ":1", origin: "*" },
      api: { listen: ":2", origin: "*" },
      b: { listen: ":1", origin: "*" },
    },
  },
  {
    name: "a tab costs only its section",
    text: "api:\n  listen: ':1'\nstreams:\n\ta: x\nrtsp:\n  listen: ':2'\n",
    problems: ["go2rtc.yaml:4:1: indent with spaces, a tab is not allowed here"],
    sections: { api: { listen: ":1" }, rtsp: { listen: ":2" } },
    broken: ["streams"],
  },
  {
    name: "an open bracket costs only its section",
    text: "api:\n  allow_paths: [/, /api\nrtsp:\n  listen: ':2'\n",
    problems: ["go2rtc.yaml:3:1: Flow sequence in block collection must be sufficiently indented and end with a ]"],
    sections: { rtsp: { listen: ":2" } },
    broken: ["api"],
  },
  {
    name: "wrong indentation",
    text: "streams:\n  a: x\n   b: y\napi: {}\n",
    problems: [
      'go2rtc.yaml:2:6: a value that holds ": " or ends with ":" needs quotes, and keys of one map stand in one column',
    ],
    sections: { api: {} },
    broken: ["streams"],
  },
  {
    name: "a value that needs quotes",
    text: "api:\n  username: @me\nrtsp: {}\n",
    problems: ["go2rtc.yaml:2:13: a value that begins with @ or ` needs quotes"],
    sections: { rtsp: {} },
    broken: ["api"],
  },
  {
    name: "duplicate keys",
    text: "streams:\n  a: x\n  b: y\n  a: z\n",
    problems: ['go2rtc.yaml:4:3: duplicate key "a": the last one counts'],
    sections: { streams: { a: "z", b: "y" } },
  },
  {
    name: "an alias that leads nowhere",
    text: "api: {}\nstreams:\n  a: *nope\n",
    problems: ["go2rtc.yaml:2:1: Unresolved alias (the anchor must be set before the alias): nope"],
    sections: { api: {} },
    broken: ["streams"],
  },
  {
    name: "two documents",
    text: "a: 1\n---\nb: 2\n",
    problems: ["go2rtc.yaml:2:1: only the first YAML document of a file is read"],
    sections: { a: 1 },
  },
  {
    name: "a list at the top",
    text: "- a\n",
    problems: ['go2rtc.yaml:1:1: expected sections like "streams:" at the top level'],
    sections: {},
  },
  {
    name: "a tag nobody knows",
    text: "a: !secret x\n",
    problems: ["go2rtc.yaml:1:4: Unresolved tag: !secret"],
    sections: { a: "x" },
  },
  {
    name: "keys that JavaScript treats specially",
    text: "__proto__: {a: 1}\nconstructor: 2\n",
    problems: [],
    sections: Object.fromEntries([["__proto__", { a: 1 }], ["constructor", 2]]),
  },
];

for (const { name, text, problems, sections, broken } of cases) {
  Deno.test(`parseLayer() reads ${name}`, () => {
    const layer = layerOf(text);
    assert.deepEqual(layer.problems.map(describeProblem), problems);
    assert.deepEqual(Object.fromEntries(layer.sections), sections);
    assert.deepEqual([...layer.broken], broken ?? []);
  });
}

Deno.test("parseLayer() survives a merge of nothing inside a key", () => {
  assert.deepEqual([...layerOf("a: 1\n? <<: ").sections], [["a", 1], ["", null]]);
});

Deno.test("parseLayer() refuses aliases that multiply", () => {
  const lines = ["l0: &l0 [x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 9; i++) lines.push(`l${i}: &l${i} [${Array(9).fill(`*l${i - 1}`).join(",")}]`);
  const layer = layerOf(lines.join("\n"));
  assert.match(describeProblem(layer.problems[0]!), /Excessive alias count/);
  assert.deepEqual(layer.sections.get("l0"), Array(9).fill("x"));
});

Deno.test("parseLayer() survives nesting that exhausts the stack", () => {
  const layer = layerOf("a: 1\nb: " + "[".repeat(50_000) + "\nc: 2\n");
  assert.equal(layer.sections.get("a"), 1);
  assert.equal(layer.sections.get("c"), 2);
  assert.ok(layer.broken.has("b"));
});

Deno.test("Layer.find() knows where keys, items and their parents are", () => {
  const layer = layerOf("api:\n  listen: x\nstreams:\n  cam:\n    - a\n    - b\n");
  const placeOf = (...path: (string | number)[]) => {
    const found = layer.find(path);
    return found && `${found.place.line}:${found.place.column} ${found.depth}`;
  };
  assert.equal(placeOf("api", "listen"), "2:3 2");
  assert.equal(placeOf("streams", "cam", 1), "6:7 3");
  assert.equal(placeOf("streams", "cam", 9), "4:3 2");
  assert.equal(placeOf("api", "nope"), "1:1 1");
  assert.equal(placeOf("nope"), undefined);
});

Deno.test("Layer.find() gives places in the file, not in the text with variables filled in", () => {
  const layer = layerOf("a: ${LONG} \nb: {x: ${LONG}, y: ${GONE:1}, z: 1}\n", { LONG: "1234567890123" });
  assert.deepEqual(layer.sections.get("b"), { x: 1234567890123, y: 1, z: 1 });
  assert.deepEqual(layer.find(["b", "z"])?.place, { file: "go2rtc.yaml", line: 2, column: 31 });
});

Deno.test("parseLayer() never throws", () => {
  const piece = fc.constantFrom(
    "a:",
    " b: ",
    "- ",
    "\n",
    "\t",
    "{",
    "}",
    "[",
    "&x ",
    "*x",
    "<<: ",
    "'",
    '"',
    "|\n",
    ": ",
    "#",
    "---\n",
    "${A}",
    "\uFEFF",
    "!t ",
    "? ",
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(piece).map((all) => all.join(""))), (text) => {
      const layer = layerOf(text, { A: "x: [" });
      for (const { place } of layer.problems) assert.ok(place && place.line >= 1 && place.column >= 1);
      layer.find(["a", "b", 0]);
    }),
    { numRuns: 500 },
  );
});
