import { cases } from "./conformance_testing.ts";
import * as runtime from "./mod.ts";

for (const { name, run } of cases) Deno.test(`Deno: ${name}`, () => run(runtime));
