import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Case, Runtime } from "./conformance_testing.ts";

const text = (stream: ReadableStream<Uint8Array>) =>
  new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lenswire-files-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function fails(promise: Promise<unknown>, runtime: Runtime): Promise<void> {
  return assert.rejects(promise, runtime.isNotFound);
}

/** Files, programs and the process. */
export const systemCases: readonly Case[] = [
  {
    name: "files reads, writes, lists, renames and removes",
    run: (runtime) =>
      inFolder(async (folder) => {
        const { files } = runtime;
        const path = join(folder, "a b.txt");
        await files.write(path, "one");
        await files.append(path, "\u00e9");
        assert.equal(await files.readText(path), "one\u00e9");
        assert.equal(files.readTextSync(pathToFileURL(path)), "one\u00e9");
        assert.deepEqual(await files.read(pathToFileURL(path)), new TextEncoder().encode("one\u00e9"));
        await files.setMode(path, 0o640);
        const { isFile, size, mode, modifiedMs } = await files.info(path);
        assert.deepEqual([isFile, size, mode], [true, 5, 0o640]);
        assert.ok(Math.abs(Date.now() - modifiedMs) < 60_000);
        const made = join(folder, "made");
        await files.create(made, "two\u00e9", 0o600);
        assert.equal(await files.readText(made), "two\u00e9");
        const { mode: madeMode, owner } = await files.info(made);
        assert.equal(madeMode, 0o600);
        assert.ok(owner);
        await files.setOwner(made, owner);
        await assert.rejects(files.create(made, "three", 0o600));
        await files.remove(made);
        await files.makeDir(join(folder, "x/y"));
        await files.rename(path, join(folder, "x/b"));
        await files.write(join(folder, "mark"), "\ufeffmark");
        assert.equal(await files.readText(join(folder, "mark")), "\ufeffmark");
        assert.deepEqual(await files.list(folder), [
          { name: "mark", isFile: true, isDirectory: false },
          { name: "x", isFile: false, isDirectory: true },
        ]);
        await files.remove(join(folder, "x"));
        await fails(files.info(join(folder, "x")), runtime);
        await fails(files.read(path), runtime);
        await fails(files.remove(path), runtime);
        await fails(files.list(path), runtime);
      }),
  },
  {
    name: "files.watch() tells what changed, until the signal",
    run: ({ files, isNotFound }) =>
      inFolder(async (folder) => {
        const controller = new AbortController();
        const { signal } = controller;
        const changed = new Set<string>();
        let wake = () => {};
        files.watch(folder, (paths) => {
          for (const path of paths) changed.add(path);
          wake();
        }, signal);
        assert.throws(() => files.watch(join(folder, "none"), () => {}, signal), isNotFound);
        const path = join(folder, "a.txt");
        await files.write(path, "1");
        while (!changed.has(path)) await new Promise<void>((resolve) => wake = resolve);
        controller.abort();
        changed.clear();
        await files.write(path, "2");
        await new Promise((resolve) => setTimeout(resolve, 100));
        assert.equal(changed.size, 0);
      }),
  },
  {
    name: "spawn() passes streams, environment, folder and how it ended",
    run: (runtime) =>
      inFolder(async (folder) => {
        const script = 'read line; echo "$line $WORD $HOME"; pwd; echo oops >&2; exit 3';
        const child = runtime.spawn("sh", ["-c", script], { stdin: true, cwd: folder, env: { WORD: "word" } });
        const writer = child.stdin!.getWriter();
        await writer.write(new TextEncoder().encode("in\n"));
        await writer.close();
        const [out, err, status] = await Promise.all([text(child.stdout), text(child.stderr), child.status]);
        assert.equal(out, `in word ${runtime.process.env("HOME") ?? ""}\n${await runtime.files.realPath(folder)}\n`);
        assert.equal(err, "oops\n");
        assert.deepEqual(status, { code: 3, signal: null });
        const sleeper = runtime.spawn("sleep", ["60"]);
        assert.equal(sleeper.stdin, undefined);
        sleeper.kill();
        const [ended] = await Promise.all([sleeper.status, text(sleeper.stdout), text(sleeper.stderr)]);
        assert.deepEqual(ended, { code: 143, signal: "SIGTERM" });
        sleeper.kill();
        assert.throws(() => runtime.spawn("lenswire-no-such-program", []), runtime.isNotFound);
      }),
  },
  {
    name: "process tells of the machine and of itself",
    run({ process }) {
      assert.ok(process.pid > 0);
      assert.match(process.platform, /^(?:linux|darwin|windows|freebsd)$/);
      assert.match(process.runtimeVersion, /^\w+ \d+\.\d+\.\d+/);
      assert.equal(process.env("LENSWIRE_NO_SUCH_NAME"), undefined);
      assert.equal(process.allEnv().PATH, process.env("PATH"));
      assert.notEqual(process.hostname(), "");
      const { rss, heapUsed, limit } = process.memory();
      assert.ok(rss > heapUsed && heapUsed > 1e6 && limit > rss);
      const own = process.interfaces().find(({ address }) => address === "127.0.0.1");
      assert.deepEqual([own?.family, own?.cidr], ["IPv4", "127.0.0.1/8"]);
      return Promise.resolve();
    },
  },
  {
    name: "openAccel() says what there is, and off is off",
    run({ openAccel }) {
      using accel = openAccel("off");
      assert.equal(accel.summary, "off: switched off");
      assert.equal(accel.crypto, undefined);
      using found = openAccel("auto");
      assert.notEqual(found.summary, "");
      return Promise.resolve();
    },
  },
];
