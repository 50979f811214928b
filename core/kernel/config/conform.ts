import { type core, safeParse } from "zod/mini";
import { isConfigMap } from "./tree.ts";

/** A path in a section; list items are numbers. */
export type ConfigPath = readonly (string | number)[];

/** What {@linkcode conform} asks and tells. */
export interface ConformIo {
  /** The text of a scalar as the file has it: `0123` is a number to YAML but may be a password. */
  sourceOf(path: ConfigPath): string | undefined;
  /** A key the schema does not know; it is left out of the answer. */
  onUnknownKey(path: ConfigPath, known: readonly string[]): void;
}

const YES = /^(?:y|yes|on|true)$/i;
const NO = /^(?:n|no|off|false)$/i;

/**
 * Brings YAML data nearer to what a schema wants, in the ways go2rtc's reader does: `yes`, `no`, `on`, `off` become
 * booleans where a boolean is wanted, numbers and booleans become text where text is wanted, keys without a value count
 * as absent, and unknown keys are reported and left out. It changes nothing else and never throws; whether the result
 * is right is for the schema to say.
 */
export function conform(schema: core.$ZodType, value: unknown, path: ConfigPath, io: ConformIo): unknown {
  const { def } = (schema as core.$ZodTypes)._zod;
  switch (def.type) {
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "nonoptional":
    case "readonly":
    case "catch":
      return value === null || value === undefined ? value : conform(def.innerType, value, path, io);
    case "lazy":
      return conform(def.getter(), value, path, io);
    case "pipe":
      return conform(def.in, value, path, io);
    case "boolean":
      return typeof value === "string" ? (YES.test(value) ? true : NO.test(value) ? false : value) : value;
    case "string":
      return typeof value === "number" || typeof value === "boolean" ? io.sourceOf(path) ?? String(value) : value;
    case "array":
      return Array.isArray(value) ? value.map((item, i) => conform(def.element, item, [...path, i], io)) : value;
    case "tuple":
      return Array.isArray(value)
        ? value.map((item, i) => (def.items[i] ? conform(def.items[i], item, [...path, i], io) : item))
        : value;
    case "record":
      return isConfigMap(value)
        ? mapValues(value, (key) => entryOf(def.valueType, value[key], [...path, key], io))
        : value;
    case "object":
      return isConfigMap(value) ? conformObject(def, value, path, io) : value;
    case "union":
      return conformUnion(def.options, value, path, io);
    default:
      return value;
  }
}

function conformObject(
  def: core.$ZodObjectDef,
  value: Readonly<Record<string, unknown>>,
  path: ConfigPath,
  io: ConformIo,
) {
  const others = def.catchall && def.catchall._zod.def.type !== "never" ? def.catchall : undefined;
  return mapValues(value, (key) => {
    const schema = Object.hasOwn(def.shape, key) ? def.shape[key] : others;
    if (schema) return entryOf(schema, value[key], [...path, key], io);
    io.onUnknownKey([...path, key], Object.keys(def.shape));
    return undefined;
  });
}

// The first option that fits the value as it is, else the first that fits what it becomes.
function conformUnion(options: readonly core.$ZodType[], value: unknown, path: ConfigPath, io: ConformIo): unknown {
  if (!isConfigMap(value) && options.some((option) => fits(option, value))) return value;
  for (const option of options) {
    const unknown: [ConfigPath, readonly string[]][] = [];
    const trial = conform(option, value, path, {
      ...io,
      sourceOf: io.sourceOf,
      onUnknownKey: (...key) => unknown.push(key),
    });
    if (!fits(option, trial)) continue;
    for (const key of unknown) io.onUnknownKey(...key);
    return trial;
  }
  return value;
}

function entryOf(schema: core.$ZodType, value: unknown, path: ConfigPath, io: ConformIo): unknown {
  if (value === null) return fits(schema, null) ? null : undefined;
  return conform(schema, value, path, io);
}

function fits(schema: core.$ZodType, value: unknown): boolean {
  return safeParse(schema, value).success;
}

function mapValues(map: Readonly<Record<string, unknown>>, change: (key: string) => unknown): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const key of Object.keys(map)) {
    const value = change(key);
    if (value !== undefined) entries.push([key, value]);
  }
  return Object.fromEntries(entries);
}
