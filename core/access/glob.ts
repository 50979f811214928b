/**
 * Camera names by pattern: `*` stands for any text, `?` for one character, and a leading `!` takes names out again. A
 * list of exclusions alone begins with all names.
 */
export class CameraGlobs {
  readonly #allowed: readonly string[];
  readonly #denied: readonly string[];

  constructor(patterns: readonly string[]) {
    const allowed = patterns.filter((pattern) => !pattern.startsWith("!"));
    this.#denied = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
    this.#allowed = allowed.length === 0 && this.#denied.length > 0 ? ["*"] : allowed;
  }

  matches(name: string): boolean {
    return this.#allowed.some((one) => matchesGlob(one, name)) && !this.#denied.some((one) => matchesGlob(one, name));
  }
}

// By hand: the time of a regular expression with several stars can grow beyond all limits.
function matchesGlob(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let i = 0; i < name.length;) {
    if (pattern[at] === "*") {
      star = at++;
      resume = i;
    } else if (pattern[at] === name[i] || pattern[at] === "?") {
      at++;
      i++;
    } else {
      if (star < 0) return false;
      at = star + 1;
      i = ++resume;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
