import { basename, dirname } from "node:path";
import { files, isNotFound } from "../../runtime/mod.ts";

const SETTLE_MS = 200;

/**
 * Calls `onChange` when one of the files was written, made or replaced, once for a row of changes. Their folders are
 * watched, because editors put a new file in the old one's place; so are the files themselves, because a file mounted
 * into a container changes without its folder. Ends when `signal` aborts.
 */
export function watchFiles(
  paths: readonly string[],
  io: { onChange: () => void; onError: (error: unknown) => void },
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // "..data" is what Kubernetes swaps when a mounted config map changes.
  const names = new Set([...paths.map((path) => basename(path)), "..data"]);
  const onEvent = (changed: readonly string[]) => {
    if (signal.aborted || !changed.some((path) => names.has(basename(path)))) return;
    clearTimeout(timer);
    timer = setTimeout(io.onChange, SETTLE_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  for (const path of new Set([...paths.map((each) => dirname(each)), ...paths])) {
    try {
      files.watch(path, onEvent, signal, { flat: true });
    } catch (error) {
      // Neither file nor folder has to be there yet: it is read again after the first write of our own.
      if (!isNotFound(error)) io.onError(error);
    }
  }
}
