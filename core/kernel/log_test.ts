import assert from "node:assert/strict";
import { formatJson, formatText, formatTime, type LogLine } from "./log_format.ts";
import { Log, type LogOutput } from "./log.ts";
import { LogRing } from "./log_ring.ts";
import { type LogConfig, logSchema } from "./schema.ts";
import { Secrets } from "./secrets.ts";

class TestOutput implements LogOutput {
  stdout = "";
  stderr = "";
  readonly files = new Map<string, string>();
  isTerminal = false;
  onWrite: () => void = () => {};
  fails = false;

  writeStdout = (text: string) => {
    this.stdout += text;
    this.onWrite();
  };
  writeStderr = (text: string) => {
    this.stderr += text;
  };
  isStdoutTerminal = () => this.isTerminal;
  append = (path: string, text: string) => {
    if (this.fails) return Promise.reject(new Error("disk full"));
    this.files.set(path, (this.files.get(path) ?? "") + text);
    return Promise.resolve();
  };
}

const AT = new Date(2026, 6, 4, 9, 8, 7, 65).getTime();

function makeLog(section: Record<string, unknown> = {}, output = new TestOutput(), secrets = new Secrets()) {
  const log = new Log({ now: () => AT, secrets }, output);
  log.configure(logSchema.parse(section) as LogConfig);
  return { log, output };
}

Deno.test("Log writes the lines that Home Assistant waits for", () => {
  const { log, output } = makeLog();
  log.start();
  log.logger("").info("config", { path: "/config/go2rtc.yaml" });
  log.logger("api").info("listen", { addr: ":1984" });
  const lines = output.stdout.split("\n");
  assert.match(lines[0]!, /^09:08:07\.065 INF go2rtc platform=\S+\/\S+ revision=\S+ version=1\.9\.14$/);
  assert.equal(lines[1], "09:08:07.065 INF config path=/config/go2rtc.yaml");
  assert.equal(lines[2], "09:08:07.065 INF [api] listen addr=:1984");
});

for (
  const [level, tag] of [["trace", "TRC"], ["debug", "DBG"], ["info", "INF"], ["warn", "WRN"], [
    "error",
    "ERR",
  ]] as const
) {
  Deno.test(`Log tags ${level} as ${tag}`, () => {
    const { log, output } = makeLog({ level: "trace" });
    log.logger("rtsp")[level]("text");
    assert.equal(output.stdout, `09:08:07.065 ${tag} [rtsp] text\n`);
  });
}

Deno.test("Log takes a level for each module", () => {
  const { log, output } = makeLog({ level: "warn", rtsp: "debug", api: "disabled", ffmpeg: "error" });
  for (const module of ["rtsp", "api", "ws", "mp4"]) {
    for (const level of ["debug", "info", "warn", "error"] as const) log.logger(module)[level](level);
  }
  const shown = output.stdout.trim().split("\n").map((line) => line.slice(13));
  assert.deepEqual(shown, [
    "DBG [rtsp] debug",
    "INF [rtsp] info",
    "WRN [rtsp] warn",
    "ERR [rtsp] error",
    "WRN [mp4] warn",
    "ERR [mp4] error",
  ]);
  assert.equal(log.levelOf("ffmpeg"), "error");
  assert.equal(log.levelOf("ws"), "disabled");
  assert.equal(log.levelOf("time"), "warn");
  assert.equal(log.levelOf("constructor"), "warn");
});

Deno.test("Log.configure() changes loggers that are in use", () => {
  const { log, output } = makeLog({ level: "error" });
  const logger = log.logger("rtsp");
  logger.info("one");
  log.configure(logSchema.parse({ format: "json", time: "" }));
  logger.info("two");
  assert.equal(output.stdout, '{"level":"info","message":"[rtsp] two"}\n');
});

Deno.test("Log masks secrets and logins in messages and fields, in every format", () => {
  const secrets = new Secrets();
  const { log, output } = makeLog({}, new TestOutput(), secrets);
  log.addSecret("hunter2");
  secrets.add("8554");
  log.logger("x").info("rtsp://u:p@h said hunter2", { url: "http://me@h/?k=hunter2", port: 8554, ok: true });
  assert.equal(
    output.stdout,
    "09:08:07.065 INF [x] rtsp://***@h said *** ok=true port=*** url=http://***@h/?k=***\n",
  );
  assert.equal(
    log.jsonLines(),
    `{"level":"info","ok":true,"port":"***","url":"http://***@h/?k=***","time":${AT},"message":"[x] rtsp://***@h said ***"}\n`,
  );
  assert.equal(log.mask("hunter2"), "***");
});

Deno.test("Log writes where log.output says", async () => {
  for (const output of ["stdout", "stderr", "", "file", "file:/var/log/l w.log"]) {
    const { log, output: out } = makeLog({ output });
    log.logger("").info("text");
    await log.flush();
    assert.equal(out.stdout !== "", output === "stdout", output);
    assert.equal(out.stderr !== "", output === "stderr", output);
    const file = output === "file" ? "go2rtc.log" : output.slice(5);
    assert.deepEqual([...out.files.keys()], output.startsWith("file") ? [file] : []);
    assert.notEqual(log.jsonLines(), "");
  }
});

Deno.test("Log falls back to stderr when log.output is none it knows", () => {
  const { log, output } = makeLog({ output: "syslog" });
  log.logger("").info("text");
  assert.match(output.stderr, /WRN log\.output: expected .* output=syslog\n.* INF text\n$/);
});

Deno.test("Log goes on when its file cannot be written, and says so once", async () => {
  const { log, output } = makeLog({ output: "file:x.log" });
  output.fails = true;
  for (let i = 0; i < 3; i++) {
    log.logger("").info("lost");
    await log.flush();
  }
  assert.equal(output.stderr, 'Cannot write the log to "x.log": disk full\n');
  output.fails = false;
  log.logger("").info("back");
  await log.flush();
  assert.match(output.files.get("x.log")!, /INF back\n$/);
});

Deno.test("Log holds a limited text for a slow disk", async () => {
  const { log, output } = makeLog({ output: "file:x.log" });
  const line = "x".repeat(10_000);
  for (let i = 0; i < 500; i++) log.logger("").info(line);
  await log.flush();
  const text = output.files.get("x.log")!;
  assert.ok(text.length < 1_200_000, `${text.length} characters written`);
  assert.match(text, /\n\d+ lines were left out: the disk is too slow\n$/);
});

Deno.test("Log colours its lines on a terminal only, unless it is told to", () => {
  const terminal = new TestOutput();
  terminal.isTerminal = true;
  makeLog({}, terminal).log.logger("").info("text", { a: 1 });
  assert.equal(
    terminal.stdout,
    "\x1b[90m09:08:07.065\x1b[0m \x1b[32mINF\x1b[0m text \x1b[36ma=\x1b[0m1\n",
  );
  const plain = new TestOutput();
  plain.isTerminal = true;
  makeLog({ format: "text" }, plain).log.logger("").info("text");
  assert.ok(!plain.stdout.includes("\x1b"));
  const { log, output } = makeLog({ format: "color" });
  log.logger("").info("text");
  assert.ok(output.stdout.includes("\x1b[32m"));
});

Deno.test("Logger.limited() prints once a second with a count of what it held back", async () => {
  const output = new TestOutput();
  using log = new Log({}, output);
  const logger = log.logger("rtp");
  for (let i = 0; i < 5; i++) {
    logger.limited("lost", "warn", `lost ${i}`, { track: 1 });
    logger.limited("late", "warn", "late");
    logger.limited("hidden", "debug", "hidden");
  }
  const texts = () => output.stdout.trim().split("\n").map((line) => line.slice(13));
  assert.deepEqual(texts(), ["WRN [rtp] lost 0 track=1", "WRN [rtp] late"]);
  // The log's own timer keeps nothing running.
  const running = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => output.onWrite = () => texts().length === 4 && resolve());
  clearInterval(running);
  assert.deepEqual(texts().slice(2), ["WRN [rtp] lost 4 count=4 track=1", "WRN [rtp] late count=4"]);
  logger.limited("lost", "warn", "lost again");
  assert.equal(texts().length, 4);
});

Deno.test("Logger.limited() tells a limited count of keys apart and prints what is held when it ends", () => {
  const output = new TestOutput();
  const log = new Log({}, output);
  for (let i = 0; i < 5000; i++) log.logger("rtp").limited(`key ${i}`, "warn", `line ${i}`);
  assert.equal(output.stdout.split("\n").length - 1, 513);
  log[Symbol.dispose]();
  assert.match(output.stdout, /line 4999 count=4487\n$/);
});

const LINE: LogLine = { timeMs: AT, level: "info", message: "text", fields: {} };

Deno.test("formatText() quotes values that would be taken for something else", () => {
  const fields = {
    a: "plain:1",
    b: "two words",
    c: 'say "x"',
    d: "",
    e: "line\nbreak",
    f: undefined,
    g: "ümlaut",
    h: 1.5,
  };
  assert.equal(
    formatText({ ...LINE, fields }, { color: false, time: false }),
    'INF text a=plain:1 b="two words" c="say \\"x\\"" d= e="line\\nbreak" g=ümlaut h=1.5',
  );
});

Deno.test("formatText() keeps a message in one line", () => {
  const message = "camera said\r\n09:08:07.065 ERR fake\x1b[31m\x7f\x85";
  assert.equal(
    formatText({ ...LINE, message }, { color: false, time: false }),
    "INF camera said\\r\\n09:08:07.065 ERR fake\\u001b[31m\\u007f\\u0085",
  );
});

Deno.test("formatJson() is valid JSON whatever it holds", () => {
  const fields = { "a b": 'x"y', n: NaN, big: 1e300, yes: true };
  const parsed: unknown = JSON.parse(formatJson({ ...LINE, message: 'a\n"b', fields }, "UNIXMS"));
  assert.deepEqual(parsed, {
    level: "info",
    "a b": 'x"y',
    n: "NaN",
    big: 1e300,
    yes: true,
    time: AT,
    message: 'a\n"b',
  });
});

for (
  const [layout, wanted] of [
    ["UNIXMS", String(AT)],
    ["UNIXMICRO", `${AT}000`],
    ["UNIXNANO", `${AT}000000`],
    ["2006-01-02T15:04:05.000", '"2026-07-04T09:08:07.065"'],
    ["02 Jan 06 3:04PM", '"04 Jul 26 9:08AM"'],
    ["Monday, January _2 2006 15:04:05.999999", '"Saturday, July  4 2026 09:08:07.065"'],
    ["Mon 1/2 03:4:5 pm", '"Sat 7/4 09:8:7 am"'],
  ] as const
) {
  Deno.test(`formatTime() writes ${layout}`, () => assert.equal(formatTime(AT, layout), wanted));
}

Deno.test("formatTime() writes a zone that Date reads back", () => {
  assert.equal(Date.parse(JSON.parse(formatTime(AT, "2006-01-02T15:04:05.000Z07:00"))), AT);
});

Deno.test("LogRing keeps the newest mebibyte and drops whole chunks", () => {
  const ring = new LogRing();
  for (let i = 0; i < 20_000; i++) ring.add(`${String(i).padStart(99, "ü")}\n`);
  const text = ring.text();
  const bytes = new TextEncoder().encode(text).length;
  assert.ok(bytes <= 16 * 65_536 && bytes > 15 * 65_000, `${bytes} bytes kept`);
  assert.ok(text.endsWith("ü19999\n"));
  ring.add("x".repeat(70_000) + "\n");
  assert.equal(ring.text(), text);
  ring.clear();
  assert.equal(ring.text(), "");
});

Deno.test("Log.clear() empties what is in memory", () => {
  const { log } = makeLog();
  log.logger("").info("text");
  log.clear();
  assert.equal(log.jsonLines(), "");
});
