import type { PluginSource } from "./plugin_host.ts";

/** A module that comes with the program. */
export interface BuiltIn {
  readonly name: string;
  /** The names in `app.modules` that turn it on, when they are not just its own; `"*"`: it is always on. */
  readonly enabledBy?: readonly string[];
  /** Imports it; a literal `import()`, so that bundling and compiling see it. */
  load(): Promise<{ readonly default: unknown }>;
}

/** Whether `app.modules` turns a module on; without the list all are on. */
export function isEnabled(names: readonly string[], modules: readonly string[] | undefined): boolean {
  return modules === undefined || names.some((name) => name === "*" || modules.includes(name));
}

/** The built-in modules that are on, as the plugin host takes them. */
export function enabledBuiltIns(builtIns: readonly BuiltIn[], modules: readonly string[] | undefined): PluginSource[] {
  return builtIns
    .filter(({ name, enabledBy }) => isEnabled(enabledBy ?? [name], modules))
    .map(({ name, load }) => ({ label: name, load }));
}
