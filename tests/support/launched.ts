/** Programs that print lines, as those see them who launch the server. */
import { start } from "./processes.ts";
import { until } from "./server.ts";

/** A started program, both of its outputs in one. */
export interface Launched extends AsyncDisposable {
  readonly lines: readonly string[];
  /** Waits for a line that has this text. */
  line(text: string): Promise<string>;
  /** Sends SIGTERM; answers the exit code and how long it took. */
  terminate(): Promise<{ readonly code: number; readonly tookMs: number }>;
}

/** How a program is launched. */
export interface LaunchOptions {
  readonly cwd: string;
  /** Runs inside this network namespace. */
  readonly namespace?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a command, as a script or another program does. */
export function launch(command: readonly string[], options: LaunchOptions): Launched {
  const { cwd, namespace, env = {} } = options;
  const whole = ["sh", "-c", 'exec "$@" 2>&1', "sh", ...command];
  const [head, ...args] = namespace ? ["ip", "netns", "exec", namespace, ...whole] : whole;
  const program = start(head!, args, { cwd, env });
  const lines: string[] = [];
  let rest = "";
  const read = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of program.stdout) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
    }
  })();
  return {
    lines,
    line: (text) =>
      until(() => lines.find((line) => line.includes(text)), 20_000).catch(() => {
        throw new Error(`No line with ${JSON.stringify(text)}:\n${lines.join("\n")}`);
      }),
    async terminate() {
      const startMs = performance.now();
      program.kill("SIGTERM");
      const { code } = await program.status;
      return { code, tookMs: performance.now() - startMs };
    },
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      await read;
    },
  };
}
