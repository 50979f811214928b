import type { ReportBlock } from "../../core/mod.ts";

const NTP_EPOCH_SECONDS = 2_208_988_800;
/**
 * A round trip beyond these is the mistake of a clock that was set meanwhile. Reports tell times to a millisecond, so that a
 * short one may come out a little below zero.
 */
const RTT_MS = { least: -5, most: 10_000 } as const;
/** The shortest round trip is that of so long a time, and of up to as long before: ways through a network change. */
const LEAST_RTT_WINDOW_MS = 30_000;
/** Loss is that of so long a time, and is not told of fewer packets at its end, or before. */
const WINDOW_MS = 4000;
const LEAST_PACKETS = { atEnd: 20, before: 100 } as const;
/** A round trip so much longer than the shortest, or such a loss, means that a link on the way is full. */
const CONGESTED = { queueMs: 150, loss: 0.3 } as const;

/** What a peer says of how a stream of packets reaches it. */
export class Reception {
  /** The part of the packets that did not arrive at first; `undefined`: not known yet. */
  loss: number | undefined;
  rttMs: number | undefined;
  #leastRttMs = Infinity;
  #leastRttBeforeMs = Infinity;
  #leastSinceMs = -Infinity;
  #since: { readonly lost: number; readonly sequence: number; readonly atMs: number } | undefined;

  /** A link on the way is full: more packets would only make more of them get lost. */
  get isCongested(): boolean {
    const leastMs = Math.min(this.#leastRttMs, this.#leastRttBeforeMs);
    return (this.rttMs ?? 0) > leastMs + CONGESTED.queueMs || (this.loss ?? 0) > CONGESTED.loss;
  }

  /** Takes a receiver report; `wallMs` is the time since 1970. */
  take({ lost, highestSequence, lastReport, delay }: ReportBlock, nowMs: number, wallMs: number): void {
    const now = { lost, sequence: highestSequence, atMs: nowMs };
    const since = this.#since ??= now;
    const packets = highestSequence - since.sequence;
    const isOver = packets < 0 || nowMs - since.atMs > WINDOW_MS;
    if (isOver) this.#since = now;
    if (packets >= LEAST_PACKETS[isOver ? "atEnd" : "before"]) {
      this.loss = Math.min(1, Math.max(0, (lost - since.lost) / packets));
    } else if (isOver) this.loss = undefined;
    if (lastReport > 0) this.#takeRoundTrip((ntpMiddle(wallMs) - lastReport - delay | 0) / 65.536, nowMs);
  }

  #takeRoundTrip(rttMs: number, nowMs: number): void {
    if (rttMs < RTT_MS.least || rttMs > RTT_MS.most) return;
    this.rttMs = Math.max(0, rttMs);
    if (nowMs - this.#leastSinceMs > LEAST_RTT_WINDOW_MS) {
      this.#leastRttBeforeMs = this.#leastRttMs;
      this.#leastRttMs = Infinity;
      this.#leastSinceMs = nowMs;
    }
    this.#leastRttMs = Math.min(this.#leastRttMs, this.rttMs);
  }

  /** The packets take another way from now on. */
  forget(): void {
    this.loss = this.rttMs = this.#since = undefined;
    this.#leastRttMs = this.#leastRttBeforeMs = Infinity;
  }
}

/** The middle 32 bits of the NTP time. */
function ntpMiddle(wallMs: number): number {
  return Math.floor((wallMs / 1000 + NTP_EPOCH_SECONDS) * 0x1_0000 % 0x1_0000_0000);
}
