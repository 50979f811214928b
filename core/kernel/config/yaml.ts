/**
 * The YAML library, by its ESM build. The rules of npm choose the CommonJS build here, and the machinery for that alone
 * would make an idle program 8 MB larger.
 */
import type * as Yaml from "yaml";

async function load(): Promise<typeof Yaml> {
  try {
    const chosen = import.meta.resolve("yaml");
    const esm = chosen.replace(/\/dist\/index\.js$/, "/browser/index.js");
    if (esm !== chosen) return await import(esm);
  } catch {
    // In a bundle there are no files to choose from: the library is inside.
  }
  const library = await import("yaml") as typeof Yaml | { readonly default: typeof Yaml };
  return "parseDocument" in library ? library : library.default;
}

const yaml = await load();

export const { Document, isAlias, isMap, isPair, isScalar, isSeq, parseDocument, Scalar, visit } = yaml;
export type { Document as YamlDocument, Node, Pair, ParsedNode, YAMLMap, YAMLParseError, YAMLWarning } from "yaml";
