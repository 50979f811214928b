import { dirname } from "node:path";
import { type FileInfo, files, isNotFound, process } from "../../runtime/mod.ts";
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
 * its permissions and owner kept. Where that is not possible (a single file mounted into a container) it is written in
 * place.
 */
export async function writeConfigFile(path: string, text: string): Promise<void> {
  try {
    await files.makeDir(dirname(path));
    const target = await realPathOf(path);
    if (!(await replaceFile(target, text))) await files.write(target, text);
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

const NEW_MODE = 0o644;

/**
 * The folder is not ours, the file is a mount point or belongs to somebody else, or the file system cannot do it: the file
 * may still be writable itself, and if not, that write says why. After any other error (a full disk) it would be lost.
 */
const IN_PLACE = new Set(["EACCES", "EPERM", "EROFS", "EBUSY", "EXDEV", "EINVAL", "ENOSYS", "ENOTSUP"]);

async function replaceFile(target: string, text: string): Promise<boolean> {
  const temporary = `${target}.${process.pid}.tmp`;
  const remove = () => files.remove(temporary).catch(() => {/* It is not there. */});
  try {
    const old = await infoOf(target);
    await remove();
    await files.create(temporary, text, old?.mode ?? NEW_MODE);
    await makeLike(temporary, old);
    await files.rename(temporary, target);
    return true;
  } catch (error) {
    await remove();
    if (error instanceof Error && "code" in error && IN_PLACE.has(String(error.code))) return false;
    throw error;
  }
}

async function infoOf(path: string): Promise<FileInfo | undefined> {
  try {
    return await files.info(path);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

// Only where it differs: some file systems refuse even what changes nothing.
async function makeLike(path: string, old: FileInfo | undefined): Promise<void> {
  const { mode, owner } = await files.info(path);
  if (old?.owner && (old.owner.uid !== owner?.uid || old.owner.gid !== owner.gid)) {
    await files.setOwner(path, old.owner);
  }
  const wanted = old?.mode ?? NEW_MODE;
  if (mode !== undefined && mode !== wanted) await files.setMode(path, wanted);
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
