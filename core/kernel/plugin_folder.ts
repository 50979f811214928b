import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { files, isNotFound, process } from "../runtime/mod.ts";
import { messageOf } from "../util/errors.ts";
import type { Logger } from "../util/logger.ts";
import type { PluginHost, PluginSource } from "./plugin_host.ts";
import { importWithoutTypes } from "./plugin_types.ts";

const ENTRY_FILES = ["mod.ts", "mod.js"];
const FILE = /^[^._].*(?<!\.d|_test)\.(?:ts|js|mjs)$/;
/** Editors write a file in several steps. */
const SETTLE_MS = 150;

/** The plugins of a folder: its `.ts` and `.js` files, and its folders with a `mod.ts`; `.` or `_` in front hides one. */
export async function findPlugins(folder: string, version?: number): Promise<PluginSource[]> {
  const found: PluginSource[] = [];
  let entries: Awaited<ReturnType<typeof files.list>>;
  try {
    entries = await files.list(folder);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
  for (const { name, isDirectory } of entries) {
    const path = isDirectory ? await entryOf(`${folder}/${name}`) : FILE.test(name) ? `${folder}/${name}` : undefined;
    if (path === undefined || name.startsWith(".") || name.startsWith("_")) continue;
    found.push(sourceOf(path, version));
  }
  return found;
}

async function entryOf(folder: string): Promise<string | undefined> {
  for (const name of ENTRY_FILES) {
    try {
      if ((await files.info(`${folder}/${name}`)).isFile) return `${folder}/${name}`;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return undefined;
}

function sourceOf(path: string, version: number | undefined): PluginSource {
  const url = pathToFileURL(path);
  // The module cache goes by the whole URL.
  if (version !== undefined) url.search = `v=${version}`;
  const isReadable = process.readsTypeScript || !path.endsWith(".ts");
  return { label: path, load: () => isReadable ? import(url.href) : importWithoutTypes(path) };
}

/** Loads plugins anew when their files change, until the signal aborts. */
export function watchPlugins(folder: string, host: PluginHost, log: Logger, signal: AbortSignal): void {
  let version = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const changed = new Set<string>();
  const refresh = async () => {
    const paths = [...changed];
    changed.clear();
    const sources = await findPlugins(folder, ++version);
    for (const entry of new Set(paths.map((path) => entryName(folder, path)))) {
      const source = sources.find(({ label }) =>
        label === `${folder}/${entry}` || label.startsWith(`${folder}/${entry}/`)
      );
      if (!source) {
        for (const label of [`${folder}/${entry}`, ...ENTRY_FILES.map((name) => `${folder}/${entry}/${name}`)]) {
          await host.remove(label);
        }
        continue;
      }
      const inner = paths.filter((path) => path.startsWith(`${folder}/${entry}/`) && path !== source.label);
      if (inner.length > 0) {
        log.info("plugin changed beside its mod.ts: restart to load that", { plugin: source.label });
      }
      log.info("plugin changed, loading it anew", { plugin: source.label });
      await host.reload(source);
    }
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  files.watch(folder, (paths) => {
    for (const path of paths) changed.add(path.replaceAll("\\", "/"));
    clearTimeout(timer);
    if (signal.aborted) return;
    timer = setTimeout(() => {
      refresh().catch((error) => log.warn(`Watching plugins failed: ${messageOf(error)}`));
    }, SETTLE_MS);
  }, signal);
}

// The file or folder of `folder` that a path is in.
function entryName(folder: string, path: string): string {
  return path.slice(folder.length + 1).split("/")[0]!;
}

/** Where plugins are looked for: the folder that was given, else beside the program file and beside the config file. */
export function pluginFolders(where: {
  readonly given: string | undefined;
  readonly configPath: string | undefined;
  readonly program: URL | undefined;
}): string[] {
  if (where.given !== undefined) return [where.given];
  const program = where.program &&
    (process.isStandalone ? dirname(process.executable()) : fileURLToPath(where.program));
  const config = where.configPath === undefined ? undefined : dirname(where.configPath);
  return [program, config].filter((folder) => folder !== undefined).map((folder) => join(folder, "plugins"));
}
