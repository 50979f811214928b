import { Buffer } from "node:buffer";
import { readFileSync, statSync, watch } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { DirEntry, FileInfo, FileOwner } from "../types.ts";
import { embeddedFile, isEmbedded, readEmbedded } from "./embedded.ts";

/** Files; every function rejects with an error that `isNotFound` can tell apart. */
export const files = {
  async read(path: string | URL): Promise<Uint8Array> {
    if (isEmbedded(path)) return readEmbedded(embeddedFile(path));
    const { buffer, byteOffset, length } = await fs.readFile(path);
    return new Uint8Array(buffer, byteOffset, length);
  },
  async readText(path: string | URL): Promise<string> {
    return isEmbedded(path)
      ? Buffer.from(readEmbedded(embeddedFile(path))).toString("utf8")
      : await fs.readFile(path, "utf8");
  },
  readTextSync: (path: string | URL): string => readFileSync(path, "utf8"),
  write: (path: string, data: Uint8Array | string): Promise<void> => fs.writeFile(path, data),
  /** Writes a file that is not there yet, with no more than these permission bits; resolves when it is on the disk. */
  async create(path: string, text: string, mode: number): Promise<void> {
    const file = await fs.open(path, "wx", mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  append: (path: string, text: string): Promise<void> => fs.appendFile(path, text),
  rename: (from: string, to: string): Promise<void> => fs.rename(from, to),
  remove: (path: string): Promise<void> => fs.rm(path, { recursive: true }),
  makeDir: async (path: string): Promise<void> => void await fs.mkdir(path, { recursive: true }),
  /** Sets the permission bits, where the system has them. */
  setMode: (path: string, mode: number): Promise<void> => fs.chmod(path, mode),
  setOwner: (path: string, { uid, gid }: FileOwner): Promise<void> => fs.chown(path, uid, gid),
  realPath: (path: string): Promise<string> => fs.realpath(path),
  async info(path: string | URL): Promise<FileInfo> {
    if (isEmbedded(path)) {
      const size = embeddedFile(path).bytes;
      return { isFile: true, isDirectory: false, size, modifiedMs: 0, mode: 0o444, owner: undefined };
    }
    const stat = await fs.stat(path);
    return {
      isFile: stat.isFile(),
      isDirectory: stat.isDirectory(),
      size: stat.size,
      modifiedMs: Math.floor(stat.mtimeMs),
      mode: process.platform === "win32" ? undefined : stat.mode & 0o7777,
      owner: process.platform === "win32" ? undefined : { uid: stat.uid, gid: stat.gid },
    };
  },
  async list(path: string): Promise<DirEntry[]> {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries
      .map((entry) => ({ name: entry.name, isFile: entry.isFile(), isDirectory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  /** Calls `onChange` with the paths that changed until `signal` aborts. */
  watch(path: string, onChange: (paths: string[]) => void, signal: AbortSignal): void {
    const isFolder = statSync(path).isDirectory();
    const watcher = watch(path, { recursive: isFolder, signal });
    watcher.on("change", (_, name) => onChange([isFolder && name !== null ? join(path, String(name)) : path]));
    // The folder is gone: nothing of it can change any more.
    watcher.on("error", () => watcher.close());
  },
};
