import { OWN_COMMAND } from "./server.ts";

/** What the program is asked to do. */
export interface BenchOptions {
  /** Names of scenarios; none: all. */
  readonly scenarios: readonly string[];
  readonly isQuick: boolean;
  /** Minutes of a soak in place of scenarios. */
  readonly soakMinutes: number | undefined;
  readonly command: string;
  /** Another server to measure beside. */
  readonly peer: string | undefined;
  readonly history: string;
  readonly viewers: number;
  readonly cameras: number;
}

export const USAGE = `deno task bench [options] [scenario…]

  --quick             shorter windows
  --soak [minutes]    viewers come and go for so long (10), and nothing may grow
  --command "…"       the server to measure; {config} is the path of its config file
  --peer "…"          another server to measure beside it, for the bars that are multiples
  --history FILE      where a line of JSON is appended (.cache/bench.jsonl)
  --viewers N         viewers of rtsp, mse and mp4 (200)
  --cameras N         cameras of ingest and mixed (50)

Scenarios: `;

const DEFAULT_SOAK_MINUTES = 10;

/** Reads the arguments. Throws a `TypeError` that says what is wrong with them. */
export function parseOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const values = new Map<string, string>();
  const scenarios: string[] = [];
  let isQuick = false;
  let soakMinutes: number | undefined;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const next = args[i + 1];
    switch (arg) {
      case "--quick":
        isQuick = true;
        break;
      case "--soak":
        soakMinutes = DEFAULT_SOAK_MINUTES;
        if (next !== undefined && /^\d+(\.\d+)?$/.test(next)) soakMinutes = Number(args[++i]);
        if (soakMinutes === 0) throw new TypeError("A soak of no minutes shows nothing");
        break;
      case "--command":
      case "--peer":
      case "--history":
      case "--viewers":
      case "--cameras":
        if (next === undefined) throw new TypeError(`"${arg}" needs a value`);
        values.set(arg, args[++i]!);
        break;
      default:
        if (!known.includes(arg)) throw new TypeError(`"${arg}" is neither an option nor a scenario`);
        scenarios.push(arg);
    }
  }
  const count = (name: string, preset: number) => {
    const text = values.get(name);
    if (text !== undefined && !/^[1-9]\d*$/.test(text)) throw new TypeError(`"${name}" needs a number above 0`);
    return text === undefined ? preset : Number(text);
  };
  return {
    scenarios,
    isQuick,
    soakMinutes,
    command: values.get("--command") ?? OWN_COMMAND,
    peer: values.get("--peer"),
    history: values.get("--history") ?? new URL("../../.cache/bench.jsonl", import.meta.url).pathname,
    viewers: count("--viewers", 200),
    cameras: count("--cameras", 50),
  };
}
