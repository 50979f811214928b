/** Runs the cases under Node and prints a line of JSON for each; a bundle of it is what `runtime_test.ts` starts. */
import { cases } from "../conformance_testing.ts";
import * as runtime from "../mod.ts";

for (const { name, run } of cases) {
  let failure: string | undefined;
  try {
    await run(runtime);
  } catch (error) {
    failure = error instanceof Error ? error.stack ?? error.message : String(error);
  }
  runtime.process.writeStdout(`${JSON.stringify({ name, failure })}\n`);
}
runtime.process.exit(0);
