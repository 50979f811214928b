/** What the header of a self-framing audio frame tells. */
export interface FrameHeader {
  /** Bytes of the frame with its header. */
  readonly frameLength: number;
}

/** Reads the header at an offset; `undefined` when there is none, or too little of it. */
export type HeaderReader<H extends FrameHeader> = (bytes: Uint8Array, offset: number) => H | undefined;

/** No frame of ADTS, LOAS or MPEG audio is longer. */
const MAX_FRAME_BYTES = 8194;

/**
 * Cuts a byte stream of self-framing audio (ADTS, LOAS, MPEG audio) into frames. Garbage is skipped; what it holds between two
 * pushes is less than a frame.
 */
export class FrameCutter<H extends FrameHeader> {
  readonly #read: HeaderReader<H>;
  readonly #headerBytes: number;
  #rest: Uint8Array = new Uint8Array(0);
  #isInSync = false;
  /** Bytes that belonged to no frame. */
  skipped = 0;

  /** `headerBytes`: how many bytes it takes to tell a header from garbage. */
  constructor(read: HeaderReader<H>, headerBytes: number) {
    this.#read = read;
    this.#headerBytes = headerBytes;
  }

  /** Whether a frame has begun that is not complete. */
  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  /** Calls `visit` with each frame that is complete; the bytes are a view of `bytes` or of a copy, safe to keep. */
  push(bytes: Uint8Array, visit: (frame: Uint8Array, header: H) => void): void {
    let data = bytes;
    if (this.#rest.length > 0) {
      data = new Uint8Array(this.#rest.length + bytes.length);
      data.set(this.#rest);
      data.set(bytes, this.#rest.length);
    }
    let at = 0;
    while (at + this.#headerBytes <= data.length) {
      const header = this.#read(data, at);
      if (!header || header.frameLength < this.#headerBytes || header.frameLength > MAX_FRAME_BYTES) {
        this.#skip();
        at++;
        continue;
      }
      const end = at + header.frameLength;
      if (end > data.length) break;
      // Garbage can look like a header once; out of sync, the next frame has to begin where this one ends.
      if (!this.#isInSync && end + this.#headerBytes <= data.length && !this.#read(data, end)) {
        this.#skip();
        at++;
        continue;
      }
      this.#isInSync = true;
      visit(data.subarray(at, end), header);
      at = end;
    }
    this.#rest = data.slice(at);
  }

  #skip(): void {
    this.skipped++;
    this.#isInSync = false;
  }
}
