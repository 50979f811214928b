import { builtIns } from "./modules/builtin.ts";
import { parseCli, programName, usage } from "./core/kernel/cli.ts";
import { runKernel } from "./core/kernel/lifecycle.ts";
import { startInBackground } from "./core/kernel/background.ts";
import { contractVersionLine, versionLine } from "./core/kernel/version.ts";
import { process } from "./core/runtime/mod.ts";

const line = parseCli(process.args, programName(process.startedAs()));
if (line.error !== undefined) {
  process.writeStderr(`${line.error}\n\n${usage}`);
  process.exit(2);
}
if (line.action !== "run") {
  const text = { version: contractVersionLine, "lenswire-version": versionLine, help: () => usage }[line.action]();
  process.writeStdout(text.endsWith("\n") ? text : `${text}\n`);
  process.exit(0);
}
if (line.daemon) process.exit(startInBackground(import.meta.url, line));

const { configs, dev, plugins } = line;
const program = new URL(".", import.meta.url);
const core = () => import("./core/mod.ts");
process.exit(await runKernel({ configs, dev, core, builtIns, program, ...(plugins === undefined ? {} : { plugins }) }));
