/**
 * How fast packets follow one another: a keyframe or a backlog sent in one go passes what receivers and switches can
 * buffer.
 */
const BYTES_PER_MS = 12_500;
/** What may go out at once: any usual frame. */
const BURST_BYTES = 48 << 10;
/** How often those that wait are looked after. */
const TICK_MS = 4;
/** How long they may take in one go: when fifty catch up at once, the newest pictures of the others come in between. */
const BUDGET_MS = 4;

/** What one peer may be sent by now. */
export class Pacer {
  #room = BURST_BYTES;
  #atMs = -Infinity;

  /** Bytes that may be sent now; not more than 0: wait. */
  room(nowMs: number): number {
    const earned = (nowMs - this.#atMs) * BYTES_PER_MS;
    if (earned > 0) {
      this.#room = Math.min(BURST_BYTES, this.#room + earned);
      this.#atMs = nowMs;
    }
    return this.#room;
  }
  spend(bytes: number): void {
    this.#room -= bytes;
  }
}

/** Who waits for its turn. */
export interface Waiting {
  /** Must not throw. */
  onTurn(nowMs: number): void;
}

const waiting = new Set<Waiting>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** Calls back in some milliseconds, once; one timer serves all. */
export function waitForTurn(one: Waiting): void {
  waiting.add(one);
  timer ??= setTimeout(giveTurns, TICK_MS);
}

function giveTurns(): void {
  timer = undefined;
  const nowMs = performance.now();
  const turn = [...waiting];
  waiting.clear();
  for (let i = 0; i < turn.length; i++) {
    turn[i]!.onTurn(nowMs);
    if (i + 1 < turn.length && performance.now() - nowMs >= BUDGET_MS) return postpone(turn.slice(i + 1));
  }
}

function postpone(rest: readonly Waiting[]): void {
  const later = [...waiting];
  waiting.clear();
  for (const one of [...rest, ...later]) waiting.add(one);
  clearTimeout(timer);
  timer = setTimeout(giveTurns, 0);
}

/** It does not wait any more. */
export function leaveTurn(one: Waiting): void {
  waiting.delete(one);
  if (waiting.size > 0) return;
  clearTimeout(timer);
  timer = undefined;
}
