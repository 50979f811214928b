import assert from "node:assert/strict";
import { parseOptions } from "./options.ts";

const known = ["rtsp", "mse"];

Deno.test("parseOptions reads scenarios and options in any order", () => {
  const options = parseOptions(["mse", "--quick", "--viewers", "20", "--history", "/h.jsonl", "rtsp"], known);
  assert.deepEqual(options.scenarios, ["mse", "rtsp"]);
  assert.equal(options.isQuick, true);
  assert.equal(options.viewers, 20);
  assert.equal(options.history, "/h.jsonl");
  assert.equal(options.soakMinutes, undefined);
});

Deno.test("parseOptions takes the minutes of a soak only where they are given", () => {
  assert.equal(parseOptions(["--soak"], known).soakMinutes, 10);
  assert.equal(parseOptions(["--soak", "0.5"], known).soakMinutes, 0.5);
  assert.equal(parseOptions(["--soak", "--quick"], known).soakMinutes, 10);
});

Deno.test("parseOptions refuses what it does not know", () => {
  for (
    const args of [["webrtc"], ["--slow"], ["--viewers"], ["--viewers", "many"], ["--viewers", "0"], ["--soak", "0"]]
  ) {
    assert.throws(() => parseOptions(args, known), TypeError);
  }
});
