import assert from "node:assert/strict";
import { contractVersionLine, platformName, VERSION, versionLine } from "./version.ts";

for (
  const [system, machine, wanted] of [
    ["linux", "x86_64", "linux/amd64"],
    ["darwin", "aarch64", "darwin/arm64"],
    ["windows", "x86_64", "windows/amd64"],
    ["win32", "x64", "windows/amd64"],
  ] as const
) {
  Deno.test(`platformName() of ${system} on ${machine} is ${wanted}`, () => {
    assert.equal(platformName(system, machine), wanted);
  });
}

Deno.test("contractVersionLine() has the form that clients read", () => {
  assert.match(contractVersionLine(), /^go2rtc version 1\.9\.14 \(\S+\) [a-z]+\/[a-z0-9]+$/);
});

Deno.test("versionLine() has our version", () => {
  assert.equal(versionLine(), `lenswire ${VERSION}`);
  assert.match(VERSION, /^\d+\.\d+\.\d+/);
});
