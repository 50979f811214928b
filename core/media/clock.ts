/** A discontinuity is a step that the arrival times do not explain, by more than this. */
const JUMP_FORWARD_MS = 5000;
const JUMP_BACK_MS = 2000;
/** How far from its arrival a frame may have been taken. */
const ARRIVAL_TOLERANCE_MS = 1000;
/** How much of a lip-sync correction is applied per elapsed time: fast enough to help, too slow to be heard. */
const SLEW = 0.03;

/** The relation between the wall clock of one source and ours, shared by the tracks of that source. */
export class SourceClock {
  /** Our monotonic ms less the source's wall clock ms; unknown until a first sender report. */
  offsetMs: number | undefined;

  /** Forgets the relation: the source has reconnected, maybe with another clock. */
  reset(): void {
    this.offsetMs = undefined;
  }
}

/**
 * Maps the timestamps of a source to those of a track: unwrapped, never stepping back, with tick 0 at the start of this
 * program's monotonic clock, so that all tracks share one zero. A source's jump or restart is closed by arrival times.
 */
export class TrackClock {
  readonly #rate: number;
  readonly #source: SourceClock;
  // Track ticks less source ticks (both unwrapped).
  #offset: number | undefined;
  #lastSource = 0;
  #lastPlaced = 0;
  #lastArrivalMs = 0;
  #correction = 0;
  #report: { source: number; wallMs: number } | undefined;

  constructor(rate: number, source: SourceClock) {
    this.#rate = rate > 0 ? rate : 90000;
    this.#source = source;
  }

  /** The source's next timestamp belongs to a new connection: nothing of its old count holds. */
  restart(): void {
    this.#correction = 0;
    this.#report = undefined;
    this.#isRestarted = this.#offset !== undefined;
  }
  #isRestarted = false;

  /** Places a presentation time (source ticks, wrapped at 32 bits or not) that arrived at `arrivalMs`. */
  place(pts: number, arrivalMs: number): number {
    const arrivalTicks = Math.round(arrivalMs * this.#rate / 1000);
    if (this.#offset === undefined) return this.#begin(pts, arrivalTicks, arrivalMs);
    const step = fold(pts - this.#lastSource);
    const stepMs = step * 1000 / this.#rate;
    const elapsedMs = arrivalMs - this.#lastArrivalMs;
    if (this.#isRestarted || stepMs - elapsedMs > JUMP_FORWARD_MS || stepMs < -JUMP_BACK_MS) {
      // What was reported of a timeline that has been left says nothing about the next one.
      if (!this.#isRestarted) this.#report = undefined;
      // At least one tick on; with what passed meanwhile, so that a gap stays as long as it was.
      return this.#begin(pts, this.#lastPlaced + Math.max(1, Math.round(elapsedMs * this.#rate / 1000)), arrivalMs);
    }
    const source = this.#lastSource + step;
    // Only what goes on tells how much time has passed: pictures out of order go back in between.
    if (step > 0) this.#slew(step);
    const placed = source + this.#offset;
    if (step > 0) this.#remember(source, placed, arrivalMs);
    return placed;
  }

  // Nobody has a frame of this timeline yet: what is known of its lip sync is corrected at once.
  #begin(pts: number, placed: number, arrivalMs: number): number {
    const least = this.#lastPlaced + 1;
    this.#isRestarted = false;
    this.#offset = placed - pts;
    this.#correction = 0;
    this.#remember(pts, placed, arrivalMs);
    if (!this.#report) return placed;
    const error = this.#error(this.#report);
    const step = Math.max(least - placed, error);
    this.#offset += step;
    this.#correction = error - step;
    return this.#lastPlaced = placed + step;
  }

  #remember(source: number, placed: number, arrivalMs: number): void {
    this.#lastSource = source;
    this.#lastPlaced = placed;
    this.#lastArrivalMs = arrivalMs;
  }

  #slew(elapsedTicks: number): void {
    if (this.#correction === 0) return;
    const most = Math.ceil(elapsedTicks * SLEW);
    const part = Math.max(-most, Math.min(most, this.#correction));
    this.#offset! += part;
    this.#correction -= part;
  }

  /**
   * A sender report: this source timestamp stands for that wall clock (ms). Lip sync is corrected little by little, and
   * by one step where the source's count has stood still for seconds.
   */
  synchronize(rtpTimestamp: number, wallMs: number): void {
    this.#report = { source: rtpTimestamp, wallMs };
    if (this.#offset === undefined || this.#isRestarted) return;
    this.#correction = this.#error(this.#report);
    if (this.#correction * 1000 < JUMP_FORWARD_MS * this.#rate) return;
    this.#offset += this.#correction;
    this.#correction = 0;
  }

  // By how many ticks a report says that frames are placed too early.
  #error({ source, wallMs }: { source: number; wallMs: number }): number {
    const placedMs = (this.#lastSource + fold(source - this.#lastSource) + this.#offset!) * 1000 / this.#rate;
    if (this.#source.offsetMs === undefined) {
      this.#source.offsetMs = placedMs - wallMs;
      return 0;
    }
    const errorMs = wallMs + this.#source.offsetMs - placedMs;
    // Reports that ask for more than this are wrong (a camera whose two tracks count from two zeros), unless what arrives
    // says the same (one whose microphone was off, and its count with it).
    const arrivalErrorMs = this.#lastArrivalMs - this.#lastPlaced * 1000 / this.#rate;
    const isLikely = Math.abs(errorMs) < JUMP_FORWARD_MS || Math.abs(errorMs - arrivalErrorMs) < ARRIVAL_TOLERANCE_MS;
    return isLikely && Math.abs(errorMs) > 2 ? Math.round(errorMs * this.#rate / 1000) : 0;
  }
}

// The difference of two counts of which either may be wrapped at 32 bits, once or more.
function fold(difference: number): number {
  return difference - Math.round(difference / 0x100000000) * 0x100000000;
}
