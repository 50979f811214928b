/** A place in a config file; lines and columns count from 1. */
export interface ConfigPlace {
  /** As it is shown: relative to the current folder where that is shorter. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something in the config that is wrong, or not used. */
export interface ConfigProblem {
  /** `error`: the section is off. `warn`: what it names is left out. `info`: worth knowing. */
  readonly level: "info" | "warn" | "error";
  /** The section it is in; `""` when it concerns a whole file. */
  readonly section: string;
  /** The keys that lead to it, joined by dots. */
  readonly path: string;
  readonly message: string;
  /** Absent when it is in no file. */
  readonly place?: ConfigPlace;
}

/** The problem in one line: `go2rtc.yaml:12:3: rtsp.lisen: unknown key, did you mean "listen"?`. */
export function describeProblem({ place, path, message }: ConfigProblem): string {
  const where = place ? `${place.file}:${place.line}:${place.column}: ` : "";
  return path === "" ? where + message : `${where}${path}: ${message}`;
}

/** The word that was probably meant, if one is near enough. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const typed = word.slice(0, 64).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(typed, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours count one each.
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
