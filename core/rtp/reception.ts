import { type ReportBlock, writeReceiverReport } from "./rtcp.ts";

/** What a receiver report tells of one source (RFC 3550 §6.4.1, §A.3, §A.8). */
export class Reception {
  readonly #rate: number;
  readonly #ownSsrc = crypto.getRandomValues(new Uint32Array(1))[0]!;
  #cycles = 0;
  #highest = 0;
  #base = 0;
  #received = 0;
  #expectedBefore = 0;
  #receivedBefore = 0;
  #jitter = 0;
  #lastTimestamp = 0;
  #lastArrivalMs = -1;
  #lastReport = 0;
  #lastReportMs = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** A source begins with this sequence number. */
  begin(sequence: number): void {
    this.#cycles = 0;
    this.#highest = sequence;
    this.#base = sequence;
    this.#received = 0;
    this.#expectedBefore = 0;
    this.#receivedBefore = 0;
    this.#jitter = 0;
    this.#lastArrivalMs = -1;
    this.#lastReport = 0;
  }

  onSequence(sequence: number): void {
    if (sequence < this.#highest) this.#cycles += 0x10000;
    this.#highest = sequence;
    this.#received++;
  }

  /** The first packet of a frame: jitter is measured with these, as the others of a frame are sent in one go. */
  onFrame(timestamp: number, arrivalMs: number): void {
    if (this.#lastArrivalMs >= 0) {
      const step = (timestamp - this.#lastTimestamp) | 0;
      const difference = Math.abs((arrivalMs - this.#lastArrivalMs) * this.#rate / 1000 - step);
      // A jump of the source's clock is no jitter.
      if (difference < this.#rate * 10) this.#jitter += (difference - this.#jitter) / 16;
    }
    this.#lastTimestamp = timestamp;
    this.#lastArrivalMs = arrivalMs;
  }

  onSenderReport(ntpMiddle: number, arrivalMs: number): void {
    this.#lastReport = ntpMiddle;
    this.#lastReportMs = arrivalMs;
  }

  /** What is to be told of the source now; what was lost is counted from one call to the next. */
  block(about: number, nowMs: number): ReportBlock {
    const highestSequence = this.#cycles + this.#highest;
    const expected = highestSequence - this.#base + 1;
    const expectedNow = expected - this.#expectedBefore;
    const lostNow = expectedNow - (this.#received - this.#receivedBefore);
    this.#expectedBefore = expected;
    this.#receivedBefore = this.#received;
    return {
      ssrc: about,
      fractionLost: expectedNow > 0 && lostNow > 0 ? Math.min(255, Math.floor(lostNow * 256 / expectedNow)) : 0,
      lost: expected - this.#received,
      highestSequence,
      jitter: Math.round(this.#jitter),
      lastReport: this.#lastReport,
      delay: this.#lastReport === 0 ? 0 : Math.round((nowMs - this.#lastReportMs) * 65.536),
    };
  }

  /** The bytes of a report about this source alone. */
  report(about: number, nowMs: number): Uint8Array {
    return writeReceiverReport({ ssrc: this.#ownSsrc, about: [this.block(about, nowMs)], cname: "lenswire" });
  }
}
