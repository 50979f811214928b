/**
 * Derives decode times from the order of the pictures, with no delay: with a reorder depth of d, the decode time of a
 * picture is the presentation time d pictures back in presentation order.
 */
export class DecodeOrder {
  #depth: number;
  readonly #isKnown: boolean;
  readonly #interval: number;
  readonly #ahead: number[] = [];
  #last = -Infinity;

  /** `depth`: what the parameter sets say, or `undefined` to find out by looking; `interval`: ticks between pictures. */
  constructor(depth: number | undefined, interval: number) {
    this.#depth = depth ?? 0;
    this.#isKnown = depth !== undefined;
    this.#interval = interval;
  }

  /** What comes next follows none of the pictures before it, though its decode time does. */
  restart(): void {
    this.#ahead.length = 0;
  }

  /** The decode time of the next picture in decode order; strictly increasing. */
  next(pts: number): number {
    if (!this.#isKnown && pts < this.#last && this.#depth < 16) this.#depth++;
    if (this.#depth === 0) return this.#last = Math.max(pts, this.#last + 1);
    const { length } = this.#ahead;
    let at = length;
    while (at > 0 && this.#ahead[at - 1]! > pts) at--;
    this.#ahead.splice(at, 0, pts);
    let dts: number;
    if (length < this.#depth) dts = this.#ahead[0]! - (this.#depth - length) * this.#interval;
    else dts = this.#ahead.shift()!;
    return this.#last = Math.max(dts, this.#last + 1);
  }
}
