import { isConfigMap, isSameTree, valueAt, withValueAt } from "./tree.ts";

/** Whether a changed key may be stored but not applied: it came from somebody who may not decide it. */
export type Holds = (path: readonly string[], value: unknown) => boolean;

/** Who changes the config: what of it is held back, and what he has written himself. */
export interface Judge {
  readonly holds: Holds;
  /** What was held before stays so, whoever changes something else of the file. */
  isSubmitted(path: readonly string[]): boolean;
}

/** The judge of a change to a file in which a change of somebody else still waits to be read. */
export function judgeBoth(judge: Judge | undefined, waiting: Judge | undefined): Judge | undefined {
  if (!judge || !waiting) return judge ?? waiting;
  const { holds, isSubmitted } = judge;
  return {
    holds: (path, value) => holds(path, value) || (!isSubmitted(path) && waiting.holds(path, value)),
    isSubmitted,
  };
}

/** A value that is stored in the file but not applied. */
export interface Held {
  readonly path: readonly string[];
  readonly stored: unknown;
  /** What counts instead; `undefined` when the key was not there. */
  readonly applied: unknown;
}

type Sections = ReadonlyMap<string, unknown>;

/** Asks the judge for every key that changed (`section.key`, or the section that is no map now) and answers what is held. */
export function holdBack(before: Sections, after: Sections, held: readonly Held[], judge: Judge): Held[] {
  const { holds } = judge;
  const isReleased = ({ path, stored }: Held) => judge.isSubmitted(path) && !holds(path, stored);
  const kept = held.filter((one) => isSameTree(valueIn(after, one.path), one.stored) && !isReleased(one));
  const found: Held[] = [];
  for (const path of changedPaths(before, after)) {
    if (kept.some((other) => other.path.join("\n") === path.join("\n"))) continue;
    const stored = valueIn(after, path);
    if (holds(path, stored)) found.push({ path, stored, applied: valueIn(before, path) });
  }
  return [...kept, ...found];
}

/** The sections with what is held replaced; what the file no longer says is forgotten. */
export function withHeld(sections: Sections, held: readonly Held[]): { sections: Sections; held: Held[] } {
  const kept = held.filter(({ path, stored }) => isSameTree(valueIn(sections, path), stored));
  const applied = new Map(sections);
  for (const { path: [name, ...rest], applied: value } of kept) {
    const section = withValueAt(applied.get(name!), rest, value);
    if (section === undefined) applied.delete(name!);
    else applied.set(name!, section);
  }
  return { sections: applied, held: kept };
}

function* changedPaths(before: Sections, after: Sections): Iterable<readonly string[]> {
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(name), after.get(name)];
    if (isSameTree(old, now)) continue;
    if (!isMapOrAbsent(now)) {
      yield [name];
      continue;
    }
    // Key by key also where there was no map: what is held of a section as a whole counts once any of its keys changes.
    for (const key of new Set([...keysOf(old), ...keysOf(now)])) {
      if (!isSameTree(valueAt(old, [key]), valueAt(now, [key]))) yield [name, key];
    }
  }
}

function isMapOrAbsent(value: unknown): boolean {
  return value === null || value === undefined || isConfigMap(value);
}

function keysOf(section: unknown): string[] {
  return isConfigMap(section) ? Object.keys(section) : [];
}

function valueIn(sections: Sections, [name, ...rest]: readonly string[]): unknown {
  return valueAt(sections.get(name!), rest);
}
