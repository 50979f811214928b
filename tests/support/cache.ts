/** What is made once and kept for later runs, in the user's cache folder. */

/**
 * The path of something in the cache that is made by `make` unless it is there, and `works`; `undefined` when it cannot be
 * had. The name must tell all that it is made of.
 */
export async function cached(
  name: string,
  works: (path: string) => Promise<boolean>,
  make: (path: string) => Promise<boolean>,
): Promise<string | undefined> {
  const folder = cacheFolder();
  if (folder === undefined) return undefined;
  const path = `${folder}/${name}`;
  if (await works(path)) return path;
  await Deno.mkdir(folder, { recursive: true });
  // Aside, since several test files may want it at once: whoever is first has made it for all.
  const made = `${path}-${Deno.pid}`;
  try {
    if (await make(made) && !await works(path)) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
      await Deno.rename(made, path).catch(() => {});
    }
    return await works(path) ? path : undefined;
  } finally {
    await Deno.remove(made, { recursive: true }).catch(() => {});
  }
}

function cacheFolder(): string | undefined {
  const home = Deno.env.get("HOME");
  const cache = Deno.env.get("XDG_CACHE_HOME") || (home && `${home}/.cache`);
  return cache ? `${cache}/lenswire-tests` : undefined;
}

/** A short hash of texts, for names in the cache. */
export async function hashOf(texts: readonly string[]): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\n")));
  return new Uint8Array(digest).toHex().slice(0, 12);
}
