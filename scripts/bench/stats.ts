/** The value below which a share of the others lie (nearest rank); NaN of nothing. */
export function percentile(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!;
}

export function median(values: ArrayLike<number>): number {
  return percentile(values, 0.5);
}

/** A measured value and when it was measured. */
export interface Point {
  readonly at: number;
  readonly value: number;
}

/** Points that slopes are taken between: their pairs grow with the square. */
const MOST_POINTS = 500;

/**
 * What points grow by for each unit of `at`, as the median of the slopes between all pairs (Theil and Sen): a few wild
 * points, such as those before a collection of garbage, do not move it. NaN of fewer than two points.
 */
export function slope(all: readonly Point[]): number {
  const step = Math.ceil(all.length / MOST_POINTS);
  const points = all.filter((_, i) => i % step === 0);
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const distance = points[j]!.at - points[i]!.at;
      if (distance !== 0) slopes.push((points[j]!.value - points[i]!.value) / distance);
    }
  }
  return median(slopes);
}

/** Numbers that come one by one, many of them. */
export class Samples {
  #values = new Float32Array(4096);
  #count = 0;

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float32Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = value;
  }
  get values(): Float32Array {
    return this.#values.subarray(0, this.#count);
  }
  clear(): void {
    this.#count = 0;
  }
}
