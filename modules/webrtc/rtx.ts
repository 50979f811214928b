import type { SentFrame, SentFrames } from "./sent_frames.ts";

/** A packet is not sent again sooner than this after the last time, and not before the peer can have missed that. */
const LEAST_WAIT_MS = 10;
/** Browsers that do not know the round-trip time ask again after this long. */
const ASSUMED_RTT_MS = 100;
/** Numbers of one request that are looked at. */
const MAX_ASKED = 1024;
/** Bytes that may be sent again before anything else was sent, and that can be saved up. */
const FIRST_CREDIT = 64 << 10;
const MOST_CREDIT = 1 << 20;
/** How much later each copy goes out: a burst that took one is over then. */
const COPY_AFTER_MS = 8;
const MAX_COPY_BATCHES = 64;
/** The loss above which packets are sent again twice, three and four times. */
const MORE_ABOVE = [0.005, 0.03, 0.12] as const;

/** A packet of a frame that goes out again. */
export interface Pick {
  readonly frame: SentFrame;
  /** Its place in the frame. */
  readonly packet: number;
}

/** Packets of which copies are still to be sent. */
interface Copies<Owner> {
  readonly owner: Owner;
  readonly picks: readonly Pick[];
  left: number;
  dueMs: number;
}

/** How many times a packet is sent when it is asked for: one that is lost again costs a browser 100 ms. */
export function copiesFor(loss: number): number {
  return 1 + MORE_ABOVE.filter((limit) => loss > limit).length;
}

/**
 * Decides what is sent to a peer again, and how often. All resends together cost no more than what was sent for the first
 * time.
 */
export class Resender<Owner> {
  #credit = FIRST_CREDIT;
  #copies: Copies<Owner>[] = [];
  /** Packets that were asked for but not sent: too old, too soon after the last time, too many. */
  refused = 0;

  /** So much was sent for the first time. */
  earn(bytes: number): void {
    this.#credit = Math.min(MOST_CREDIT, this.#credit + bytes);
  }

  /** The packets of a request that go out now. */
  choose(sent: SentFrames, sequences: readonly number[], nowMs: number, rttMs = ASSUMED_RTT_MS): Pick[] {
    const wait = Math.max(LEAST_WAIT_MS, Math.min(rttMs, ASSUMED_RTT_MS) * 0.75);
    const picks: Pick[] = [];
    for (const sequence of sequences.slice(0, MAX_ASKED)) {
      const index = sent.indexOf(sequence);
      const frame = sent.find(index);
      const packet = frame ? index - frame.index : 0;
      if (!frame || packet >= frame.sent || !this.#mayAgain(frame, packet, nowMs - wait)) {
        this.refused++;
        continue;
      }
      frame.againMs![packet] = nowMs;
      picks.push({ frame, packet });
    }
    return picks;
  }

  #mayAgain(frame: SentFrame, packet: number, beforeMs: number): boolean {
    if (this.#credit <= 0) return false;
    const again = frame.againMs ??= new Float64Array(frame.chunk.count).fill(-Infinity);
    if (again[packet]! > beforeMs) return false;
    this.#credit -= packetBytes(frame, packet);
    return true;
  }

  /** Copies of what was sent now follow, as far as there is credit for them. */
  repeat(owner: Owner, picks: readonly Pick[], times: number, nowMs: number): void {
    if (times <= 0 || picks.length === 0 || this.#copies.length >= MAX_COPY_BATCHES) return;
    this.#copies.push({ owner, picks, left: times, dueMs: nowMs + COPY_AFTER_MS });
  }

  get hasCopies(): boolean {
    return this.#copies.length > 0;
  }

  /** The copies whose time has come, one batch after the other. */
  nextCopies(nowMs: number): { readonly owner: Owner; readonly picks: readonly Pick[] } | undefined {
    const at = this.#copies.findIndex(({ dueMs }) => dueMs <= nowMs);
    if (at < 0) return undefined;
    const due = this.#copies[at]!;
    let cost = 0;
    for (const { frame, packet } of due.picks) cost += packetBytes(frame, packet);
    due.dueMs = nowMs + COPY_AFTER_MS;
    if (--due.left === 0 || cost > this.#credit) this.#copies.splice(at, 1);
    if (cost > this.#credit) return undefined;
    this.#credit -= cost;
    return due;
  }

  /** Forgets copies that are still to be sent. */
  clear(): void {
    this.#copies = [];
  }
}

/** The bytes of a packet before it is encrypted. */
export function packetBytes({ chunk: { offsets, bytes } }: SentFrame, packet: number): number {
  return (offsets[packet + 1] ?? bytes.length) - offsets[packet]!;
}
