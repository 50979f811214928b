import { sequenceDistance } from "../../core/mod.ts";

/** A packet that has not come. */
interface Missing {
  readonly sinceMs: number;
  /** When it was asked for last, and how often. */
  askedMs: number;
  tries: number;
}

/** A larger gap is not worth filling: a keyframe is smaller. */
const MAX_MISSING = 256;
const MAX_TRIES = 10;
/** The first guess at how long an answer takes, and the bounds of what is believed. */
const ROUND_TRIP_MS = { first: 100, least: 20, most: 500 } as const;

/** Which packets of a stream are missing, and which of them are to be asked for now (RFC 4585 §6.2.1). */
export class MissingPackets {
  readonly #missing = new Map<number, Missing>();
  readonly #patienceMs: number;
  #highest = -1;
  #roundTripMs: number = ROUND_TRIP_MS.first;
  /** Requests made, counting each number each time, and packets that came after them. */
  asked = 0;
  recovered = 0;

  /** What has not come after `patienceMs` is given up. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** How many are waited for. */
  get count(): number {
    return this.#missing.size;
  }
  /** How long the peer takes to send one again. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** A packet has come; answers whether it leaves a gap that was not there before. */
  onSequence(sequence: number, nowMs: number): boolean {
    const distance = this.#highest < 0 ? 1 : sequenceDistance(this.#highest, sequence);
    if (distance <= 0) {
      this.#fill(sequence, nowMs);
      return false;
    }
    if (distance - 1 + this.#missing.size > MAX_MISSING) this.#missing.clear();
    else {
      for (let i = distance - 1; i > 0; i--) {
        this.#missing.set((sequence - i) & 0xffff, { sinceMs: nowMs, askedMs: 0, tries: 0 });
      }
    }
    this.#highest = sequence;
    return distance > 1 && this.#missing.size > 0;
  }

  #fill(sequence: number, nowMs: number): void {
    const one = this.#missing.get(sequence);
    if (!one) return;
    this.#missing.delete(sequence);
    if (one.tries === 0) return;
    this.recovered++;
    // With more tries it is unknown which of them was answered.
    if (one.tries > 1) return;
    const sample = Math.max(ROUND_TRIP_MS.least, Math.min(ROUND_TRIP_MS.most, nowMs - one.askedMs));
    this.#roundTripMs += (sample - this.#roundTripMs) / 4;
  }

  /** The numbers to ask for now: those that were not asked for within a round trip. */
  take(nowMs: number): number[] {
    const due: number[] = [];
    for (const [sequence, one] of this.#missing) {
      if (nowMs - one.sinceMs > this.#patienceMs || one.tries >= MAX_TRIES) this.#missing.delete(sequence);
      else if (one.tries === 0 || nowMs - one.askedMs >= this.#roundTripMs) {
        one.askedMs = nowMs;
        one.tries++;
        due.push(sequence);
      }
    }
    this.asked += due.length;
    return due;
  }

  /** Another stream begins. */
  clear(): void {
    this.#missing.clear();
    this.#highest = -1;
  }
}
