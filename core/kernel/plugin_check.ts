import { PLUGIN_API, type PluginDefinition } from "./plugin.ts";

const KEYS = ["name", "api", "requires", "config", "sections", "setup"];
/** Config sections of the kernel itself, and keys of `log` that are no module. */
const RESERVED = new Set([
  "app",
  "env",
  "log",
  "access",
  "publish",
  "preload",
  "kernel",
  "plugins",
  "level",
  "output",
  "time",
]);

/** Checks that a value is a plugin's definition; throws a `TypeError` that names what is wrong with it. */
export function checkDefinition(value: unknown): PluginDefinition {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError("A plugin is an object with name, api and setup: export it as the default of its file");
  }
  const given = value as Readonly<Record<string, unknown>>;
  const { name } = given;
  if (typeof name !== "string" || !/^[a-z][a-z0-9_-]{0,31}$/.test(name)) {
    throw new TypeError(`Plugin name ${JSON.stringify(name)} must be lower-case letters, digits, "-" and "_"`);
  }
  const fail = (text: string): never => {
    throw new TypeError(`Plugin "${name}" ${text}`);
  };
  if (RESERVED.has(name)) fail("has a name that the server needs for itself, choose another one");
  const unknown = Object.keys(given).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) fail(`has the unknown key "${unknown.join('", "')}", known are ${KEYS.join(", ")}`);
  if (given.api !== PLUGIN_API) fail(`was written for plugin API ${String(given.api)}, this server has ${PLUGIN_API}`);
  if (typeof given.setup !== "function") fail("has no setup function");
  if (given.config !== undefined && typeof given.config !== "function" && !isSchema(given.config)) {
    fail("has a config that is neither a schema nor a function that makes one");
  }
  for (const key of ["requires", "sections"] as const) {
    const list = given[key];
    const isList = Array.isArray(list) && list.every((item) => typeof item === "string");
    if (list !== undefined && !isList) fail(`has "${key}" that is no list of names`);
  }
  return value as PluginDefinition;
}

function isSchema(value: unknown): boolean {
  return typeof value === "object" && value !== null && "_zod" in value;
}
