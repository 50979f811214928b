import { parseDocument, type YamlDocument } from "./yaml.ts";
import { messageOf } from "../../util/errors.ts";
import { lineAndColumn, yamlOptions } from "./layer.ts";
import { type EditOptions, lineBreakOf, splice } from "./splice.ts";
import { hideVariables } from "./substitute.ts";
import { type ConfigMap, isConfigMap, isSameTree, valueAt, withValueAt } from "./tree.ts";
import { yamlMessage } from "./yaml_error.ts";

export type { EditOptions } from "./splice.ts";

/**
 * The text with the value at a path set, every other line as it was; missing maps on the way are made. Throws a
 * `SyntaxError` when the text is no YAML, an `Error` when the change cannot be made.
 */
export function setInText(text: string, path: readonly string[], value: unknown, options: EditOptions = {}): string {
  const before = checkText(text);
  const parent = path.slice(0, -1).findIndex((_, i) => !isMapOrNothing(valueAt(before, path.slice(0, i + 1))));
  if (parent >= 0) {
    throw new Error(
      `Cannot set "${path.join(".")}" in the config: "${path.slice(0, parent + 1).join(".")}" is not a map`,
    );
  }
  const hasVariables = options.keepsVariables === true && JSON.stringify(value).includes("${");
  const wanted = hasVariables ? hideInside(value) : value;
  if (!hasVariables && isSameTree(valueAt(before, path), wanted)) return text;
  return change(text, path, value, options, withValueAt(before, path, wanted));
}

/** The text without the key at a path. A missing key is no change; a missing section is an error (contract §1.5). */
export function removeFromText(text: string, path: readonly string[]): string {
  const before = checkText(text);
  if (path.length > 1 && valueAt(before, path.slice(0, -1)) === undefined) throw new Error("yaml: path not exist");
  if (valueAt(before, path) === undefined) return text;
  return change(text, path, undefined, {}, withValueAt(before, path, undefined));
}

/**
 * The text with another YAML or JSON text merged into it: maps key by key, everything else replaced. `${NAME}` in it is a
 * variable. Throws a `SyntaxError` when either text is no map in YAML, and when a section would lose its keys.
 */
export function mergeIntoText(text: string, patch: string): string {
  let merged = text;
  const before = checkText(text);
  for (const { path, value } of leaves(mapOf(dataOf(patch)), [], before)) {
    if (path.length === 1 && value !== null && isConfigMap(valueAt(before, path))) {
      throw new SyntaxError(`yaml: "${path[0]}" is a map, what is to be merged into it is none`);
    }
    merged = setInText(merged, path, value, { keepsVariables: true });
  }
  return merged;
}

/** Tells whether a text that is merged into the config names a key (`section.key`), or the section as a whole. */
export function isInPatch(patch: string): (path: readonly string[]) => boolean {
  const tree = mapOf(dataOf(patch));
  return ([section = "", key]) => {
    if (!Object.hasOwn(tree, section)) return false;
    const value = tree[section];
    return key === undefined || !isConfigMap(value) || Object.hasOwn(value, key);
  };
}

/**
 * The data of a text, with stand-ins where it has variables. Throws a `SyntaxError` with line and column unless it is a
 * map in YAML, or empty.
 */
export function checkText(text: string): ConfigMap {
  return mapOf(dataOf(hideVariables(text)));
}

function mapOf(tree: unknown): ConfigMap {
  if (tree === null || tree === undefined) return {};
  if (isConfigMap(tree)) return tree;
  throw new SyntaxError("yaml: the top level is no map of sections");
}

function dataOf(marked: string): unknown {
  const text = marked.replace(/^\uFEFF/, "");
  let doc: YamlDocument.Parsed;
  try {
    doc = parseDocument(text, yamlOptions);
  } catch (error) {
    // The parser recurses: thousands of nested brackets exhaust the stack.
    throw new SyntaxError("yaml: nested too deeply", { cause: error });
  }
  const error = doc.errors.find(({ code }) => code !== "DUPLICATE_KEY");
  if (error) {
    const { line, column } = lineAndColumn(text, error.pos[0]);
    throw new SyntaxError(`yaml: line ${line}, column ${column}: ${yamlMessage(error)}`);
  }
  try {
    return doc.toJS();
  } catch (error) {
    throw new SyntaxError(`yaml: ${messageOf(error)}`, { cause: error });
  }
}

function* leaves(
  value: unknown,
  path: readonly string[],
  target: unknown,
): Iterable<{ path: readonly string[]; value: unknown }> {
  if (!isConfigMap(value) || (path.length > 0 && !isConfigMap(target))) {
    yield { path, value };
    return;
  }
  for (const [key, inner] of Object.entries(value)) yield* leaves(inner, [...path, key], valueAt(target, [key]));
}

// Patching the text keeps every other line; where that goes wrong the file is written anew, with its comments. Both are
// read back and compared with what was meant.
function change(
  marked: string,
  path: readonly string[],
  value: unknown,
  options: EditOptions,
  wanted: unknown,
): string {
  const mark = marked.startsWith("\uFEFF") ? "\uFEFF" : "";
  const text = marked.slice(mark.length);
  for (const attempt of [splice, rewrite]) {
    const changed = attempt(text, path, value, options);
    if (changed !== undefined && isSame(changed, wanted, path)) return mark + changed;
  }
  throw new Error(`Cannot change "${path.join(".")}" in the config as it is written: edit the file by hand`);
}

function isSame(text: string, wanted: unknown, path: readonly string[]): boolean {
  try {
    const tree = checkText(text);
    // A map whose last key went is written as nothing at all.
    const parent = path.slice(0, -1);
    return isSameTree(tree, wanted) ||
      (parent.length > 0 && valueAt(tree, parent) === null && isSameTree(withValueAt(tree, parent, {}), wanted));
  } catch {
    // It is no YAML any more: this attempt failed.
    return false;
  }
}

function rewrite(text: string, path: readonly string[], value: unknown, options: EditOptions): string | undefined {
  const isEscaped = !options.keepsVariables && JSON.stringify(value ?? null).includes("${");
  if (isEscaped) return undefined;
  try {
    const doc = parseDocument(text, yamlOptions);
    if (doc.errors.length > 0) return undefined;
    if (value === undefined) doc.deleteIn(path);
    else doc.setIn(path, doc.createNode(value, { aliasDuplicateObjects: false }));
    return doc.toString({ lineWidth: 0 }).replaceAll("\n", lineBreakOf(text));
  } catch {
    // The path leads through something that is no map, such as an alias.
    return undefined;
  }
}

function isMapOrNothing(value: unknown): boolean {
  return value === undefined || value === null || isConfigMap(value);
}

function hideInside(value: unknown): unknown {
  if (typeof value === "string") return hideVariables(value);
  if (Array.isArray(value)) return value.map(hideInside);
  if (!isConfigMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [hideVariables(key), hideInside(inner)]));
}
