const CHUNK_BYTES = 65_536;
const CHUNKS = 16;

/** The newest log lines in memory: 16 chunks of 64 KiB, of which the oldest is dropped (contract §1.7). */
export class LogRing {
  readonly #chunks: { lines: string[]; bytes: number }[] = [];

  /** Takes a line that ends with `\n`. A line longer than a chunk is left out. */
  add(line: string): void {
    const bytes = utf8Length(line);
    if (bytes > CHUNK_BYTES) return;
    const last = this.#chunks.at(-1);
    if (last && last.bytes + bytes <= CHUNK_BYTES) {
      last.lines.push(line);
      last.bytes += bytes;
      return;
    }
    if (this.#chunks.length === CHUNKS) this.#chunks.shift();
    this.#chunks.push({ lines: [line], bytes });
  }
  text(): string {
    return this.#chunks.map((chunk) => chunk.lines.join("")).join("");
  }
  clear(): void {
    this.#chunks.length = 0;
  }
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // A surrogate pair is two units and four bytes.
    if (code >= 0xd800 && code <= 0xdfff) bytes += 1;
    else if (code > 0x7ff) bytes += 2;
    else if (code > 0x7f) bytes += 1;
  }
  return bytes;
}
