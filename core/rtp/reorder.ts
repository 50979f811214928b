import { rtpPayloadStart, rtpSequence, rtpSsrc, sequenceDistance } from "./packet.ts";

/** How long a {@linkcode ReorderBuffer} waits for what is missing. */
export interface ReorderOptions {
  /** Packets held at most, up to 256. Default 128. */
  readonly maxPackets?: number;
  /** How long a packet is held at most. Default 100 ms. */
  readonly maxAgeMs?: number;
}

const SLOTS = 256;
/** A jump ahead by this much is a new count, not a loss (RFC 3550 §A.1). */
export const MAX_DROPOUT = 3000;

/**
 * Puts packets that came over UDP in order. What is missing is given up when too many packets, or a too old one, wait
 * for it; ages are looked at when packets come. Not for TCP.
 */
export class ReorderBuffer {
  readonly #deliver: (packet: Uint8Array, arrivalMs: number) => void;
  readonly #maxPackets: number;
  readonly #maxAgeMs: number;
  readonly #packets = new Array<Uint8Array | undefined>(SLOTS).fill(undefined);
  readonly #arrivals = new Float64Array(SLOTS);
  #held = 0;
  #next = -1;
  #ssrc = 0;
  /** A packet from far behind: very late, or the first of a new count, as the next one will tell. */
  #stray: Uint8Array | undefined;
  #strayMs = 0;
  /** When the first of those that wait now came. */
  #waitsSinceMs = 0;
  /** Packets given up, packets that came twice, and packets that came after they were given up. */
  lost = 0;
  duplicates = 0;
  late = 0;

  constructor(deliver: (packet: Uint8Array, arrivalMs: number) => void, options: ReorderOptions = {}) {
    this.#deliver = deliver;
    this.#maxPackets = Math.max(1, Math.min(SLOTS, options.maxPackets ?? 128));
    this.#maxAgeMs = options.maxAgeMs ?? 100;
  }

  /** Takes a packet; hands on what is in order now, each with the time at which it came. */
  push(packet: Uint8Array, arrivalMs: number): void {
    if (rtpPayloadStart(packet) < 0) return this.#deliver(packet, arrivalMs);
    const sequence = rtpSequence(packet);
    const ssrc = rtpSsrc(packet);
    let distance = sequenceDistance(this.#next, sequence);
    // Another sender, or one that has begun to count anew.
    const isOther = this.#next < 0 || ssrc !== this.#ssrc;
    if (isOther || distance >= SLOTS || distance <= -SLOTS * 4) {
      if (!isOther && (distance < 0 || this.#isNearStray(sequence))) return this.#onStray(packet, arrivalMs);
      this.drain();
      const gap = sequenceDistance(this.#next, sequence);
      if (!isOther && gap > 0 && gap < MAX_DROPOUT) this.lost += gap;
      // The old count has not gone on: what seemed late was of another one.
      else if (!isOther && this.#stray) this.#deliver(this.#stray, this.#strayMs);
      this.#ssrc = ssrc;
      this.#next = sequence;
      distance = 0;
    }
    this.#stray = undefined;
    if (distance < 0) {
      // What was delivered and what was given up look alike from here, except for the newest.
      if (distance === -1) this.duplicates++;
      else this.late++;
      return;
    }
    if (distance === 0) {
      this.#next = (sequence + 1) & 0xffff;
      this.#deliver(packet, arrivalMs);
      if (this.#held > 0) this.#deliverReady(arrivalMs);
      return;
    }
    const slot = sequence & (SLOTS - 1);
    if (this.#packets[slot]) {
      this.duplicates++;
      return;
    }
    if (this.#held === 0) this.#waitsSinceMs = arrivalMs;
    this.#packets[slot] = packet;
    this.#arrivals[slot] = arrivalMs;
    this.#held++;
    if (this.#held > this.#maxPackets) this.#giveUp(arrivalMs);
    this.flush(arrivalMs);
  }

  #isNearStray(sequence: number): boolean {
    if (!this.#stray) return false;
    const distance = sequenceDistance(rtpSequence(this.#stray), sequence);
    return distance !== 0 && Math.abs(distance) < SLOTS;
  }

  // RFC 3550 §A.1: two packets that are near one another are a new count.
  #onStray(packet: Uint8Array, arrivalMs: number): void {
    const stray = this.#stray;
    const sequence = rtpSequence(packet);
    if (!stray || !this.#isNearStray(sequence)) {
      this.#stray = packet;
      this.#strayMs = arrivalMs;
      return;
    }
    this.drain();
    this.#stray = undefined;
    const first = rtpSequence(stray);
    this.#next = sequenceDistance(first, sequence) > 0 ? first : sequence;
    this.push(stray, this.#strayMs);
    this.push(packet, arrivalMs);
  }

  /** Gives up what packets have waited for too long. */
  flush(nowMs: number): void {
    while (this.#held > 0 && nowMs - this.#waitsSinceMs > this.#maxAgeMs) this.#giveUp(nowMs);
  }

  /** Hands on all that is held, in order. */
  drain(): void {
    while (this.#held > 0) this.#giveUp(0);
  }

  #giveUp(nowMs: number): void {
    while (!this.#packets[this.#next & (SLOTS - 1)]) {
      this.#next = (this.#next + 1) & 0xffff;
      this.lost++;
    }
    this.#deliverReady(nowMs);
  }

  #deliverReady(nowMs: number): void {
    for (;;) {
      const slot = this.#next & (SLOTS - 1);
      const packet = this.#packets[slot];
      if (!packet) break;
      this.#packets[slot] = undefined;
      this.#held--;
      this.#next = (this.#next + 1) & 0xffff;
      this.#deliver(packet, this.#arrivals[slot]!);
    }
    // The rest waits for another packet: its patience begins now, or when the oldest of it came if that is later.
    if (this.#held > 0) this.#waitsSinceMs = Math.min(nowMs || Infinity, this.#oldestArrival());
  }

  #oldestArrival(): number {
    let oldest = Infinity;
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#packets[slot] && this.#arrivals[slot]! < oldest) oldest = this.#arrivals[slot]!;
    }
    return oldest;
  }
}
