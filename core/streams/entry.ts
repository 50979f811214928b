import type { Start } from "../media/reader.ts";
import { parseSourceUrl } from "../net/source_url.ts";
import { StreamError } from "../util/errors.ts";
import type { SourceRegistry } from "./types.ts";

/** How long a source stays connected after its last viewer, unless its entry says otherwise. */
export const DEFAULT_LINGER_MS = 5000;

/** What a stream's config entry holds (contract §1.8). */
export interface StreamEntry {
  readonly sources: readonly string[];
  readonly lingerMs?: number;
  readonly start?: Start;
  /** What was left out and why, for the log. */
  readonly problems: readonly string[];
}

/** Reads an entry: a string, a list, a map with `url` (and `linger`, `start`), or null. Never throws. */
export function parseEntry(value: unknown): StreamEntry {
  const problems: string[] = [];
  if (value === null || value === undefined) return { sources: [], problems };
  // An empty text is what go2rtc's users write for a stream that others publish to.
  if (typeof value === "string") return { sources: value.trim() === "" ? [] : [value], problems };
  if (Array.isArray(value)) return { sources: listOf(value, problems), problems };
  if (typeof value !== "object") {
    problems.push(`Expected a source, a list of sources or a map with "url", got ${typeof value}`);
    return { sources: [], problems };
  }
  const map = value as Readonly<Record<string, unknown>>;
  const inner = Array.isArray(map.url) || typeof map.url === "string" ? parseEntry(map.url) : undefined;
  if (!inner && map.url !== undefined && map.url !== null) {
    problems.push(`Expected "url" to be a source or a list, got ${typeof map.url}`);
  }
  const lingerMs = map.linger === undefined ? undefined : parseSeconds(String(map.linger));
  if (map.linger !== undefined && lingerMs === undefined) {
    problems.push(`Cannot read "linger": expected seconds, got "${String(map.linger)}"`);
  }
  const start = parseStart(typeof map.start === "string" ? map.start : undefined);
  if (map.start !== undefined && !start) problems.push(`Cannot read "start": expected "live", "keyframe" or "now"`);
  return {
    sources: inner?.sources ?? [],
    problems: [...problems, ...(inner?.problems ?? [])],
    ...(lingerMs === undefined ? {} : { lingerMs }),
    ...(start ? { start } : {}),
  };
}

function listOf(items: readonly unknown[], problems: string[]): string[] {
  const sources: string[] = [];
  items.forEach((item, i) => {
    if (typeof item === "string") sources.push(item);
    else problems.push(`Skipped item ${i + 1}: expected a source, got ${item === null ? "nothing" : typeof item}`);
  });
  return sources;
}

/** Milliseconds of a text in seconds (`5`, `0.5`, `5s`, `500ms`, `1m`); `undefined` when it is none. */
export function parseSeconds(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text.trim());
  if (!found) return undefined;
  const unit = found[2] === "ms" ? 1 : found[2] === "m" ? 60_000 : 1000;
  return Math.min(Number(found[1]) * unit, 24 * 3600 * 1000);
}

/** Where a viewer starts, by its name; `undefined` when it is none. */
export function parseStart(text: string | null | undefined): Start | undefined {
  return text === "live" || text === "keyframe" || text === "now" ? text : undefined;
}

/** What a source's text says to the stream itself, and what remains for its opener. */
export interface SourceText {
  /** The text without `#linger=` and `#start=`: some openers behave otherwise when there is any option. */
  readonly dialled: string;
  readonly lingerMs?: number;
  readonly start?: Start;
}

/** Reads the options of a source that are the stream's. */
export function parseSourceText(text: string): SourceText {
  const { url, options } = parseSourceUrl(text);
  const lingerMs = parseSeconds(options.get("linger") ?? "");
  const start = parseStart(options.get("start"));
  const parts = text.slice(url.length).split("#").slice(1);
  const kept = parts.filter((part) => !/^(linger|start)=/.test(part));
  return {
    dialled: kept.length === parts.length ? text : [url, ...kept].join("#"),
    ...(lingerMs === undefined ? {} : { lingerMs }),
    ...(start ? { start } : {}),
  };
}

/** Refuses a source that may not come through the API (contract §2.8); answers silently when it may. */
export function checkSource(text: string, registry: SourceRegistry, isTrusted: boolean): void {
  if (text === "") throw new StreamError("BAD_SOURCE", "streams: source empty");
  if (!isServed(text, registry)) throw new StreamError("UNSUPPORTED_SCHEME", "streams: source not supported");
  checkTrust(text, registry, isTrusted);
}

/** As {@linkcode checkSource}, for all sources of a stream. */
export function checkSources(texts: readonly string[], registry: SourceRegistry, isTrusted: boolean): void {
  const hasServed = texts.some((text) => isServed(text, registry));
  for (const text of texts) {
    // Quirk(Home Assistant): each camera it adds has "ffmpeg:<camera>#audio=opus…" beside its own address; without a
    // module for that, the camera is to play all the same.
    if (hasServed && isTranscoder(text)) checkTrust(text, registry, isTrusted);
    else checkSource(text, registry, isTrusted);
  }
}

function isServed(text: string, registry: SourceRegistry): boolean {
  const { scheme } = parseSourceUrl(text);
  return scheme !== "" && (registry.source(scheme) !== undefined || registry.redirect(scheme) !== undefined);
}

function isTranscoder(text: string): boolean {
  return parseSourceUrl(text).scheme === "ffmpeg";
}

function checkTrust(text: string, registry: SourceRegistry, isTrusted: boolean): void {
  if (isTrusted) return;
  if (registry.isTrusted(parseSourceUrl(text).scheme)) {
    throw new StreamError("UNTRUSTED_SOURCE", "streams: source from insecure producer");
  }
  if (/\s/.test(text) && !isHarmlessRaw(text)) {
    throw new StreamError("UNTRUSTED_SOURCE", "streams: source with spaces may be insecure");
  }
}

/** `Quirk(Home Assistant): sends turns of the picture as #raw with a space; exactly these pass through the API.` */
const HARMLESS_RAW = new Set(["-vf vflip", "-vf hflip", "-vf hflip,vflip", "-vf vflip,hflip"]);

function isHarmlessRaw(text: string): boolean {
  const { url, options } = parseSourceUrl(text);
  if (/\s/.test(url)) return false;
  return options.keys().every((key) =>
    !/\s/.test(key) && options.all(key).every((value) => !/\s/.test(value) || (key === "raw" && isTurn(value)))
  );
}

function isTurn(value: string): boolean {
  return HARMLESS_RAW.has(value) || /^-vf (?:transpose=[0-3]|(?:transpose=[0-3],)?[hv]flip)$/.test(value);
}
