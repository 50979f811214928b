import { spawn as spawnChild } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { Readable, Writable } from "node:stream";
import process from "node:process";
import type { ChildProcess } from "../types.ts";
import { errorWithCode } from "./errors.ts";

/** Starts a program. Throws an error that `isNotFound` knows when there is no such program. */
export function spawn(
  command: string,
  args: readonly string[],
  options: { stdin?: boolean; env?: Record<string, string>; cwd?: string } = {},
): ChildProcess {
  const child = spawnChild(command, [...args], {
    stdio: [options.stdin ? "pipe" : "ignore", "pipe", "pipe"],
    windowsHide: true,
    ...(options.env ? { env: { ...process.env, ...options.env } } : {}),
    ...(options.cwd ? { cwd: options.cwd } : {}),
  });
  // A program that cannot be started has no pid; the event with the reason comes after this call.
  child.on("error", () => {});
  const { pid } = child;
  if (pid === undefined) throw cannotStart(command);
  const status = new Promise<{ code: number; signal: string | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code: code ?? 128 + constants.signals[signal!], signal }));
  });
  return {
    pid,
    stdin: child.stdin ? Writable.toWeb(child.stdin) as WritableStream<Uint8Array> : undefined,
    stdout: Readable.toWeb(child.stdout!) as ReadableStream<Uint8Array>,
    stderr: Readable.toWeb(child.stderr!) as ReadableStream<Uint8Array>,
    status,
    kill: (signal = "SIGTERM") => void child.kill(signal),
  };
}

function cannotStart(command: string): Error {
  return existsSync(command)
    ? errorWithCode("EACCES", `Cannot start "${command}": it is not allowed to run`)
    : errorWithCode("ENOENT", `Cannot start "${command}": there is no such program`);
}
