/**
 * Checks that imports point one way: `runtime, util → net, codecs → media → rtp, formats → streams, access → kernel →
 * modules`, that a module imports `core/mod.ts` alone, and that only `core/runtime` names `Deno`.
 */
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Layers of `core`, lowest first; those of one row may not import each other unless the row says so. */
const RANKS: Readonly<Record<string, number>> = {
  runtime: 0,
  util: 0,
  net: 1,
  codecs: 1,
  media: 2,
  rtp: 3,
  formats: 3,
  access: 4,
  streams: 5,
  kernel: 6,
};

interface Import {
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(join(root, folder))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* sources(path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const pattern = /(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g;
  for (const match of text.matchAll(pattern)) {
    found.push({
      file,
      line: text.slice(0, match.index).split("\n").length + (match[0].startsWith("\n") ? 1 : 0),
      specifier: match[3] ?? match[4]!,
      isTypeOnly: match[2] !== undefined || text.slice(match.index - 7, match.index) === "typeof ",
    });
  }
  return found;
}

function layerOf(file: string): string {
  const parts = file.split("/");
  return parts[0] === "core" ? (parts.length > 2 ? parts[1]! : "mod") : parts[0]!;
}

/** What is wrong with an import, or nothing. */
function faultOf({ file, specifier, isTypeOnly }: Import): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const target = relative(root, resolve(root, dirname(file), specifier));
  const from = layerOf(file);
  const to = layerOf(target);
  const isTest = file.endsWith("_test.ts") || file.endsWith("/testing.ts") || from === "tests";
  if (from === "modules") {
    const module = file.split("/")[1]!;
    if (target.startsWith(`modules/${module}/`) || target === "core/mod.ts") return undefined;
    if (file === "modules/builtin.ts") return undefined;
    if (isTest && (target.startsWith("core/") || target.startsWith("tests/"))) return undefined;
    return `a module imports "${target}": only its own files and core/mod.ts are open to it`;
  }
  if (from === "plugins") return isTypeOnly || isTest ? undefined : `a plugin imports "${target}" at run time`;
  if (!(from in RANKS)) return undefined;
  if (to === "modules" || to === "plugins") return `core imports "${target}"`;
  // A type of the whole surface for `ctx.core`: nothing is loaded.
  if (to === "mod" && isTypeOnly) return undefined;
  if (to === from || isTest) return undefined;
  // The program's own name and version.
  if (target === "deno.json") return undefined;
  if (!(to in RANKS)) return `"${target}" is no layer`;
  return RANKS[to]! < RANKS[from]! ? undefined : `${from} imports ${to}, which does not stand below it`;
}

const faults: string[] = [];
for (const folder of ["core", "modules", "plugins"]) {
  for await (const file of sources(folder)) {
    const text = await Deno.readTextFile(join(root, file));
    for (const one of importsOf(file, text)) {
      const fault = faultOf(one);
      if (fault) faults.push(`${file}:${one.line}: ${fault}`);
    }
    const isFree = file.startsWith("core/runtime/") || file.endsWith("_test.ts") || file.endsWith("testing.ts");
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|`(?:[^`\\]|\\.)*`|"(?:[^"\\\n]|\\.)*"/g, "");
    if (!isFree && /\bDeno\./.test(code)) faults.push(`${file}: names Deno outside core/runtime`);
  }
}
for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? "Imports point one way" : `${faults.length} imports point the wrong way`);
Deno.exit(faults.length === 0 ? 0 : 1);
