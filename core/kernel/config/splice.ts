import {
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  Scalar,
  visit,
} from "./yaml.ts";
import type { ParsedNode, YAMLMap } from "./yaml.ts";
import { keyText, yamlOptions } from "./layer.ts";
import { hideVariables } from "./substitute.ts";
import { isConfigMap } from "./tree.ts";

/** How values are written. */
export interface EditOptions {
  /** Leaves `${NAME}` in a value a variable. By default it is escaped, so that it is read back as it was given. */
  readonly keepsVariables?: boolean;
}

type PairNode = Pair<unknown, Node | null>;

/** The line break a text uses. */
export function lineBreakOf(text: string): string {
  const at = text.indexOf("\n");
  return at > 0 && text[at - 1] === "\r" ? "\r\n" : "\n";
}

/**
 * Sets the value at a path (removes it when `undefined`) by changing only the lines it is on. `undefined`: the text is
 * written in a way this cannot change. The caller reads the result back; layouts that are rare are tried, not excluded.
 */
export function splice(
  text: string,
  path: readonly string[],
  value: unknown,
  options: EditOptions,
): string | undefined {
  const { contents } = parseDocument(hideVariables(text), yamlOptions);
  const patch = new Patch(text, contents, options);
  if (contents === null || (isScalar(contents) && contents.value === null)) return patch.append(path, value);
  let map: Node | null = contents;
  let owner: PairNode | undefined;
  for (let depth = 0; isMap(map); depth++) {
    const rest = path.slice(depth + 1);
    const pair: PairNode | undefined = pairOf(map, path[depth]!);
    if (!pair) return patch.add(map, owner, path.slice(depth), value);
    if (rest.length === 0) return value === undefined ? patch.remove(map, pair) : patch.replace(map, pair, value);
    if (pair.value === null || isNothing(pair.value)) return patch.replace(map, pair, nest(rest, value));
    owner = pair;
    map = pair.value;
  }
  return undefined;
}

/** One text and its nodes, changed once. */
class Patch {
  readonly #text: string;
  readonly #options: EditOptions;
  readonly #lineBreak: string;
  readonly #step: number;

  constructor(text: string, contents: Node | null, options: EditOptions) {
    this.#text = text;
    this.#options = options;
    this.#lineBreak = lineBreakOf(text);
    this.#step = this.#findStep(contents);
  }

  /** At the end of the text. */
  append(path: readonly string[], value: unknown, indent = 0): string {
    const needsBreak = this.#text !== "" && !this.#text.endsWith("\n");
    return this.#text + (needsBreak ? this.#lineBreak : "") + this.#block(nest(path, value), indent) + this.#lineBreak;
  }

  add(map: YAMLMap, owner: PairNode | undefined, path: readonly string[], value: unknown): string | undefined {
    const last = map.items.at(-1) as PairNode | undefined;
    if (!last) {
      if (owner) return this.#replaceInBlock(owner, nest(path, value));
      return this.#cut(startOf(map), endOf(map), this.#block(nest(path, value), 0));
    }
    const end = this.#contentEnd(last.value, this.#colonOf(last));
    if (map.flow) return this.#cut(end, end, this.#flowSeparator(map, last) + this.#flowPair(map, path, value));
    const indent = this.#columnOf(startOf(map.items[0]!.key));
    if (!owner) return this.append(path, value, indent);
    const at = this.#lineEnd(end);
    return this.#cut(at, at, this.#lineBreak + this.#block(nest(path, value), indent));
  }

  replace(map: YAMLMap, pair: PairNode, value: unknown): string | undefined {
    if (!map.flow) return this.#replaceInBlock(pair, value);
    const { value: old } = pair;
    return old === null ? undefined : this.#cut(startOf(old), endOf(old), this.#json(value));
  }

  remove(map: YAMLMap, pair: PairNode): string | undefined {
    const start = startOf(pair.key);
    const end = this.#contentEnd(pair.value, this.#colonOf(pair));
    if (!map.flow) {
      const lineStart = this.#lineStart(start);
      return this.#text.slice(lineStart, start).trim() === ""
        ? this.#cut(lineStart, this.#nextLine(end), "")
        : undefined;
    }
    const items = map.items as PairNode[];
    const i = items.indexOf(pair);
    const next = items[i + 1];
    if (next) return this.#cut(start, startOf(next.key), "");
    const previous = items[i - 1];
    return this.#cut(previous ? this.#contentEnd(previous.value, this.#colonOf(previous)) : start, end, "");
  }

  // The key's line keeps its comment, whether the value stands on that line or below it.
  #replaceInBlock(pair: PairNode, value: unknown): string {
    const text = this.#text;
    const colon = this.#colonOf(pair);
    const isGiven = pair.value !== null && !isNothing(pair.value);
    const start = isGiven ? startOf(pair.value) : colon;
    const end = this.#contentEnd(pair.value, colon);
    const isBelow = text.slice(colon, start).includes("\n");
    const below = this.#columnOf(startOf(pair.key)) + this.#step;
    if (isInline(value)) {
      const written = this.#inline(value);
      if (isBelow) {
        const keyEnd = this.#lineEnd(colon);
        return `${text.slice(0, colon)} ${written}${text.slice(colon, keyEnd)}${text.slice(this.#lineEnd(end))}`;
      }
      return isGiven ? this.#cut(start, end, written) : this.#cut(colon, colon, ` ${written}`);
    }
    const block = this.#lineBreak + this.#block(value, below);
    if (isBelow) return this.#cut(this.#endOfLineBefore(start), this.#lineEnd(end), block);
    const rest = text.slice(end, this.#lineEnd(end)).trimEnd();
    return this.#cut(colon, this.#lineEnd(end), (rest === "" || /^\s/.test(rest) ? rest : ` ${rest}`) + block);
  }

  #cut(start: number, end: number, replacement: string): string {
    return this.#text.slice(0, start) + replacement + this.#text.slice(end);
  }

  #block(value: unknown, indent: number): string {
    const margin = " ".repeat(indent);
    const lines = this.#write(value).split("\n");
    return lines.map((line) => (line === "" ? "" : margin + line)).join(this.#lineBreak);
  }

  #inline(value: unknown): string {
    const written = this.#write(value);
    return written.includes("\n") ? this.#json(value) : written;
  }

  #write(value: unknown): string {
    const doc = new Document(value, { ...yamlOptions, aliasDuplicateObjects: false });
    if (this.#options.keepsVariables) return doc.toString({ lineWidth: 0, indent: this.#step }).trimEnd();
    visit(doc, {
      Scalar(_, node) {
        if (typeof node.value === "string" && node.value.includes("${")) node.type = Scalar.QUOTE_DOUBLE;
      },
    });
    return escapeVariables(doc.toString({ lineWidth: 0, indent: this.#step }).trimEnd());
  }

  #json(value: unknown): string {
    return this.#options.keepsVariables ? JSON.stringify(value) : escapeVariables(JSON.stringify(value));
  }

  #flowPair(map: YAMLMap, [key, ...rest]: readonly string[], value: unknown): string {
    const first = map.items[0]!.key;
    const isPlain = isScalar(first) && first.type === Scalar.PLAIN && /^[a-z_][\w.-]*$/i.test(key!);
    return `${isPlain ? key : this.#json(key)}: ${this.#json(nest(rest, value))}`;
  }

  // One key a line stays one key a line.
  #flowSeparator(map: YAMLMap, last: PairNode): string {
    const before = map.items.at(-2) as PairNode | undefined;
    const from = before ? startOf(before.key) : startOf(map);
    const start = startOf(last.key);
    if (!this.#text.slice(from, start).includes("\n")) return ", ";
    return `,${this.#lineBreak}${" ".repeat(this.#columnOf(start))}`;
  }

  // Where what belongs to a node ends: without the comments and empty lines that the parser counts to it.
  #contentEnd(node: Node | null, whenNothing: number): number {
    if (node === null || isNothing(node)) return whenNothing;
    const last = (isMap(node) || isSeq(node)) && !node.flow ? node.items.at(-1) : undefined;
    if (isMap(node) && last) return this.#contentEnd((last as PairNode).value, this.#colonOf(last as PairNode));
    if (isSeq(node) && last) return this.#contentEnd(last as Node, startOf(last));
    const end = endOf(node);
    const isBlock = isScalar(node) && (node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED);
    return isBlock ? this.#text.slice(0, end).trimEnd().length : end;
  }

  #colonOf(pair: PairNode): number {
    const end = endOf(pair.key);
    const colon = this.#text.indexOf(":", end);
    return colon < 0 ? end : colon + 1;
  }
  #lineStart(offset: number): number {
    return offset <= 0 ? 0 : this.#text.lastIndexOf("\n", offset - 1) + 1;
  }
  #lineEnd(offset: number): number {
    const at = this.#text.indexOf("\n", offset);
    if (at < 0) return this.#text.length;
    return at > offset && this.#text[at - 1] === "\r" ? at - 1 : at;
  }
  #endOfLineBefore(offset: number): number {
    const at = this.#lineStart(offset) - 1;
    return this.#text[at - 1] === "\r" ? at - 1 : at;
  }
  #nextLine(offset: number): number {
    const at = this.#text.indexOf("\n", offset);
    return at < 0 ? this.#text.length : at + 1;
  }
  #columnOf(offset: number): number {
    return offset - this.#lineStart(offset);
  }

  // How far the first section is indented is how far new ones are.
  #findStep(contents: Node | null): number {
    if (!isMap(contents)) return 2;
    for (const { value } of contents.items as PairNode[]) {
      if (!isMap(value) || value.flow || value.items.length === 0) continue;
      const column = this.#columnOf(startOf(value.items[0]!.key));
      if (column > 0) return column;
    }
    return 2;
  }
}

function pairOf(map: YAMLMap, key: string): PairNode | undefined {
  return (map.items as PairNode[]).findLast((item) => keyText(item.key) === key);
}

function nest(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, key) => Object.fromEntries([[key, inner]]), value);
}

function isInline(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return !isConfigMap(value) || Object.keys(value).length === 0;
}

function isNothing(node: Node | null): boolean {
  return isScalar(node) && node.value === null && endOf(node) === startOf(node) && !isAlias(node);
}

function startOf(node: unknown): number {
  return (node as ParsedNode | null)?.range?.[0] ?? 0;
}

function endOf(node: unknown): number {
  return (node as ParsedNode | null)?.range?.[1] ?? 0;
}

function escapeVariables(text: string): string {
  return text.replaceAll("${", "\\u0024{");
}
