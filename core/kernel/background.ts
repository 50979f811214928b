import { process } from "../runtime/mod.ts";
import type { CommandLine } from "./cli.ts";

/** Starts the program again without its terminal and answers the exit code of this one (contract §1.1). */
export function startInBackground(mainUrl: string, line: CommandLine): number {
  if (process.platform === "windows") {
    process.writeStdout("Cannot run in the background on Windows: start it as a service\n");
    return 1;
  }
  const args = line.configs.map((value) => `-config=${value}`);
  if (line.plugins !== undefined) args.push(`--plugins=${line.plugins}`);
  if (line.dev) args.push("--dev");
  const run = ["run", "-A", "--unstable-net", "--v8-flags=--expose-gc", mainUrl];
  const pid = process.startDetached(process.isStandalone ? args : [...run, ...args]);
  process.writeStdout(`Running in daemon mode with PID: ${pid}\n`);
  return 0;
}
