import { isAlias, isMap, isPair, isScalar, isSeq, type Node, type ParsedNode, parseDocument } from "./yaml.ts";
import type { YamlDocument, YAMLMap } from "./yaml.ts";
import { messageOf } from "../../util/errors.ts";
import type { ConfigPlace, ConfigProblem } from "./problem.ts";
import type { Substituted } from "./substitute.ts";
import { yamlMessage } from "./yaml_error.ts";

/** A parsed piece of a text: the whole of it, or one section when the whole has an error. */
interface Piece {
  readonly doc: YamlDocument.Parsed;
  /** Where the piece begins in the text. */
  readonly start: number;
}

/** How far a path could be followed, and where that is. */
interface Found {
  readonly depth: number;
  readonly place: ConfigPlace;
  readonly node: Node | null;
}

/** One config (a file, or the text of one `-c` value) after parsing. */
export interface Layer {
  readonly sections: ReadonlyMap<string, unknown>;
  /** Sections that are there but cannot be read. */
  readonly broken: ReadonlySet<string>;
  /** Everything in it belongs to a section: whatever it was to say is either read or in `broken`. */
  readonly isComplete: boolean;
  readonly problems: readonly ConfigProblem[];
  find(path: readonly (string | number)[]): Found | undefined;
}

/** YAML 1.2 with merge keys, as all of the config is read. */
export const yamlOptions = { version: "1.2", merge: true, logLevel: "error", prettyErrors: false } as const;

/** Errors that leave the content sound; each is reported and the rest counts. */
const HARMLESS = new Set(["DUPLICATE_KEY", "MULTIPLE_DOCS"]);

/**
 * Parses one config. Never throws. When the YAML has an error, each top-level section is parsed by itself, so that the
 * error costs only the section it is in.
 */
export function parseLayer(file: string, source: string, filled: Substituted): Layer {
  const { text } = filled;
  const problems: ConfigProblem[] = [];
  const sections = new Map<string, unknown>();
  const broken = new Set<string>();
  const place = (offset: number): ConfigPlace => ({ file, ...lineAndColumn(source, filled.sourceOffset(offset)) });
  const report = (level: ConfigProblem["level"], section: string, message: string, offset: number) =>
    problems.push({ level, section, path: "", message, place: place(offset) });

  const reportErrors = (piece: Piece, section: string): boolean => {
    let isSound = true;
    for (const error of piece.doc.errors) {
      const offset = piece.start + error.pos[0];
      if (!HARMLESS.has(error.code)) {
        if (isSound) report("error", section, yamlMessage(error), offset);
        isSound = false;
      } else if (error.code === "DUPLICATE_KEY") {
        report("warn", section, `duplicate key "${keyAt(text, offset)}": the last one counts`, offset);
      } else {
        report("warn", section, "only the first YAML document of a file is read", offset);
      }
    }
    for (const warning of piece.doc.warnings) {
      report("warn", section, yamlMessage(warning), piece.start + warning.pos[0]);
    }
    return isSound;
  };

  const read = (piece: Piece, onlySection?: string): void => {
    const { contents } = piece.doc;
    if (contents === null || (isScalar(contents) && contents.value === null)) return;
    if (!isMap(contents)) {
      report(
        "error",
        onlySection ?? "",
        'expected sections like "streams:" at the top level',
        piece.start + startOf(contents),
      );
      broken.add(onlySection ?? "");
      return;
    }
    for (const [name, value] of sectionsOf(piece.doc, contents)) {
      if (value instanceof Error) {
        const key = follow(piece, [name], place);
        report("error", name, value.message, key ? piece.start + key.offset : piece.start);
        broken.add(name);
        sections.delete(name);
      } else {
        broken.delete(name);
        sections.set(name, value);
      }
    }
  };

  const whole = parsePiece(text, 0);
  let pieces: Piece[] = [];
  if (!(whole instanceof Error) && whole.doc.errors.every(({ code }) => HARMLESS.has(code))) {
    pieces = [whole];
    reportErrors(whole, "");
    read(whole);
  } else {
    for (const { name, start, end } of splitSections(text)) {
      const piece = parsePiece(text.slice(start, end), start);
      if (piece instanceof Error) {
        report("error", name, piece.message, start);
        broken.add(name);
      } else if (reportErrors(piece, name)) {
        pieces.push(piece);
        read(piece, name);
      } else {
        broken.add(name);
        sections.delete(name);
      }
    }
    const isExplained = problems.some(({ level }) => level === "error");
    if (!isExplained && !(whole instanceof Error)) reportErrors(whole, "");
  }
  const isComplete = !broken.delete("");

  return {
    sections,
    broken,
    isComplete,
    problems,
    find(path) {
      let best: Found | undefined;
      for (const piece of pieces) {
        const found = follow(piece, path, place);
        if (found && found.depth >= (best?.depth ?? 1)) best = found;
      }
      return best;
    },
  };
}

function parsePiece(text: string, start: number): Piece | Error {
  try {
    return { doc: parseDocument(text, yamlOptions), start };
  } catch (error) {
    // The parser recurses: thousands of nested brackets exhaust the stack.
    return new Error(`cannot be parsed: ${messageOf(error)}`);
  }
}

function* sectionsOf(doc: YamlDocument.Parsed, contents: YAMLMap.Parsed): Iterable<[string, unknown]> {
  try {
    yield* Object.entries(contents.toJS(doc) as Record<string, unknown>);
    return;
  } catch {
    // An alias leads nowhere or multiplies: below, each section is asked by itself and the bad one names its error.
  }
  for (const { key, value } of contents.items) {
    const name = keyText(key);
    try {
      yield [name, value?.toJS(doc) ?? null];
    } catch (error) {
      yield [name, new Error(messageOf(error))];
    }
  }
}

function follow(
  piece: Piece,
  path: readonly (string | number)[],
  place: (offset: number) => ConfigPlace,
): (Found & { offset: number }) | undefined {
  let node: Node | null = piece.doc.contents;
  let offset = 0;
  let depth = 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(piece.doc) ?? null;
    if (isMap(node)) {
      const pair: { key: unknown; value: unknown } | undefined = node.items.findLast((item) =>
        keyText(item.key) === String(step)
      );
      if (!pair) break;
      offset = startOf(pair.key);
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      if (item === undefined || isPair(item)) break;
      offset = startOf(item);
      node = item as Node;
    } else {
      break;
    }
    depth++;
  }
  if (depth === 0) return undefined;
  return { depth, node, offset, place: place(piece.start + offset) };
}

/** The text of a key as it is in the data. */
export function keyText(key: unknown): string {
  if (!isScalar(key)) return collectionText(key);
  return key.value === null ? "" : typeof key.value === "symbol" ? "<<" : String(key.value);
}

function collectionText(key: unknown): string {
  try {
    return String(key);
  } catch {
    // A map or list as a key, with an error inside: it names nothing.
    return "";
  }
}

function startOf(node: unknown): number {
  return (node as ParsedNode | null)?.range?.[0] ?? 0;
}

function keyAt(text: string, offset: number): string {
  return /^(?:"([^"\n]*)"|'([^'\n]*)'|([^:\r\n]*))/.exec(text.slice(offset, offset + 200))?.slice(1).find((part) =>
    part !== undefined
  ) ?? "";
}

/** Cuts a text at the lines that begin a top-level section; what stands before the first one has the name `""`. */
export function splitSections(text: string): { name: string; start: number; end: number }[] {
  const found: { name: string; start: number; end: number }[] = [{ name: "", start: 0, end: text.length }];
  for (const match of text.matchAll(/^(?:"([^"\r\n]+)"|'([^'\r\n]+)'|([\p{L}_][\p{L}\p{N}_.-]*))[ \t]*:(?=\s|$)/gmu)) {
    found.at(-1)!.end = match.index;
    found.push({ name: match[1] ?? match[2] ?? match[3]!, start: match.index, end: text.length });
  }
  return found.filter(({ start, end }) => end > start);
}

/** Line and column, from 1, of an offset. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: Math.min(offset, text.length) - lineStart + 1 };
}
