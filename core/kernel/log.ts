import { files, process } from "../runtime/mod.ts";
import { messageOf } from "../util/errors.ts";
import type { LogFields, Logger } from "../util/logger.ts";
import { LogFile } from "./log_file.ts";
import { formatJson, formatText, type LineLevel, type LogLine } from "./log_format.ts";
import { LogLimiter, type PrintLine } from "./log_limiter.ts";
import { LogRing } from "./log_ring.ts";
import { LOG_LEVELS, type LogConfig, type LogLevel, logSchema } from "./schema.ts";
import { Secrets } from "./secrets.ts";
import { CONTRACT_VERSION, platformName, REVISION } from "./version.ts";

/** Where the log goes; `process` of the runtime and `files.append` by default. */
export interface LogOutput {
  writeStdout(text: string): void;
  writeStderr(text: string): void;
  isStdoutTerminal(): boolean;
  append(path: string, text: string): Promise<void>;
}

/** What a log is made with. */
export interface LogOptions {
  /** What must not be shown; shared with the config, which finds them. */
  readonly secrets?: Secrets;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const RANK = Object.fromEntries(LOG_LEVELS.map((level, i) => [level, i])) as Readonly<Record<LogLevel, number>>;

/** Modules that log under the level of another (contract §1.7). */
const LEVEL_OF: Readonly<Record<string, string>> = { ws: "api" };

const DEFAULT_FILE = "go2rtc.log";

const systemOutput: LogOutput = {
  writeStdout: process.writeStdout,
  writeStderr: process.writeStderr,
  isStdoutTerminal: process.isStdoutTerminal,
  append: files.append,
};

/**
 * The log of the whole program: text, colour or JSON lines to one output, and the newest as JSON lines in memory
 * (contract §1.7). Secrets and URL logins are masked in every line. Until {@linkcode Log.configure} it logs `info` to
 * stdout.
 */
export class Log {
  readonly #out: LogOutput;
  readonly #secrets: Secrets;
  readonly #now: () => number;
  readonly #ring = new LogRing();
  readonly #limiter: LogLimiter;
  #config: LogConfig = logSchema.parse({});
  #write: (text: string) => void;
  #isColored: boolean;
  #file: LogFile | undefined;

  constructor(options: LogOptions = {}, out: LogOutput = systemOutput) {
    this.#out = out;
    this.#secrets = options.secrets ?? new Secrets();
    this.#now = options.now ?? Date.now;
    this.#limiter = new LogLimiter(this.#now);
    this.#write = out.writeStdout;
    this.#isColored = out.isStdoutTerminal();
  }

  /** Applies the section `log`; loggers handed out before follow. */
  configure(section: LogConfig): void {
    this.#config = section;
    const { output, format } = section;
    const path = /^file(?::([\s\S]*))?$/.exec(output);
    this.#isColored = format === "color" ||
      (format === "" && (output === "stdout" || output === "stderr") && this.#out.isStdoutTerminal());
    if (!path) {
      this.#file = undefined;
      this.#write = output === "stdout" ? this.#out.writeStdout : output === "" ? () => {} : this.#out.writeStderr;
      if (output !== "" && output !== "stdout" && output !== "stderr") {
        this.logger("").warn("log.output: expected stdout, stderr, file or file:PATH; using stderr", { output });
      }
      return;
    }
    const name = path[1] || DEFAULT_FILE;
    if (this.#file?.path !== name) {
      this.#file = new LogFile(
        name,
        this.#out.append,
        (error) => this.#out.writeStderr(`Cannot write the log to "${name}": ${messageOf(error)}\n`),
      );
    }
    const file = this.#file;
    this.#write = (text) => file.write(text);
  }

  /** The logger of a module, whose lines begin with `[module]`; `""` and `app` have no prefix. */
  logger(module: string): Logger {
    const prefix = module === "" || module === "app" ? "" : `[${module}] `;
    const levelName = LEVEL_OF[module] ?? module;
    const print = (level: LineLevel, message: string, fields?: LogFields) => {
      if (this.#isShown(levelName, level)) this.#print(level, prefix + message, fields);
    };
    const printLimited: PrintLine = (level, message, fields, count) =>
      this.#print(level, prefix + message, count > 0 ? { ...fields, count } : fields);
    return {
      trace: (message, fields) => print("trace", message, fields),
      debug: (message, fields) => print("debug", message, fields),
      info: (message, fields) => print("info", message, fields),
      warn: (message, fields) => print("warn", message, fields),
      error: (message, fields) => print("error", message, fields),
      limited: (key, level, message, fields) => {
        if (this.#isShown(levelName, level)) {
          this.#limiter.pass(`${module}\n${key}`, printLimited, level, message, fields);
        }
      },
    };
  }

  /** The level a module logs at, for what a module starts itself (`log.ffmpeg`). */
  levelOf(module: string): LogLevel {
    return this.#levelOf(LEVEL_OF[module] ?? module);
  }

  /** The first line of a run, which clients wait for: `go2rtc platform=.. revision=.. version=..`. */
  start(): void {
    this.logger("").info("go2rtc", { platform: platformName(), revision: REVISION, version: CONTRACT_VERSION });
  }

  /** Hides a text in every line from now on. */
  addSecret(text: string): void {
    this.#secrets.add(text);
  }

  /** Replaces secrets and URL logins by `***`. */
  mask(text: string): string {
    return this.#secrets.mask(text);
  }

  /** The lines in memory, oldest first, one JSON object each (`/api/log`). */
  jsonLines(): string {
    return this.#ring.text();
  }

  clear(): void {
    this.#ring.clear();
  }

  /** Resolves when everything logged so far is in the log file, if there is one. */
  async flush(): Promise<void> {
    await this.#file?.flush();
  }

  /** Prints what is being held back and stops the timer. */
  [Symbol.dispose](): void {
    this.#limiter[Symbol.dispose]();
  }

  #levelOf(name: string): LogLevel {
    const { level } = this.#config;
    if (name === "level" || name === "output" || name === "format" || name === "time") return level;
    return Object.hasOwn(this.#config, name) ? (this.#config[name] as LogLevel) : level;
  }

  #isShown(name: string, level: LineLevel): boolean {
    return RANK[level] >= RANK[this.#levelOf(name)];
  }

  #print(level: LineLevel, message: string, fields: LogFields = {}): void {
    const line: LogLine = {
      timeMs: this.#now(),
      level,
      message: this.#secrets.mask(message),
      fields: this.#maskFields(fields),
    };
    const { format, time } = this.#config;
    const json = formatJson(line, time) + "\n";
    this.#ring.add(json);
    this.#write(format === "json" ? json : formatText(line, { color: this.#isColored, time: time !== "" }) + "\n");
  }

  #maskFields(fields: LogFields): LogFields {
    const masked: Record<string, string | number | boolean | undefined> = {};
    for (const [key, value] of Object.entries(fields)) {
      const text = String(value);
      const shown = this.#secrets.mask(text);
      masked[key] = shown === text ? value : shown;
    }
    return masked;
  }
}
