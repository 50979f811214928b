import { spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import { readFileSync, writeSync } from "node:fs";
import { hostname, networkInterfaces, totalmem } from "node:os";
import node from "node:process";
import { isatty } from "node:tty";
import { fileURLToPath } from "node:url";
import type { InterfaceAddress, MemoryUsage } from "../types.ts";

// One signal ends what a hundred wait for; Node would take that for a leak, and say so in the log.
setMaxListeners(0);

// As Deno calls them.
const SYSTEMS: Readonly<Record<string, string>> = { win32: "windows" };
const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** How long addresses of this machine are told that the system tells no more. */
const INTERFACE_KEEP_MS = 30_000;

/** The process itself. */
export const process = {
  pid: node.pid,
  args: node.argv.slice(2) as readonly string[],
  platform: SYSTEMS[node.platform] ?? node.platform as string,
  arch: MACHINES[node.arch] ?? node.arch as string,
  runtimeVersion: `node ${node.versions.node}`,
  /** The bundle: it stands for the program, as a compiled file does. */
  executable: (): string => fileURLToPath(import.meta.url),
  /** Whether the program is one file, and not run by a runtime that is a file of its own. */
  isStandalone: true,
  /** The names it was started by, links not followed where the system tells them. */
  startedAs: (): string[] => [node.argv0, node.argv[1] ?? ""],
  /** Whether it can import TypeScript that is not inside it. */
  readsTypeScript: Boolean((node.features as { readonly typescript?: unknown }).typescript),
  cwd: (): string => node.cwd(),
  env: (name: string): string | undefined => node.env[name],
  allEnv: (): Record<string, string> => ({ ...node.env }) as Record<string, string>,
  exit: (code: number): never => node.exit(code),
  isStdoutTerminal: (): boolean => isatty(1),
  writeStdout(text: string): void {
    writeFully(1, text);
  },
  writeStderr(text: string): void {
    writeFully(2, text);
  },
  async readStdin(): Promise<string> {
    let text = "";
    node.stdin.setEncoding("utf8");
    for await (const chunk of node.stdin) text += chunk;
    return text;
  },
  memory(): MemoryUsage {
    const { rss, heapUsed, external } = node.memoryUsage();
    return { rss, heapUsed, external, limit: memoryLimit() };
  },
  /** Calls `handler` on SIGINT or SIGTERM (SIGINT alone on Windows); answers a function that stops listening. */
  onTermination(handler: (signal: string) => void): () => void {
    const signals: NodeJS.Signals[] = node.platform === "win32" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
    const listeners = signals.map((name) => {
      const listener = () => handler(name);
      node.on(name, listener);
      return () => void node.off(name, listener);
    });
    return () => listeners.forEach((stop) => stop());
  },
  /** Calls `handler` for errors and rejections nobody caught; the process then lives on. */
  onUncaught(handler: (error: unknown) => void): void {
    node.on("uncaughtException", handler);
    node.on("unhandledRejection", handler);
  },
  interfaces,
  hostname: (): string => hostname(),
  /** Starts this program again, detached from the terminal, and answers its pid. */
  startDetached(args: readonly string[]): number {
    const child = spawn(node.execPath, [...node.execArgv, process.executable(), ...args], {
      stdio: "ignore",
      detached: true,
    });
    child.unref();
    return child.pid ?? 0;
  },
};

const known = new Map<string, InterfaceAddress & { readonly seenMs: number }>();

// Node leaves out a network whose cable is out: for a moment that is no reason to close what goes over it.
function interfaces(): InterfaceAddress[] {
  const seenMs = performance.now();
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    for (const { address, family, cidr } of addresses) {
      known.set(`${name} ${address}`, { name, address, family, cidr: cidr ?? address, seenMs });
    }
  }
  for (const [key, one] of known) if (seenMs - one.seenMs > INTERFACE_KEEP_MS) known.delete(key);
  return [...known.values()].map(({ name, address, family, cidr }) => ({ name, address, family, cidr }));
}

function writeFully(to: 1 | 2, text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(to, bytes));
  } catch {
    // Nobody reads the log: the program goes on without it.
  }
}

let cachedLimit = 0;
function memoryLimit(): number {
  if (cachedLimit > 0) return cachedLimit;
  cachedLimit = totalmem();
  for (const path of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const limit = Number(readFileSync(path, "utf8").trim());
      if (limit > 0 && limit < cachedLimit) cachedLimit = limit;
    } catch {
      // No such cgroup file here: the machine's memory is the limit.
    }
  }
  return cachedLimit;
}
