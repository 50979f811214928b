/**
 * What every runtime must do, as cases that know none: `runtime_test.ts` runs them with Deno's, `node/runtime_test.ts` with
 * Node's, under Node itself.
 */
import { httpCases } from "./http_testing.ts";
import { socketCases } from "./socket_testing.ts";
import { systemCases } from "./system_testing.ts";

/** A runtime: what `mod.ts` exports. */
export type Runtime = typeof import("./mod.ts");

/** One thing that a runtime must do; rejects when it does not. */
export interface Case {
  readonly name: string;
  run(runtime: Runtime): Promise<void>;
}

export const cases: readonly Case[] = [...socketCases, ...httpCases, ...systemCases];
