/** `${NAME}` or `${NAME:default}`. */
export const VARIABLE = /\$\{([^{}]+)\}/g;

/** A private-use character: a name hidden behind it equals nothing that a person typed. */
const STAND_IN = "\ue000";

/** A text with its variables filled in, which still knows where everything came from. */
export interface Substituted {
  readonly text: string;
  /** The offset in the text before, of an offset in the text after. */
  sourceOffset(offset: number): number;
}

/** Fills in variables (contract §1.3). What `lookup` does not know takes its default; without one it stays as it is. */
export function substitute(source: string, lookup: (name: string) => string | undefined): Substituted {
  const changes: { start: number; end: number; sourceStart: number; sourceEnd: number }[] = [];
  let text = "";
  let taken = 0;
  for (const match of source.matchAll(VARIABLE)) {
    const { name, fallback } = splitVariable(match[1]!);
    const value = lookup(name) ?? fallback;
    if (value === undefined) continue;
    text += source.slice(taken, match.index);
    taken = match.index + match[0].length;
    changes.push({ start: text.length, end: text.length + value.length, sourceStart: match.index, sourceEnd: taken });
    text += value;
  }
  text += source.slice(taken);
  return {
    text,
    sourceOffset(offset) {
      const last = changes.findLast((change) => change.start <= offset);
      if (!last) return offset;
      return offset < last.end ? last.sourceStart : offset - last.end + last.sourceEnd;
    },
  };
}

/** The names a text asks for, in order, each once. */
export function variableNames(source: string): string[] {
  const names = new Set<string>();
  for (const match of source.matchAll(VARIABLE)) names.add(splitVariable(match[1]!).name);
  return [...names];
}

function splitVariable(inside: string): { name: string; fallback?: string } {
  const cut = inside.indexOf(":", 1);
  return cut < 0 ? { name: inside } : { name: inside.slice(0, cut), fallback: inside.slice(cut + 1) };
}

/**
 * Replaces each variable by a word of the same length, so that a text can be parsed as YAML before it is filled in
 * and every offset stays right.
 */
export function hideVariables(source: string): string {
  return source.replace(VARIABLE, (text) => text.replace(/[^\r\n]/g, STAND_IN));
}
