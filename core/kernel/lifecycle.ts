import { notifySystemd, process, type ServiceState } from "../runtime/mod.ts";
import { messageOf } from "../util/errors.ts";
import { Kernel, type KernelOptions, StartError } from "./kernel.ts";

/** How long viewers have to be closed properly. */
const STOP_MS = 2000;
/** How long everything has to stop before a restart: what still holds an address then, the new start goes without. */
const RESTART_MS = 10_000;

/** The signals' names as they are printed (contract §1.1). */
const SIGNAL_NAMES: Readonly<Record<string, string>> = { SIGINT: "interrupt", SIGTERM: "terminated" };

/** Runs the program until a signal or a route ends it, and answers the exit code. A second signal ends it at once. */
export async function runKernel(options: KernelOptions): Promise<number> {
  let kernel: Kernel | undefined;
  process.onUncaught((error) => {
    if (kernel) kernel.reportUncaught(error);
    else process.writeStderr(`Nobody caught: ${messageOf(error)}\n`);
  });
  const { promise: terminated, resolve: terminate } = Promise.withResolvers<{ kind: "exit"; code: number }>();
  let isTerminated = false;
  process.onTermination((signal) => {
    if (isTerminated) process.exit(1);
    isTerminated = true;
    process.writeStderr(`exit with signal: ${SIGNAL_NAMES[signal] ?? signal}\n`);
    terminate({ kind: "exit", code: 0 });
  });
  for (;;) {
    const starting = Kernel.start(options);
    const started = await Promise.race([starting.catch(onStartFailed), terminated]);
    if ("code" in started) return started.code;
    kernel = started;
    await tellSystemd(kernel, "READY=1");
    const end = await Promise.race([kernel.ended, terminated]);
    if (end.kind === "exit") await tellSystemd(kernel, "STOPPING=1");
    await within(end.kind === "exit" ? STOP_MS : RESTART_MS, kernel.stop());
    if (end.kind === "exit") return end.code;
  }
}

function onStartFailed(error: unknown): { readonly code: number } {
  if (!(error instanceof StartError)) process.writeStderr(`Cannot start: ${messageOf(error)}\n`);
  return { code: 1 };
}

async function tellSystemd(kernel: Kernel, state: ServiceState): Promise<void> {
  try {
    await notifySystemd(state);
  } catch (error) {
    kernel.log.logger("").warn(`Cannot tell systemd ${state}: ${messageOf(error)}`);
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
