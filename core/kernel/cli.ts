/** The names that the program answers to: called `go2rtc`, it does what launchers of that program expect. */
export type ProgramName = "lenswire" | "go2rtc";

/** The name behind what a program was started as: a file or link called `go2rtc`, `go2rtc-1.9.14`, `go2rtc_linux_arm64` … */
export function programName(startedAs: readonly string[]): ProgramName {
  const isGo2rtc = startedAs.some((path) => /(?:^|[\\/])go2rtc(?![a-z0-9])[^\\/]*$/i.test(path));
  return isGo2rtc ? "go2rtc" : "lenswire";
}

/** What the command line asks for. */
export interface CommandLine {
  /** The `-c` values in order, uninterpreted (contract §1.2); `go2rtc.yaml` when `go2rtc` is given none. */
  readonly configs: readonly string[];
  /** The folder of `--plugins`. */
  readonly plugins?: string;
  readonly dev: boolean;
  readonly daemon: boolean;
  /** `version` is the contract's line, `lenswire-version` ours. */
  readonly action: "run" | "version" | "lenswire-version" | "help";
  /** Why the arguments make no sense: print it with {@linkcode usage} and exit with code 2. */
  readonly error?: string;
}

/** The text of `-h`. */
export const usage = `Usage: lenswire [options]

  -c, -config VALUE   config file, or config text: {streams: {cam: rtsp://host/}} or rtsp.listen=:8554;
                      may be repeated, later values win
  -d, -daemon         run in the background
      --plugins DIR   folder of plugins (default "plugins" beside the program and the config file)
      --dev           reload plugins when their files change, log more
  -v, -version        version of the interface this server is compatible with
      --version       version of Lenswire
  -h, -help           this text

Every option may begin with one dash or two.
`;

const FLAGS: Readonly<Record<string, "configs" | "plugins" | "dev" | "daemon" | "version" | "help">> = {
  c: "configs",
  config: "configs",
  plugins: "plugins",
  dev: "dev",
  d: "daemon",
  daemon: "daemon",
  v: "version",
  version: "version",
  h: "help",
  help: "help",
};

const YES = new Set(["", "1", "t", "T", "true", "TRUE", "True"]);
const NO = new Set(["0", "f", "F", "false", "FALSE", "False"]);

/** Reads the arguments (contract §1.1). Never throws: what cannot be read is told in `error`. */
export function parseCli(args: readonly string[], name: ProgramName = "lenswire"): CommandLine {
  const configs: string[] = [];
  let plugins: string | undefined;
  let dev = false;
  let daemon = false;
  let action: CommandLine["action"] = "run";
  const answer = (error?: string): CommandLine => ({
    configs: name === "go2rtc" && configs.length === 0 ? ["go2rtc.yaml"] : configs,
    dev,
    daemon,
    action,
    ...(plugins === undefined ? {} : { plugins }),
    ...(error === undefined ? {} : { error }),
  });
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const found = /^(--?)([^=-][^=]*)(?:=([\s\S]*))?$/.exec(arg);
    if (!found) {
      return answer(`Unexpected argument "${arg}": a config file is given as "-config ${arg}"`);
    }
    const [, dashes, option, inline] = found;
    const flag = Object.hasOwn(FLAGS, option!) ? FLAGS[option!]! : undefined;
    if (!flag) return answer(`Unknown option "${dashes}${option}"`);
    if (flag === "configs" || flag === "plugins") {
      const value = inline ?? args[++i];
      if (value === undefined) return answer(`Option "${dashes}${option}" needs a value`);
      if (flag === "configs") configs.push(value);
      else plugins = value;
      continue;
    }
    const isOn = YES.has(inline ?? "");
    if (!isOn && !NO.has(inline!)) return answer(`Option "${dashes}${option}" is on or off, got "${inline}"`);
    if (flag === "dev") dev = isOn;
    else if (flag === "daemon") daemon = isOn;
    else if (isOn && flag === "help") action = "help";
    else if (isOn && action === "run") {
      action = name === "lenswire" && arg.startsWith("--version") ? "lenswire-version" : "version";
    }
  }
  return answer();
}
