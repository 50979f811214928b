import type { Logger } from "../util/logger.ts";

/** A logger for tests that keeps what it is told, as `level message`. */
export function recordingLogger(lines: string[]): Logger {
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    limited: (_key, level, message) => void lines.push(`${level} ${message}`),
  };
}

/** A logger for tests whose lines nobody reads. */
export const silentLogger: Logger = recordingLogger([]);
