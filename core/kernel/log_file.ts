/** How much text may wait for a slow disk; what comes on top is counted and left out. */
const MAX_WAITING_CHARS = 1_048_576;

/** A log file that lines are appended to, one write at a time. */
export class LogFile {
  readonly path: string;
  readonly #append: (path: string, text: string) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #waiting: string[] = [];
  #waitingChars = 0;
  #dropped = 0;
  #hasFailed = false;
  #writing: Promise<void> | undefined;

  /** `onError` is called at the first failure of a row. */
  constructor(path: string, append: (path: string, text: string) => Promise<void>, onError: (error: unknown) => void) {
    this.path = path;
    this.#append = append;
    this.#onError = onError;
  }

  write(text: string): void {
    if (this.#waitingChars + text.length > MAX_WAITING_CHARS) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(text);
    this.#waitingChars += text.length;
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything written so far has been handed to the system. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  // Never rejects: a log that cannot be written must not end the program.
  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      let text = this.#waiting.join("");
      this.#waiting = [];
      this.#waitingChars = 0;
      if (this.#dropped > 0) text += `${this.#dropped} lines were left out: the disk is too slow\n`;
      this.#dropped = 0;
      try {
        await this.#append(this.path, text);
        this.#hasFailed = false;
      } catch (error) {
        if (!this.#hasFailed) this.#onError(error);
        this.#hasFailed = true;
      }
    }
    this.#writing = undefined;
  }
}
