import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "yaml";
import { checkText, mergeIntoText, removeFromText, setInText } from "./edit.ts";
import { yamlOptions } from "./layer.ts";
import { withValueAt } from "./tree.ts";

const HOUSE = `# House
api:
    listen:   ":1984"   # keep the spaces
    origin: "*"

streams:
    # at the door
    door: rtsp://user:\${DOOR_PASSWORD}@10.0.0.5/main   # main stream
    yard:
        - rtsp://10.0.0.6/1    # first

        - 'ffmpeg:yard#audio=opus'
    # old: rtsp://10.0.0.7/1
    empty:
    flow: { url: [a,  b] }

webrtc: {listen: ":8555", candidates: [ "1.2.3.4:8555" ]}
# the end
`;

interface Case {
  readonly name: string;
  readonly text: string;
  readonly path: readonly string[];
  /** `undefined` removes. */
  readonly value?: unknown;
  readonly wanted: string;
}

const cases: readonly Case[] = [
  {
    name: "a text becomes a list and keeps its comment",
    text: HOUSE,
    path: ["streams", "door"],
    value: ["rtsp://b", "rtsp://c"],
    wanted: HOUSE.replace(
      / rtsp:\/\/user.*\n/,
      "   # main stream\n        - rtsp://b\n        - rtsp://c\n",
    ),
  },
  {
    name: "a list is replaced",
    text: HOUSE,
    path: ["streams", "yard"],
    value: ["x"],
    wanted: HOUSE.replace(/ {8}- rtsp:\/\/10\.0\.0\.6[^]*?opus'\n/, "        - x\n"),
  },
  {
    name: "a list becomes a text",
    text: HOUSE,
    path: ["streams", "yard"],
    value: "x",
    wanted: HOUSE.replace(/yard:\n[^]*?opus'\n/, "yard: x\n"),
  },
  {
    name: "a key without a value gets one",
    text: HOUSE,
    path: ["streams", "empty"],
    value: ["x"],
    wanted: HOUSE.replace("empty:\n", "empty:\n        - x\n"),
  },
  {
    name: "a new key goes to the end of its section",
    text: HOUSE,
    path: ["streams", "camera.hall"],
    value: ["x"],
    wanted: HOUSE.replace("[a,  b] }\n", "[a,  b] }\n    camera.hall:\n        - x\n"),
  },
  {
    name: "a new section goes to the end of the file",
    text: HOUSE,
    path: ["preload", "door"],
    value: "video",
    wanted: HOUSE + "preload:\n    door: video\n",
  },
  {
    name: "a key is added to a flow map",
    text: HOUSE,
    path: ["webrtc", "filters"],
    value: { loopback: true },
    wanted: HOUSE.replace('8555" ]}', '8555" ], filters: {"loopback":true}}'),
  },
  {
    name: "a value in a flow map is replaced",
    text: HOUSE,
    path: ["webrtc", "listen"],
    value: "",
    wanted: HOUSE.replace('{listen: ":8555"', '{listen: ""'),
  },
  {
    name: "a key is removed from a flow map",
    text: HOUSE,
    path: ["webrtc", "listen"],
    wanted: HOUSE.replace('listen: ":8555", ', ""),
  },
  {
    name: "a list is removed",
    text: HOUSE,
    path: ["streams", "yard"],
    wanted: HOUSE.replace(/ {4}yard:\n[^]*?opus'\n/, ""),
  },
  {
    name: "a section is removed",
    text: HOUSE,
    path: ["api"],
    wanted: HOUSE.replace(/api:\n[^]*?"\*"\n/, ""),
  },
  { name: "an empty text", text: "", path: ["streams", "a"], value: ["x"], wanted: "streams:\n  a:\n    - x\n" },
  {
    name: "comments alone",
    text: "# nothing yet",
    path: ["streams", "a"],
    value: "x",
    wanted: "# nothing yet\nstreams:\n  a: x\n",
  },
  {
    name: "a section with comments alone",
    text: "streams:  # mine\n  # cam: x\n\napi:\n  listen: ''\n",
    path: ["streams", "a"],
    value: ["x"],
    wanted: "streams:  # mine\n  a:\n    - x\n  # cam: x\n\napi:\n  listen: ''\n",
  },
  {
    name: "an empty flow map",
    text: "streams: {}\n",
    path: ["streams", "a"],
    value: ["x"],
    wanted: "streams:\n  a:\n    - x\n",
  },
  {
    name: "CRLF",
    text: "\uFEFFstreams:\r\n  a: x # one\r\n  b:\r\n    - y\r\napi:\r\n  listen: ''\r\n",
    path: ["streams", "a"],
    value: ["p", "q"],
    wanted: "\uFEFFstreams:\r\n  a: # one\r\n    - p\r\n    - q\r\n  b:\r\n    - y\r\napi:\r\n  listen: ''\r\n",
  },
  {
    name: "CRLF, a list",
    text: "streams:\r\n  a:\r\n    - y\r\n  b: x\r\n",
    path: ["streams", "a"],
    value: ["z"],
    wanted: "streams:\r\n  a:\r\n    - z\r\n  b: x\r\n",
  },
  {
    name: "no line end at the end of the file",
    text: "streams:\n  a: x",
    path: ["streams", "b"],
    value: "y",
    wanted: "streams:\n  a: x\n  b: y",
  },
  {
    name: "lists that are not indented",
    text: "streams:\n  a:\n  - x\n  - y\n  b: z\n",
    path: ["streams", "a"],
    value: ["w"],
    wanted: "streams:\n  a:\n    - w\n  b: z\n",
  },
  {
    name: "JSON on one line",
    text: '{"streams": {"a": "x"}, "api": {}}\n',
    path: ["streams", "b"],
    value: ["y,z"],
    wanted: '{"streams": {"a": "x", "b": ["y,z"]}, "api": {}}\n',
  },
  {
    name: "JSON on many lines",
    text: '{\n  "streams": {\n    "a": "x"\n  }\n}\n',
    path: ["streams", "b"],
    value: "y",
    wanted: '{\n  "streams": {\n    "a": "x",\n    "b": "y"\n  }\n}\n',
  },
  {
    name: "a block text",
    text: "api:\n  tls_cert: |\n    -----BEGIN\n    -----END\n\n  listen: ''\n",
    path: ["api", "tls_cert"],
    value: "cert.pem",
    wanted: "api:\n  tls_cert: cert.pem\n\n  listen: ''\n",
  },
  {
    name: "after a block text",
    text: "api:\n  tls_cert: |\n    -----BEGIN\n    -----END\nstreams:\n  a: x\n",
    path: ["api", "listen"],
    value: "",
    wanted: 'api:\n  tls_cert: |\n    -----BEGIN\n    -----END\n  listen: ""\nstreams:\n  a: x\n',
  },
  {
    name: "a key that is a number",
    text: "streams:\n  1: x\n  2: y\n",
    path: ["streams", "2"],
    value: "z",
    wanted: "streams:\n  1: x\n  2: z\n",
  },
  {
    name: "keys and values that need quotes",
    text: "streams:\n",
    path: ["streams", "a: b"],
    value: ["x # y", "null", "@z", ""],
    wanted: 'streams:\n  "a: b":\n    - "x # y"\n    - "null"\n    - "@z"\n    - ""\n',
  },
  {
    name: "the last key of a section is removed",
    text: "streams:\n  a: x\napi:\n  listen: ''\n",
    path: ["streams", "a"],
    wanted: "streams:\napi:\n  listen: ''\n",
  },
  {
    name: "a deep path",
    text: "homekit:\n  door:\n    pin: 12345678\n",
    path: ["homekit", "door", "pairings"],
    value: ["client_id=1"],
    wanted: "homekit:\n  door:\n    pin: 12345678\n    pairings:\n      - client_id=1\n",
  },
  {
    name: "a duplicate key: the one that counts",
    text: "streams:\n  a: x\n  a: y\n",
    path: ["streams", "a"],
    value: "z",
    wanted: "streams:\n  a: x\n  a: z\n",
  },
  {
    name: "a value that others refer to keeps its anchor's meaning",
    text: "base: &b {url: x}\nstreams:\n  a: *b\n  c: y\n",
    path: ["streams", "c"],
    value: "z",
    wanted: "base: &b {url: x}\nstreams:\n  a: *b\n  c: z\n",
  },
];

for (const { name, text, path, value, wanted } of cases) {
  Deno.test(`${value === undefined ? "removeFromText" : "setInText"}() changes nothing else: ${name}`, () => {
    const changed = value === undefined ? removeFromText(text, path) : setInText(text, path, value);
    assert.equal(changed, wanted);
  });
}

Deno.test("setInText() leaves a value that is there already as it is written", () => {
  const text = "streams:\n  a: [ 'x',   \"y\" ]\n";
  assert.equal(setInText(text, ["streams", "a"], ["x", "y"]), text);
});

Deno.test("setInText() writes ${NAME} so that it is no variable", () => {
  const text = setInText("streams:\n", ["streams", "a"], ["rtsp://h/${HOME}"]);
  assert.equal(text, 'streams:\n  a:\n    - "rtsp://h/\\u0024{HOME}"\n');
  assert.deepEqual(checkText(text), { streams: { a: ["rtsp://h/${HOME}"] } });
});

Deno.test("setInText() edits a file whose variables stand in flow maps", () => {
  const text = "api: {password: ${PASS}, listen: ':1'}\nstreams: {a: x}\n";
  assert.equal(
    setInText(text, ["streams", "b"], "y"),
    "api: {password: ${PASS}, listen: ':1'}\nstreams: {a: x, b: \"y\"}\n",
  );
});

Deno.test("setInText() refuses a path through something that is no map", () => {
  assert.throws(() => setInText("streams: x\n", ["streams", "a"], "y"), {
    message: 'Cannot set "streams.a" in the config: "streams" is not a map',
  });
});

Deno.test("setInText() refuses a text that is no YAML, with line and column", () => {
  assert.throws(() => setInText("a: 1\nb: [1\nc: 2\n", ["a"], 2), { name: "SyntaxError", message: /line 3, column 1/ });
  assert.throws(() => setInText("- a\n", ["a"], 2), { message: "yaml: the top level is no map of sections" });
});

Deno.test("setInText() never changes what an alias elsewhere means", () => {
  assert.throws(() => setInText("a: &b x\nc: *b\n", ["a"], "y"), { message: /edit the file by hand/ });
});

Deno.test("removeFromText() knows missing sections from missing keys", () => {
  assert.throws(() => removeFromText("api:\n", ["streams", "a"]), { message: "yaml: path not exist" });
  assert.equal(removeFromText("streams:\n  b: x\n", ["streams", "a"]), "streams:\n  b: x\n");
});

Deno.test("mergeIntoText() merges maps, replaces the rest and keeps comments", () => {
  const text = "# top\napi:\n  listen: ':1' # port\n  origin: '*'\nstreams:\n  a: [x]\n  b: y # two\n";
  const patch = '{"api": {"listen": ":2"}, "streams": {"a": {"url": "${URL}"}, "c": null}, "rtsp": {"listen": ""}}';
  assert.equal(
    mergeIntoText(text, patch),
    "# top\napi:\n  listen: :2 # port\n  origin: '*'\nstreams:\n  a:\n    url: ${URL}\n  b: y # two\n  c: null\n" +
      'rtsp:\n  listen: ""\n',
  );
});

Deno.test("mergeIntoText() replaces a map by a text and a text by a map, but no section", () => {
  const text = "s:\n  a: {b: 1}\n  c: 1\nd: 1\n";
  assert.equal(mergeIntoText(text, "s: {a: x, c: {d: 1}}\nd: {e: 1}\n"), "s:\n  a: x\n  c:\n    d: 1\nd:\n  e: 1\n");
  for (const patch of ["s: x", "s: [a]", '{"s": 5}']) {
    assert.throws(() => mergeIntoText(text, patch), { name: "SyntaxError", message: /"s" is a map/ });
  }
});

const nameOf = fc.oneof(
  fc.constantFrom("a", "b", "camera.hall", "1", "null", "a: b", "#x", "- y"),
  fc.string({ minLength: 1 }),
);
const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
const valueOf = fc.oneof(
  scalar,
  fc.array(fc.string(), { maxLength: 3 }),
  fc.dictionary(nameOf, scalar, { maxKeys: 3 }),
);

Deno.test("setInText() means what it was asked, or throws", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("streams", "api", "x"), nameOf, valueOf), { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      (steps, isCrlf) => {
        let text = isCrlf ? "api:\r\n  listen: ':1984' # here\r\n" : HOUSE;
        for (const [section, name, value] of steps) {
          const before = checkText(text);
          if (name === "<<") continue;
          text = setInText(text, [section, name], value);
          assert.deepEqual(sortedJson(checkText(text)), sortedJson(withValueAt(before, [section, name], value)));
          assert.ok(text.includes("# here") || text.includes("# keep the spaces"));
        }
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("removeFromText() takes away again what setInText() added", () => {
  fc.assert(
    fc.property(nameOf, valueOf, (name, value) => {
      const text = "streams:\n  first: x\napi:\n  listen: ':1984'\n";
      if (name === "first" || name === "<<") return;
      assert.equal(removeFromText(setInText(text, ["streams", name], value), ["streams", name]), text);
    }),
    { numRuns: 150 },
  );
});

function sortedJson(tree: unknown): unknown {
  return parse(JSON.stringify(tree), yamlOptions);
}
