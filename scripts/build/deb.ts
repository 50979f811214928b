/**
 * Makes the Debian packages from the program files in `dist`: `lenswire` for amd64 and arm64, and `lenswire-node`, which
 * runs wherever Debian has Node 20 or later. Needs `dpkg-deb`.
 *
 *     deno task deb                                  # dist/release/lenswire_<version>_amd64.deb …
 *     deno task deb --file FILE --arch amd64|arm64|all --out FOLDER
 */
import { createHash } from "node:crypto";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import {
  BuildError,
  type Built,
  builtFiles,
  dist,
  place,
  placeText,
  release,
  root,
  run,
  shown,
  step,
  version,
} from "./dist.ts";
import { unitForNode } from "./unit.ts";

/** Debian's names of what is packaged. */
export type DebArch = "amd64" | "arm64" | "all";

const ARCHES: Readonly<Record<string, DebArch>> = { "linux-x64": "amd64", "linux-arm64": "arm64", node: "all" };

const packaging = join(root, "packaging");

/** Packs one program file (`all` is the bundle for Node) and answers the package's path. */
export async function makeDeb(options: {
  readonly file: string;
  readonly arch: DebArch;
  readonly out: string;
  /** Another version, to try an upgrade. */
  readonly version?: string;
  /** Takes a minute less; for trying it out. */
  readonly isUncompressed?: boolean;
}): Promise<string> {
  const { file, arch } = options;
  const debVersion = options.version ?? version;
  const name = arch === "all" ? "lenswire-node" : "lenswire";
  Deno.umask(0o022);
  const tree = await Deno.makeTempDir({ prefix: "lenswire-deb-" });
  try {
    await Deno.chmod(tree, 0o755);
    await placeProgram(tree, file, arch);
    await placeRest(tree, name, arch);
    const control = controlFile({ name, arch, version: debVersion, sizeBytes: await sizeOf(tree) });
    await placeControl(tree, control);
    await Deno.mkdir(options.out, { recursive: true });
    const path = join(options.out, `${name}_${debVersion}_${arch}.deb`);
    // Debian 11 cannot read what newer systems take for their default.
    await run("dpkg-deb", [options.isUncompressed ? "-Znone" : "-Zxz", "--root-owner-group", "--build", tree, path]);
    return path;
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

// Never stripped or packed: the file would hold no program any more.
async function placeProgram(tree: string, file: string, arch: DebArch): Promise<void> {
  const folder = join(tree, "usr/lib/lenswire");
  const command = join(tree, "usr/bin/lenswire");
  if (arch === "all") {
    await place(file, join(folder, "lenswire.mjs"), 0o755);
    await placeText('#!/bin/sh\nexec node /usr/lib/lenswire/lenswire.mjs "$@"\n', command, 0o755);
  } else {
    await place(file, join(folder, "lenswire"), 0o755);
    await Deno.mkdir(join(tree, "usr/bin"), { recursive: true });
    await Deno.symlink("../lib/lenswire/lenswire", command);
  }
}

async function placeRest(tree: string, name: string, arch: DebArch): Promise<void> {
  const unit = await Deno.readTextFile(join(packaging, "systemd/lenswire.service"));
  await placeText(
    arch === "all" ? unitForNode(unit) : unit,
    join(tree, "usr/lib/systemd/system/lenswire.service"),
    0o644,
  );
  await place(join(packaging, "lenswire.yaml"), join(tree, "etc/lenswire/lenswire.yaml"), 0o640);
  await Deno.mkdir(join(tree, "etc/lenswire/plugins"));
  const doc = join(tree, "usr/share/doc", name);
  const license = (await Deno.readTextFile(join(root, "LICENSE"))).split("\n\n").slice(2).join("\n\n").trim();
  const indented = license.split("\n").map((line) => ` ${line || "."}`).join("\n");
  await placeText(
    `${(await Deno.readTextFile(join(packaging, "debian/copyright"))).trim()}\n${indented}\n`,
    join(doc, "copyright"),
    0o644,
  );
  await place(join(root, "CHANGELOG.md"), join(doc, "CHANGELOG.md"), 0o644);
  await place(join(root, "plugins/example.ts"), join(doc, "examples/example.ts"), 0o644);
}

async function placeControl(tree: string, control: string): Promise<void> {
  const sums: string[] = [];
  for (const path of await filesBelow(tree)) {
    const own = relative(tree, path);
    if (!own.startsWith("etc/")) {
      sums.push(`${createHash("md5").update(await Deno.readFile(path)).digest("hex")}  ${own}`);
    }
  }
  const folder = join(tree, "DEBIAN");
  await placeText(control, join(folder, "control"), 0o644);
  await placeText("/etc/lenswire/lenswire.yaml\n", join(folder, "conffiles"), 0o644);
  await placeText(`${sums.join("\n")}\n`, join(folder, "md5sums"), 0o644);
  for (const script of ["postinst", "prerm", "postrm"]) {
    await place(join(packaging, "debian", script), join(folder, script), 0o755);
  }
}

function controlFile(of: { name: string; arch: DebArch; version: string; sizeBytes: number }): string {
  const depends = of.arch === "all" ? "nodejs (>= 20), passwd" : "libc6 (>= 2.27), libgcc-s1, passwd";
  const rival = of.arch === "all" ? "lenswire" : "lenswire-node";
  return [
    `Package: ${of.name}`,
    `Version: ${of.version}`,
    `Architecture: ${of.arch}`,
    "Maintainer: The Lenswire authors <authors@lenswire.invalid>",
    `Installed-Size: ${Math.ceil(of.sizeBytes / 1024)}`,
    `Depends: ${depends}`,
    "Recommends: ffmpeg",
    `Conflicts: ${rival}`,
    `Replaces: ${rival}`,
    "Section: video",
    "Priority: optional",
    "Description: camera server that starts at once and never freezes",
    " Cameras in over RTSP and WebRTC, out to browsers, players and Home",
    " Assistant. It reads the config of go2rtc and speaks the same API.",
    "",
  ].join("\n");
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await filesBelow(path));
    else if (isFile) found.push(path);
  }
  return found.sort();
}

async function sizeOf(tree: string): Promise<number> {
  let sum = 0;
  for (const path of await filesBelow(tree)) sum += (await Deno.stat(path)).size;
  return sum;
}

/** Packs every program file of a folder that Debian has a use for; answers the packages' paths. */
export async function makeDebs(from: string, out: string): Promise<string[]> {
  const found = (await builtFiles(from)).filter(({ target }) => ARCHES[target]);
  if (found.length === 0) {
    throw new BuildError(
      `No program file of ${version} in "${from}": run "deno task compile:all" and "deno task bundle"`,
    );
  }
  const made: string[] = [];
  for (const { path, target } of found as Built[]) made.push(await makeDeb({ file: path, arch: ARCHES[target]!, out }));
  return made;
}

if (import.meta.main) {
  await step(async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: { file: { type: "string" }, arch: { type: "string" }, out: { type: "string", default: release } },
    });
    const { file, arch, out } = values;
    if ((file === undefined) !== (arch === undefined)) throw new BuildError("Options --file and --arch go together");
    if (arch !== undefined && !["amd64", "arm64", "all"].includes(arch)) {
      throw new BuildError(`Architecture "${arch}" is none of amd64, arm64, all`);
    }
    const made = file === undefined ? await makeDebs(dist, out) : [await makeDeb({ file, arch: arch as DebArch, out })];
    for (const path of made) console.log(`${shown(path)}: ${((await Deno.stat(path)).size / 1e6).toFixed(1)} MB`);
  });
}
