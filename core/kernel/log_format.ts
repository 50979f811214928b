import type { LogFields } from "../util/logger.ts";
import type { LogLevel } from "./schema.ts";

/** A level that a line can have. */
export type LineLevel = Exclude<LogLevel, "disabled">;

/** One line of the log before it is written in a format; nothing in it is secret any more. */
export interface LogLine {
  readonly timeMs: number;
  readonly level: LineLevel;
  readonly message: string;
  readonly fields: LogFields;
}

const TAGS: Readonly<Record<LineLevel, { tag: string; color: number }>> = {
  trace: { tag: "TRC", color: 34 },
  debug: { tag: "DBG", color: 36 },
  info: { tag: "INF", color: 32 },
  warn: { tag: "WRN", color: 33 },
  error: { tag: "ERR", color: 31 },
  fatal: { tag: "FTL", color: 31 },
  panic: { tag: "PNC", color: 31 },
};

/** `HH:MM:SS.mmm LVL message key=value` (contract §1.7), local time, without a line end. */
export function formatText(line: LogLine, options: { color: boolean; time: boolean }): string {
  const { tag, color } = TAGS[line.level];
  const paint = (text: string, code: number) => (options.color ? `\x1b[${code}m${text}\x1b[0m` : text);
  let text = options.time ? `${paint(clockText(line.timeMs), 90)} ` : "";
  text += `${paint(tag, color)} ${oneLine(line.message)}`;
  for (const [key, value] of sorted(line.fields)) text += ` ${paint(`${key}=`, 36)}${valueText(value)}`;
  return text;
}

/** One JSON object with the keys of the contract: `level`, the fields, `time`, `message`. */
export function formatJson(line: LogLine, timeFormat: string): string {
  let text = `{"level":"${line.level}"`;
  for (const [key, value] of sorted(line.fields)) text += `,${JSON.stringify(key)}:${jsonValue(value)}`;
  if (timeFormat !== "") text += `,"time":${formatTime(line.timeMs, timeFormat)}`;
  return `${text},"message":${JSON.stringify(line.message)}}`;
}

function sorted(fields: LogFields): [string, string | number | boolean][] {
  const entries: [string, string | number | boolean][] = [];
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) entries.push([key, value]);
  return entries.length < 2 ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

// A message may quote what a camera sent: it must not be able to begin a line of its own.
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, escapeControl);
}

function escapeControl(char: string): string {
  const quoted = JSON.stringify(char).slice(1, -1);
  return quoted === char ? `\\u00${char.charCodeAt(0).toString(16).padStart(2, "0")}` : quoted;
}

function valueText(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  return /^[!#-[\]-~\u00a1-\uffff]*$/.test(value) ? value : oneLine(JSON.stringify(value));
}

function jsonValue(value: string | number | boolean): string {
  return typeof value === "number" && !Number.isFinite(value) ? `"${value}"` : JSON.stringify(value);
}

function clockText(timeMs: number): string {
  const at = new Date(timeMs);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, "0");
}

/** The JSON value of a time: a count since 1970 for `UNIXMS`, `UNIXMICRO`, `UNIXNANO`, else a text in a Go layout. */
export function formatTime(timeMs: number, format: string): string {
  const ms = Math.trunc(timeMs);
  if (format === "UNIXMS") return String(ms);
  if (format === "UNIXMICRO") return `${ms}000`;
  if (format === "UNIXNANO") return `${ms}000000`;
  return JSON.stringify(goTime(new Date(ms), format));
}

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

const GO_PARTS =
  /2006|January|Jan|Monday|Mon|MST|Z07:00|Z0700|Z07|-07:00|-0700|-07|[.,](?:0+|9+)(?!\d)|01|02|03|04|05|06|15|PM|pm|_2|1|2|3|4|5/g;

// A Go layout is written as the reference time "Mon Jan 2 15:04:05 MST 2006" would be.
function goTime(at: Date, layout: string): string {
  return layout.replace(GO_PARTS, (part) => goPart(at, part));
}

function goPart(at: Date, part: string): string {
  const hour12 = at.getHours() % 12 || 12;
  switch (part) {
    case "2006":
      return pad(at.getFullYear(), 4);
    case "06":
      return pad(at.getFullYear() % 100);
    case "January":
      return MONTHS[at.getMonth()]!;
    case "Jan":
      return MONTHS[at.getMonth()]!.slice(0, 3);
    case "01":
      return pad(at.getMonth() + 1);
    case "1":
      return String(at.getMonth() + 1);
    case "Monday":
      return DAYS[at.getDay()]!;
    case "Mon":
      return DAYS[at.getDay()]!.slice(0, 3);
    case "02":
      return pad(at.getDate());
    case "_2":
      return String(at.getDate()).padStart(2);
    case "2":
      return String(at.getDate());
    case "15":
      return pad(at.getHours());
    case "03":
      return pad(hour12);
    case "3":
      return String(hour12);
    case "04":
      return pad(at.getMinutes());
    case "4":
      return String(at.getMinutes());
    case "05":
      return pad(at.getSeconds());
    case "5":
      return String(at.getSeconds());
    case "PM":
      return at.getHours() < 12 ? "AM" : "PM";
    case "pm":
      return at.getHours() < 12 ? "am" : "pm";
  }
  if (part.startsWith(".") || part.startsWith(",")) return fraction(at, part);
  return zone(at, part);
}

function fraction(at: Date, part: string): string {
  const digits = `${pad(at.getMilliseconds(), 3)}000000`.slice(0, part.length - 1);
  if (part[1] === "0") return part[0] + digits;
  const trimmed = digits.replace(/0+$/, "");
  return trimmed === "" ? "" : part[0] + trimmed;
}

function zone(at: Date, part: string): string {
  const minutes = -at.getTimezoneOffset();
  if (part === "MST" && minutes === 0) return "UTC";
  if (part.startsWith("Z") && minutes === 0) return "Z";
  const sign = minutes < 0 ? "-" : "+";
  const hours = pad(Math.floor(Math.abs(minutes) / 60));
  const rest = pad(Math.abs(minutes) % 60);
  if (part.endsWith(":00")) return `${sign}${hours}:${rest}`;
  return part.endsWith("07") ? sign + hours : sign + hours + rest;
}
