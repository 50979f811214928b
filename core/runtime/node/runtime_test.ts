import assert from "node:assert/strict";
import { bundleEntry } from "../../../scripts/build/node_bundle.ts";
import { hasProgram, run } from "../../../tests/support/programs.ts";
import type { Runtime } from "../conformance_testing.ts";
import { cases } from "../conformance_testing.ts";
import type * as node from "./mod.ts";

// That it has every name of the other, with the same types, is checked by the compiler.
type Twin<T extends Runtime> = T;
type _ = Twin<typeof node>;

const isThere = await hasProgram("node", "--version");

Deno.test({
  name: isThere ? "The runtime for Node, under Node" : "The runtime for Node, under Node (skipped: no node)",
  ignore: !isThere,
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "lenswire-node-" });
    try {
      const path = `${folder}/conformance.mjs`;
      await bundleEntry(new URL("./conformance_testing.ts", import.meta.url).pathname, path);
      const { code, output } = await run("node", [path]);
      const results = output.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
      for (const { name, failure } of results) await t.step(name, () => assert.equal(failure, undefined, failure));
      assert.equal(code, 0, output);
      assert.equal(results.length, cases.length, output);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
