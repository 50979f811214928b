import assert from "node:assert/strict";
import { z } from "zod";
import { Config } from "./config.ts";
import { describeProblem, nearest } from "./problem.ts";

const rtsp = z.object({
  listen: z.string().default(":8554"),
  username: z.string().default(""),
  password: z.string().default(""),
  pkt_size: z.int().min(0).max(65000).default(0),
  secure: z.boolean().default(false),
  mode: z.enum(["tcp", "udp"]).default("tcp"),
  targets: z.union([z.string(), z.array(z.string())]).optional(),
  nested: z.strictObject({ on: z.boolean().default(true), ports: z.tuple([z.int(), z.int()]).optional() }).optional(),
  free: z.record(z.string(), z.boolean()).optional(),
});

async function check(text: string, schema: z.ZodType = rtsp) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/go2rtc.yaml`, text);
    const config = await Config.load([], () => undefined, { folder });
    const result = config.validate("rtsp", schema);
    return { value: result.ok ? result.value : undefined, problems: result.problems.map(describeProblem) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Case {
  readonly name: string;
  readonly text: string;
  /** What differs from the defaults; `undefined`: the section is off. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly problems: readonly string[];
}

const cases: readonly Case[] = [
  { name: "an absent section", text: "api: {}\n", value: {}, problems: [] },
  { name: "a section without content", text: "rtsp:\n", value: {}, problems: [] },
  { name: "keys without values", text: "rtsp:\n  listen:\n  nested:\n", value: {}, problems: [] },
  { name: "empty text", text: "rtsp:\n  listen: ''\n", value: { listen: "" }, problems: [] },
  {
    name: "words for booleans",
    text: "rtsp: {secure: yes, nested: {on: OFF}, free: {a: on, b: n, c: true}}\n",
    value: { secure: true, nested: { on: false }, free: { a: true, b: false, c: true } },
    problems: [],
  },
  {
    name: "words for booleans where text is wanted",
    text: "rtsp: {username: yes}",
    value: { username: "yes" },
    problems: [],
  },
  {
    name: "numbers where text is wanted, digit by digit",
    text: "rtsp:\n  username: 0123\n  password: 1e3\n  targets: [554, 0x10]\n",
    value: { username: "0123", password: "1e3", targets: ["554", "0x10"] },
    problems: [],
  },
  { name: "true where text is wanted", text: "rtsp: {password: True}", value: { password: "True" }, problems: [] },
  {
    name: "an unknown key",
    text: "# top\nrtsp:\n  lisen: ':1'\n  username: me\n",
    value: { username: "me" },
    problems: ['go2rtc.yaml:3:3: rtsp.lisen: unknown key, did you mean "listen"?'],
  },
  {
    name: "an unknown key that is like no other",
    text: "rtsp:\n  username: me\n  whatever: 1\n",
    value: { username: "me" },
    problems: ["go2rtc.yaml:3:3: rtsp.whatever: unknown key"],
  },
  {
    name: "an unknown key of a strict map",
    text: "rtsp:\n  nested:\n    on: false\n    port: [1, 2]\n",
    value: { nested: { on: false } },
    problems: ['go2rtc.yaml:4:5: rtsp.nested.port: unknown key, did you mean "ports"?'],
  },
  {
    name: "a wrong type",
    text: "rtsp:\n  pkt_size: big\n",
    value: undefined,
    problems: ["go2rtc.yaml:2:3: rtsp.pkt_size: expected a number, got text"],
  },
  {
    name: "several mistakes",
    text: "rtsp:\n  listen: [':1']\n  pkt_size: 99999\n  secure: maybe\n  mode: tpc\n",
    value: undefined,
    problems: [
      "go2rtc.yaml:2:3: rtsp.listen: expected text, got a list",
      "go2rtc.yaml:3:3: rtsp.pkt_size: expected at most 65000",
      "go2rtc.yaml:4:3: rtsp.secure: expected true or false, got text",
      'go2rtc.yaml:5:3: rtsp.mode: expected one of "tcp", "udp", did you mean "tcp"?',
    ],
  },
  {
    name: "a wrong item",
    text: "rtsp:\n  nested:\n    ports: [1, x]\n",
    value: undefined,
    problems: ["go2rtc.yaml:3:16: rtsp.nested.ports.1: expected a number, got text"],
  },
  {
    name: "a wrong choice of types",
    text: "rtsp:\n  targets: {a: 1}\n",
    value: undefined,
    problems: ["go2rtc.yaml:2:3: rtsp.targets: expected text or a list, got a map"],
  },
  {
    name: "a section that is no map",
    text: "api: {}\nrtsp: ':8554'\n",
    value: undefined,
    problems: ["go2rtc.yaml:2:1: rtsp: expected a map, got text"],
  },
  {
    name: "a section with a YAML error",
    text: "api: {}\nrtsp:\n  listen: [\n",
    value: undefined,
    problems: ["go2rtc.yaml:4:1: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  },
];

for (const { name, text, value, problems } of cases) {
  Deno.test(`Config.validate() reads ${name}`, async () => {
    const result = await check(text);
    assert.deepEqual(result.problems, problems);
    assert.deepEqual(result.value, value && { ...rtsp.parse({}), ...value });
  });
}

Deno.test("Config.validate() follows schemas into pipes, lazy parts and defaults", async () => {
  const schema = z.object({
    a: z.lazy(() => z.boolean()).prefault(false),
    b: z.string().transform((text) => text.length),
    c: z.boolean().nullable().default(null).readonly(),
    d: z.looseObject({ x: z.boolean() }),
    e: z.array(z.object({ name: z.string() })).catch([]),
  });
  const text = "rtsp: {a: on, b: 007, c: no, d: {x: yes, y: yes}, e: [{name: 5}]}\n";
  assert.deepEqual(await check(text, schema), {
    value: { a: true, b: 3, c: false, d: { x: true, y: "yes" }, e: [{ name: "5" }] },
    problems: [],
  });
});

Deno.test("Config.validate() shows no value that may be a password", async () => {
  const { problems } = await check("rtsp:\n  pkt_size: hunter2\n  mode: hunter2\n  secure: hunter2\n");
  assert.equal(problems.length, 3);
  assert.ok(!problems.join().includes("hunter2"));
});

for (
  const [word, wanted] of [
    ["lisen", "listen"],
    ["lsiten", "listen"],
    ["LISTEN", "listen"],
    ["password", undefined],
    ["", undefined],
    ["usrname", "username"],
    ["x".repeat(10_000), undefined],
  ] as const
) {
  Deno.test(`nearest() of "${word.slice(0, 20)}" is ${wanted}`, () => {
    assert.equal(nearest(word, ["listen", "username", "origin"]), wanted);
  });
}
