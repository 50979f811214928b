/**
 * Writes `docs/config.md` and `www/schema.json` from the schemas of the kernel and of every built-in module. With
 * `--check` it writes nothing and exits with 1 when one of them is stale.
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { PluginDefinition } from "../core/kernel/plugin.ts";
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

async function sections(): Promise<Map<string, Shape>> {
  const found = new Map<string, Shape>();
  for (const [name, schema] of Object.entries(kernelSchemas)) found.set(name, shapeOf(schema));
  for (const { load } of builtIns) {
    const { name, config, sections } = (await load()).default as PluginDefinition;
    if (config && !sections && !found.has(name)) found.set(name, shapeOf(config(z)));
  }
  return found;
}

function shapeOf(schema: z.ZodType): Shape {
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

<!-- Written by "deno task schema" from the schemas in the code: change those, not this page. -->

Lenswire reads \`lenswire.yaml\` or \`go2rtc.yaml\` in the current folder, or what \`-config\` names: a file, a text like
\`{streams: {yard: rtsp://192.168.1.10/stream}}\`, or one key like \`rtsp.listen=:8554\`. Several are merged, the later one wins.
A section that is absent or empty has its defaults. A mistake is reported with file, line and column; an unknown key is left
out, a wrong value turns its section off, and the rest works on. Changes to the file are applied while the server runs.

\`\${NAME}\` is replaced by what the section \`env\`, the folder \`CREDENTIALS_DIRECTORY\` or the environment says, and
\`\${NAME:default}\` has a default.
`;

function page(shapes: ReadonlyMap<string, Shape>): string {
  const parts = [...shapes].map(([name, shape]) => {
    const rows = rowsOf("", shape);
    const text = shape.description ? `${shape.description}\n\n` : "";
    if (rows.length === 0) return `## ${name}\n\n${text}It has no keys.\n`;
    return `## ${name}\n\n${text}${table([["Key", "Type", "Default", "Meaning"], ...rows])}`;
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

const shapes = await sections();
const outputs = { "docs/config.md": page(shapes), "www/schema.json": jsonSchema(shapes) };
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
