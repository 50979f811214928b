/**
 * A source or sink as the config has it: `scheme:rest#key=value#flag` (contract §1.9). `#` values are taken literally and
 * keys may repeat.
 */
export interface SourceUrl {
  /** The whole text, options included. */
  readonly text: string;
  /** The text before the first `:`. */
  readonly scheme: string;
  /** The text before the first `#`. */
  readonly url: string;
  /** What follows `scheme:`, without options. */
  readonly rest: string;
  /** Everything after the first `#`, as it stands. */
  readonly fragment: string;
  readonly options: SourceOptions;
}

/** The `#` options of a source. */
export class SourceOptions {
  readonly #values = new Map<string, string[]>();

  constructor(fragment: string) {
    if (fragment === "") return;
    for (const part of fragment.split("#")) {
      const cut = part.indexOf("=");
      const key = cut < 0 ? part : part.slice(0, cut);
      const value = cut < 0 ? "" : part.slice(cut + 1);
      const values = this.#values.get(key);
      if (values) values.push(value);
      else this.#values.set(key, [value]);
    }
  }
  get isEmpty(): boolean {
    return this.#values.size === 0;
  }
  has(key: string): boolean {
    return this.#values.has(key);
  }
  /** The first value of a key; `""` for a bare word. */
  get(key: string): string | undefined {
    return this.#values.get(key)?.[0];
  }
  all(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }
  keys(): string[] {
    return [...this.#values.keys()];
  }
}

/** Reads a source's text; a text without `:` has the scheme `""`. */
export function parseSourceUrl(text: string): SourceUrl {
  const hash = text.indexOf("#");
  const url = hash < 0 ? text : text.slice(0, hash);
  const fragment = hash < 0 ? "" : text.slice(hash + 1);
  const colon = url.indexOf(":");
  return {
    text,
    scheme: colon < 0 ? "" : url.slice(0, colon),
    url,
    rest: colon < 0 ? url : url.slice(colon + 1),
    fragment,
    options: new SourceOptions(fragment),
  };
}
