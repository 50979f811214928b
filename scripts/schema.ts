/**
 * Writes `docs/config.md` and `www/schema.json` from the schemas of the kernel and of every built-in module, and from
 * the examples in `docs/example.yaml`. With `--check` it writes nothing and exits with 1 when one of them is stale.
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import * as z from "zod/mini";
import type { ConfigSchema, PluginDefinition } from "../core/kernel/plugin.ts";
import { kernelSchemas } from "../core/kernel/schema.ts";
import { builtIns } from "../modules/builtin.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** The part of JSON Schema that our schemas come out as. */
interface Shape {
  readonly $schema?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape | readonly Shape[];
  readonly prefixItems?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
}

async function sections(): Promise<Map<string, ConfigSchema>> {
  const found = new Map<string, ConfigSchema>(Object.entries(kernelSchemas));
  for (const { load } of builtIns) {
    const { name, config, sections } = (await load()).default as PluginDefinition;
    if (config && !sections && !found.has(name)) {
      found.set(name, typeof config === "function" ? config((await import("zod")).z) : config);
    }
  }
  return found;
}

/** The sections of the example as they are written. */
function examplesIn(text: string): Map<string, string> {
  const parts = text.split(/^(?=[\w-]+:)/m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf(":")), part.trimEnd()]));
}

/** What is wrong with an example: keys that are missing or unknown, and values that the schema refuses. */
function mistakesIn(example: string | undefined, name: string, schema: ConfigSchema): string[] {
  if (example === undefined) return [`it has no section "${name}"`];
  const value = (parse(example) as Record<string, unknown>)[name];
  const { properties = {}, additionalProperties } = shapeOf(schema);
  const keys = Object.keys(value ?? {});
  const isFree = typeof additionalProperties === "object";
  return [
    ...Object.keys(properties).filter((key) => !keys.includes(key)).map((key) => `"${name}.${key}" is missing`),
    ...keys.filter((key) => !isFree && !Object.hasOwn(properties, key)).map((key) => `"${name}.${key}" is no key`),
    ...z.safeParse(schema, value).error?.issues.map(({ path, message }) =>
      `"${[name, ...path].join(".")}": ${message}`
    ) ??
      [],
  ];
}

function shapeOf(schema: ConfigSchema): Shape {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
  }) as Shape;
  return shape;
}

function jsonSchema(shapes: ReadonlyMap<string, Shape>): string {
  const properties = [...shapes].map(([name, { description, ...shape }]) => [
    name,
    { ...(description ? { description } : {}), anyOf: [shape, { type: "null" }] },
  ]);
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Lenswire config",
    type: "object",
    properties: Object.fromEntries(properties) as unknown,
  };
  return JSON.stringify(schema, undefined, 2) + "\n";
}

const INTRODUCTION = `# Config

<!-- Written by "deno task schema" from the schemas in the code and from docs/example.yaml: change those, not this page. -->

Lenswire reads \`lenswire.yaml\` or \`go2rtc.yaml\` in the current folder, or what \`-config\` names: a file, a text like
\`{streams: {yard: rtsp://192.168.1.10/stream}}\`, or one key like \`rtsp.listen=:8554\`. Several are merged, the later one wins.
A section that is absent or empty has its defaults. A mistake is reported with file, line and column; an unknown key is left
out, a source that no module opens is passed over, a wrong value turns its section off, and the rest works on. Changes to the
file are applied while the server runs; a section with a wrong value then stays as it was.

\`\${NAME}\` is replaced by what the section \`env\`, the folder \`CREDENTIALS_DIRECTORY\` or the environment says, and
\`\${NAME:default}\` has a default. All examples of this page in one file: [example.yaml](example.yaml).
`;

function page(shapes: ReadonlyMap<string, Shape>, examples: ReadonlyMap<string, string>): string {
  const parts = [...shapes].map(([name, shape]) => {
    const rows = rowsOf("", shape);
    const text = shape.description ? `${shape.description}\n\n` : "";
    if (rows.length === 0) return `## ${name}\n\n${text}It has no keys.\n`;
    const example = `\`\`\`yaml\n${examples.get(name)}\n\`\`\`\n`;
    return `## ${name}\n\n${text}${example}\n${table([["Key", "Type", "Default", "Meaning"], ...rows])}`;
  });
  return [INTRODUCTION, ...parts].join("\n");
}

function rowsOf(prefix: string, shape: Shape): string[][] {
  const rows: string[][] = [];
  for (const [key, value] of Object.entries(shape.properties ?? {})) rows.push(...rowsOfKey(prefix + key, value));
  const others = shape.additionalProperties;
  if (typeof others === "object" && Object.keys(others).length > 0) rows.push(...rowsOfKey(`${prefix}<name>`, others));
  return rows;
}

function rowsOfKey(key: string, shape: Shape): string[][] {
  const fallback = shape.default === undefined ? "" : code(JSON.stringify(shape.default));
  const row = [code(key), cell(typeOf(shape)), fallback, cell(shape.description ?? "")];
  const item = Array.isArray(shape.items) ? undefined : shape.items as Shape | undefined;
  if (shape.anyOf) return [row];
  return [row, ...rowsOf(`${key}.`, shape), ...(item ? rowsOf(`${key}[].`, item) : [])];
}

function typeOf(shape: Shape): string {
  if (shape.anyOf) return [...new Set(shape.anyOf.map(typeOf))].join(" or ");
  if (shape.enum) return shape.enum.map((value) => code(JSON.stringify(value))).join(", ");
  if (shape.const !== undefined) return code(JSON.stringify(shape.const));
  const types = typeof shape.type === "string" ? [shape.type] : shape.type ?? [];
  const names = types.map((type) => type === "array" ? listType(shape) : NAMES[type] ?? type);
  return names.length === 0 ? "anything" : names.join(" or ");
}

const NAMES: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  boolean: "true or false",
  object: "map",
  null: "nothing",
};

function listType({ items }: Shape): string {
  if (items === undefined) return "list";
  const inner = Array.isArray(items) ? (items as readonly Shape[]).map(typeOf).join(", ") : typeOf(items as Shape);
  return `list of ${inner}`;
}

// A table as `deno fmt` wants it: columns padded to one width.
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((text, i) => text.padEnd(widths[i]!)).join(" | ")} |\n`;
  const [head, ...body] = rows;
  return line(head!) + line(widths.map((width) => "-".repeat(width))) + body.map(line).join("");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

async function isStale(path: string, text: string): Promise<boolean> {
  try {
    return await Deno.readTextFile(path) !== text;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

const schemas = await sections();
const examples = examplesIn(await Deno.readTextFile(join(root, "docs/example.yaml")));
const mistakes = [
  ...[...examples.keys()].filter((name) => !schemas.has(name)).map((name) => `there is no section "${name}"`),
  ...[...schemas].flatMap(([name, schema]) => mistakesIn(examples.get(name), name, schema)),
];
for (const mistake of mistakes) console.error(`docs/example.yaml: ${mistake}`);
if (mistakes.length > 0) Deno.exit(1);
const shapes = new Map([...schemas].map(([name, schema]) => [name, shapeOf(schema)]));
const outputs = { "docs/config.md": page(shapes, examples), "www/schema.json": jsonSchema(shapes) };
let hasStale = false;
for (const [name, text] of Object.entries(outputs)) {
  const path = join(root, name);
  if (!(await isStale(path, text))) continue;
  hasStale = true;
  if (Deno.args.includes("--check")) {
    console.error(`${name} is stale: run "deno task schema"`);
  } else {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text);
    console.log(`Wrote ${name}`);
  }
}
if (hasStale && Deno.args.includes("--check")) Deno.exit(1);
