/** How tests run programs. */

/** How a program is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Without rights: VLC refuses to run as root. */
  readonly asNobody?: boolean;
  readonly cwd?: string;
}

/** The one that owns nothing, on every Unix. */
const NOBODY = 65534;

function commandOf(name: string, args: readonly string[], options: RunOptions, output: "piped" | "null") {
  const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;
  return new Deno.Command(name, {
    args: [...args],
    env: { ...options.env },
    stdin: "null",
    stdout: output,
    stderr: output,
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.asNobody && isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
}

/** What a program left behind; `output` is what it printed and complained of. */
export interface Result {
  readonly code: number;
  readonly output: string;
}

/** Runs a program to its end, which comes after `limitS` seconds at the latest. */
export async function run(
  name: string,
  args: readonly string[],
  options: RunOptions & { readonly limitS?: number } = {},
): Promise<Result> {
  const whole = ["-k", "2", String(options.limitS ?? 25), name, ...args];
  const { code, stdout, stderr } = await commandOf("timeout", whole, options, "piped").output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** A program that runs until it is disposed of. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly status: Promise<Deno.CommandStatus>;
  /** What it complained of so far. */
  errors(): string;
  /** Ends it, if it has not ended by itself. */
  kill(signal?: Deno.Signal): void;
}

/** Starts a program; its standard output is the caller's to read. */
export function start(name: string, args: readonly string[], options: RunOptions = {}): Program {
  const child = commandOf(name, args, options, "piped").spawn();
  let errors = "";
  const collected = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) errors = (errors + decoder.decode(chunk, { stream: true })).slice(-100_000);
  })();
  const kill = (signal: Deno.Signal = "SIGKILL") => {
    try {
      child.kill(signal);
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  return {
    pid: child.pid,
    stdout: child.stdout,
    status: child.status,
    errors: () => errors,
    kill,
    async [Symbol.asyncDispose]() {
      kill();
      if (!child.stdout.locked) await child.stdout.cancel();
      await Promise.all([child.status, collected]);
    },
  };
}

/** Whether a program can be started. */
export async function hasProgram(name: string, ...args: string[]): Promise<boolean> {
  return await canRun(name, args.length > 0 ? args : ["-version"]);
}

/** Whether a program does this without a complaint. */
export async function canRun(name: string, args: readonly string[], options: RunOptions = {}): Promise<boolean> {
  try {
    return (await commandOf(name, args, options, "null").output()).success;
  } catch {
    return false;
  }
}
