/** How far the count may fall behind the arrival before it is moved on. */
const BEHIND_LIMIT_MS = 1000;

/** Between pictures that came in one piece, at 90 kHz. */
const SHORTEST_PERIOD = 90;

/**
 * Times for sound that carries none: they count on by what each frame lasts, and are moved on to the arrival when the
 * source has paused. A source that is read faster than it plays runs ahead of the arrival.
 */
export class SoundPace {
  /** Ticks a second. */
  readonly rate: number;
  #next: number | undefined;

  constructor(rate: number) {
    this.rate = rate;
  }

  /** The time of a frame that lasts `duration` ticks. */
  place(duration: number, arrivalMs: number): number {
    const arrival = Math.round(arrivalMs * this.rate / 1000);
    let time = this.#next ?? arrival;
    if ((arrival - time) * 1000 > BEHIND_LIMIT_MS * this.rate) time = arrival;
    this.#next = time + duration;
    return time;
  }
}

/**
 * Times at 90 kHz for pictures that carry none: those of their arrival, evened out by the rate that the parameter sets
 * tell. They are steered towards the arrival, as many cameras tell a wrong rate.
 */
export class PicturePace {
  /** Ticks between pictures; `undefined` when the stream does not tell. */
  period: number | undefined;
  #last = -Infinity;

  /** The time of the next picture. */
  place(arrivalMs: number): number {
    const arrival = Math.round(arrivalMs * 90);
    let time = arrival;
    if (this.period !== undefined) {
      const error = arrival - this.#last - this.period;
      if (Math.abs(error) < BEHIND_LIMIT_MS * 90) time = arrival - error + Math.round(error / 8);
    }
    return this.#last = Math.max(time, this.#last + SHORTEST_PERIOD);
  }
}
