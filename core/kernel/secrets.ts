import { redactUrls } from "../util/errors.ts";

/** How many secrets are kept; the oldest goes when a changing config brings more. */
const MAX_SECRETS = 10_000;

/** The texts that may not be shown: values of `env:` and of `${NAME}` (contract §1.4). */
export class Secrets {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;

  /** Hides a text from now on, also in the forms it takes inside a URL or JSON. An empty text is ignored. */
  add(text: string): void {
    if (text === "" || this.#secrets.has(text)) return;
    const oldest = this.#secrets.values().next();
    if (this.#secrets.size >= MAX_SECRETS && !oldest.done) this.#secrets.delete(oldest.value);
    this.#secrets.add(text);
    this.#pattern = undefined;
  }

  /** Replaces every secret, and the user info of every URL, by `***`. */
  mask(text: string): string {
    if (this.#secrets.size === 0) return redactUrls(text);
    this.#pattern ??= patternOf(this.#secrets);
    return redactUrls(text.replace(this.#pattern, "***"));
  }
}

function patternOf(secrets: ReadonlySet<string>): RegExp {
  const forms = new Set<string>();
  for (const secret of secrets) {
    const json = JSON.stringify(secret).slice(1, -1);
    forms.add(secret).add(json).add(json.replace(/[<>&]/g, escapeForHtml)).add(encodeForUrl(secret));
  }
  // The longest first: a secret that contains another must not leave its ends behind.
  const sorted = [...forms].sort((a, b) => b.length - a.length);
  return new RegExp(sorted.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"), "g");
}

function escapeForHtml(char: string): string {
  return `\\u00${char.charCodeAt(0).toString(16)}`;
}

function encodeForUrl(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
