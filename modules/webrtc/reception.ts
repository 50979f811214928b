import type { ReportBlock } from "../../core/mod.ts";

const NTP_EPOCH_SECONDS = 2_208_988_800;
/** A round trip longer than this is the mistake of a clock that was set meanwhile. */
const MAX_RTT_MS = 10_000;
/** Loss is that of so long a time, and is not told before so many packets. */
const WINDOW_MS = 4000;
const LEAST_PACKETS = 100;
/** A round trip so much longer than the shortest, or such a loss, means that a link on the way is full. */
const CONGESTED = { queueMs: 150, loss: 0.3 } as const;

/** What a peer says of how a stream of packets reaches it. */
export class Reception {
  /** The part of the packets that did not arrive at first; `undefined`: not known yet. */
  loss: number | undefined;
  rttMs: number | undefined;
  #leastRttMs = Infinity;
  #since: { readonly lost: number; readonly sequence: number; readonly atMs: number } | undefined;

  /** A link on the way is full: more packets would only make more of them get lost. */
  get isCongested(): boolean {
    return (this.rttMs ?? 0) > this.#leastRttMs + CONGESTED.queueMs || (this.loss ?? 0) > CONGESTED.loss;
  }

  /** Takes a receiver report; `wallMs` is the time since 1970. */
  take({ lost, highestSequence, lastReport, delay }: ReportBlock, nowMs: number, wallMs: number): void {
    const now = { lost, sequence: highestSequence, atMs: nowMs };
    const since = this.#since ??= now;
    const packets = highestSequence - since.sequence;
    if (packets < 0 || nowMs - since.atMs > WINDOW_MS) this.#since = now;
    if (packets >= LEAST_PACKETS) this.loss = Math.min(1, Math.max(0, (lost - since.lost) / packets));
    if (lastReport > 0) this.#takeRoundTrip(lastReport, delay, wallMs);
  }

  #takeRoundTrip(lastReport: number, delay: number, wallMs: number): void {
    const now = Math.floor((wallMs / 1000 + NTP_EPOCH_SECONDS) * 0x1_0000 % 0x1_0000_0000);
    // Reports tell times to a millisecond, so that a short round trip may come out below zero.
    const rttMs = Math.max(0, (now - lastReport - delay | 0) / 65.536);
    if (rttMs > MAX_RTT_MS) return;
    this.rttMs = rttMs;
    this.#leastRttMs = Math.min(this.#leastRttMs, rttMs);
  }
}
