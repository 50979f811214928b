/** A logger of one module. Fields are printed as `key=value`, sorted by name; secrets and URL logins are masked. */
export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Prints at most once a second per `key`, with a count of what was left out. */
  limited(key: string, level: "debug" | "warn", message: string, fields?: LogFields): void;
}

/** Extra fields of a log line. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;
