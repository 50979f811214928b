/** How much work peers can make for us before they have proven who they are. */

/** Lets so many through in a second, and a few more at once. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = 0;

  constructor(perSecond: number, burst: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Whether one more may pass. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** The last one was welcome: it does not count. */
  giveBack(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + 1);
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= this.#burst;
  }

  #fill(nowMs: number): void {
    if (nowMs > this.#atMs) this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}

const HOST_PER_SECOND = 200;
const HOST_BURST = 400;
const REST_PER_SECOND = 1000;
const MAX_HOSTS = 2048;

/** The buckets of strangers by host. Those that find no place in the table share one bucket. */
export class StrangerLimits {
  readonly #hosts = new Map<string, TokenBucket>();
  readonly #rest = new TokenBucket(REST_PER_SECOND, REST_PER_SECOND);
  #sweptMs = 0;

  of(host: string, nowMs: number): TokenBucket {
    const known = this.#hosts.get(host);
    if (known) return known;
    if (this.#hosts.size >= MAX_HOSTS && !this.#sweep(nowMs)) return this.#rest;
    const bucket = new TokenBucket(HOST_PER_SECOND, HOST_BURST);
    this.#hosts.set(host, bucket);
    return bucket;
  }

  get size(): number {
    return this.#hosts.size;
  }

  // Once a second at most: with a full table of busy hosts there would be nothing to gain.
  #sweep(nowMs: number): boolean {
    if (nowMs - this.#sweptMs < 1000) return false;
    this.#sweptMs = nowMs;
    for (const [host, bucket] of this.#hosts) if (bucket.isFull(nowMs)) this.#hosts.delete(host);
    return this.#hosts.size < MAX_HOSTS;
  }
}

const MIN_SEEN = 64;
const MAX_SEEN = 1024;

/**
 * The last checks of a session: which transaction came over which path. A copy of one that comes over another path is a
 * replay.
 */
export class SeenChecks {
  // Three words each: two of the transaction id, and the path's id.
  #entries = new Uint32Array(MIN_SEEN * 3);
  #count = 0;
  #next = 0;

  /** Notes a check. False: its transaction came over another path before. */
  note(first: number, second: number, path: number): boolean {
    const entries = this.#entries;
    for (let at = 0; at < this.#count * 3; at += 3) {
      if (entries[at] === first && entries[at + 1] === second) return entries[at + 2] === path;
    }
    const capacity = entries.length / 3;
    if (this.#next === capacity) this.#turn(capacity);
    this.#entries.set([first, second, path], this.#next * 3);
    this.#next++;
    if (this.#next > this.#count) this.#count = this.#next;
    return true;
  }

  #turn(capacity: number): void {
    if (capacity >= MAX_SEEN) {
      this.#next = 0;
      return;
    }
    const larger = new Uint32Array(this.#entries.length * 2);
    larger.set(this.#entries);
    this.#entries = larger;
  }
}
