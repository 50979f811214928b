/** A map of a config. Keys are own properties, whatever they are called. */
export type ConfigMap = Readonly<Record<string, unknown>>;

/** Whether a value is a map (not a list, not null). */
export function isConfigMap(value: unknown): value is ConfigMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The later config over the earlier one: maps are merged key by key, everything else is replaced, but by nothing: a key
 * without a value leaves it as it was (contract §1.2).
 */
export function mergeTrees(earlier: unknown, later: unknown): unknown {
  if (later === null && earlier !== undefined) return earlier;
  if (!isConfigMap(earlier) || !isConfigMap(later)) return later;
  const merged = new Map(Object.entries(earlier));
  for (const [key, value] of Object.entries(later)) merged.set(key, mergeTrees(merged.get(key), value));
  return Object.fromEntries(merged);
}

/** Whether two values hold the same; the order of keys does not count. */
export function isSameTree(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSameTree(item, b[i]));
  }
  if (!isConfigMap(a) || !isConfigMap(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSameTree(a[key], b[key]));
}

/** The value at a path, `undefined` when there is none. */
export function valueAt(tree: unknown, path: readonly string[]): unknown {
  let value = tree;
  for (const key of path) {
    if (!isConfigMap(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A copy with the value at a path replaced, or removed when it is `undefined`. What is no map on the way becomes one. */
export function withValueAt(tree: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const entries = new Map(isConfigMap(tree) ? Object.entries(tree) : []);
  if (rest.length === 0 && value === undefined) entries.delete(key);
  else if (value !== undefined || entries.has(key)) entries.set(key, withValueAt(entries.get(key), rest, value));
  return Object.fromEntries(entries);
}
