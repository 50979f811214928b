import assert from "node:assert/strict";
import { type CommandLine, parseCli, programName, usage } from "./cli.ts";

const cases: readonly (readonly [string, Partial<CommandLine>])[] = [
  ["", {}],
  ["-c a.yaml", { configs: ["a.yaml"] }],
  ["--c a.yaml -config b.yaml --config=c.yaml -c=d", { configs: ["a.yaml", "b.yaml", "c.yaml", "d"] }],
  ["-config rtsp.listen=", { configs: ["rtsp.listen="] }],
  ["-config=a.b=c=d", { configs: ["a.b=c=d"] }],
  ["-c -v", { configs: ["-v"] }],
  ["-c=", { configs: [""] }],
  ["-d", { daemon: true }],
  ["--daemon=false", { daemon: false }],
  ["-daemon=1 -c x", { daemon: true, configs: ["x"] }],
  ["-v", { action: "version" }],
  ["--v", { action: "version" }],
  ["-version", { action: "version" }],
  ["--version", { action: "lenswire-version" }],
  ["-h", { action: "help" }],
  ["-v -help", { action: "help" }],
  ["--plugins dir --dev", { plugins: "dir", dev: true }],
  ["--plugins=dir -c x", { plugins: "dir", configs: ["x"] }],
  ["-c", { error: 'Option "-c" needs a value' }],
  ["-x", { error: 'Unknown option "-x"' }],
  ["--constructor", { error: 'Unknown option "--constructor"' }],
  ["-dev=perhaps", { error: 'Option "-dev" is on or off, got "perhaps"' }],
  ["go2rtc.yaml", { error: 'Unexpected argument "go2rtc.yaml": a config file is given as "-config go2rtc.yaml"' }],
  ["---c x", { error: 'Unexpected argument "---c": a config file is given as "-config ---c"' }],
];

for (const [line, wanted] of cases) {
  Deno.test(`parseCli() reads "${line}"`, () => {
    const expected = { configs: [], dev: false, daemon: false, action: "run", ...wanted };
    assert.deepEqual(parseCli(line === "" ? [] : line.split(" ")), expected);
  });
}

Deno.test("parseCli() takes a config with spaces and line breaks", () => {
  assert.deepEqual(parseCli(["-c={a: 1,\n b: 2}"]).configs, ["{a: 1,\n b: 2}"]);
});

Deno.test("parseCli() looks for go2rtc.yaml and tells the contract's version when the program is called go2rtc", () => {
  assert.deepEqual(parseCli([], "go2rtc").configs, ["go2rtc.yaml"]);
  assert.deepEqual(parseCli(["-c", "rtsp.listen="], "go2rtc").configs, ["rtsp.listen="]);
  for (const option of ["-v", "-version", "--version"]) assert.equal(parseCli([option], "go2rtc").action, "version");
});

Deno.test("programName() knows go2rtc by the file or link that was started", () => {
  for (const path of ["go2rtc", "/config/go2rtc", "C:\\cams\\go2rtc.exe", "./go2rtc-1.9.14", "/x/go2rtc_linux_arm64"]) {
    assert.equal(programName([path, "/opt/lenswire/main.ts"]), "go2rtc", path);
    assert.equal(programName(["node", path]), "go2rtc", path);
  }
  for (const path of ["lenswire", "/go2rtc/lenswire", "go2rtcd", "/opt/my-go2rtc", ""]) {
    assert.equal(programName([path]), "lenswire", path);
  }
});

Deno.test("usage names every option", () => {
  for (
    const option of ["-c,", "-config", "-d,", "-daemon", "--plugins", "--dev", "-v,", "-version", "--version", "-h,"]
  ) {
    assert.ok(usage.includes(option), option);
  }
});
