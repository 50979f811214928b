import { dirname } from "node:path";
import { files, isNotFound, process } from "../../runtime/mod.ts";
import { messageOf } from "../../util/errors.ts";

/** The text of a config file; `undefined` when there is none. Rejects with one line that says why it cannot be read. */
export async function readConfigFile(path: string): Promise<string | undefined> {
  try {
    if ((await files.info(path)).isDirectory) throw new Error("it is a folder");
    return decode(await files.read(path));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw new Error(`Cannot read the config file "${path}": ${reason(error)}`, { cause: error });
  }
}

/**
 * Writes a config file so that a reader finds either the old or the new text: beside it first, then renamed over it, with
 * its permissions kept. Where that is not possible (a single file mounted into a container) it is written in place.
 */
export async function writeConfigFile(path: string, text: string): Promise<void> {
  try {
    await files.makeDir(dirname(path));
    const target = await realPathOf(path);
    const mode = await modeOf(target);
    if (!(await replaceFile(target, text, mode))) await files.write(target, text);
  } catch (error) {
    throw new Error(`Cannot write the config file "${path}": ${reason(error)}`, { cause: error });
  }
}

// A link stays a link: what it leads to is replaced.
async function realPathOf(path: string): Promise<string> {
  try {
    return await files.realPath(path);
  } catch (error) {
    if (isNotFound(error)) return path;
    throw error;
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await files.info(path)).mode;
  } catch (error) {
    if (isNotFound(error)) return process.platform === "windows" ? undefined : 0o644;
    throw error;
  }
}

async function replaceFile(target: string, text: string, mode: number | undefined): Promise<boolean> {
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    await files.write(temporary, text);
    if (mode !== undefined) await files.setMode(temporary, mode);
    await files.rename(temporary, target);
    return true;
  } catch {
    // The folder is not ours or the file is a mount point: it may still be writable itself, and if not, that write says why.
    await files.remove(temporary).catch(() => {/* It was never made. */});
    return false;
  }
}

function decode(bytes: Uint8Array): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? "utf-16le" : "utf-8", { ignoreBOM: true }).decode(bytes);
}

function reason(error: unknown): string {
  // "Permission denied (os error 13): …" of Deno, "EACCES: permission denied, open '…'" of Node.
  const line = messageOf(error).split("\n")[0]!.replace(/^E[A-Z]+: /, "");
  return line.replace(/ \(os error \d+\).*$|, \w+ '.*$/, "").toLowerCase();
}
