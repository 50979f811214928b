import { basename } from "node:path";
import { process } from "../runtime/mod.ts";

/** Starts the program again without its terminal and answers the exit code of this one (contract §1.1). */
export function startInBackground(mainUrl: string): number {
  if (process.platform === "windows") {
    process.writeStdout("Cannot run in the background on Windows: start it as a service\n");
    return 1;
  }
  const args = process.args.filter((arg) => !/^--?d(?:aemon)?(?:=.*)?$/.test(arg));
  const pid = process.startDetached(isCompiled() ? args : ["run", "-A", "--unstable-net", mainUrl, ...args]);
  process.writeStdout(`Running in daemon mode with PID: ${pid}\n`);
  return 0;
}

/** Whether the program is one executable file, and not run by the runtime's own. */
export function isCompiled(): boolean {
  return !/^deno(?:\.exe)?$/i.test(basename(process.executable()));
}
