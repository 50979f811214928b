import { parseRtcp, Reader, type Start, type Track } from "../../core/mod.ts";
import { EgressLine, plainBytes, roomFor, type SentLine } from "./egress_line.ts";
import { leaveTurn, Pacer, waitForTurn } from "./pacer.ts";
import type { MediaLink, PeerMedia } from "./peer_media.ts";
import { copiesFor, type Pick, Resender } from "./rtx.ts";
import { sealRoom } from "./seal_room.ts";
import type { AnswerSource } from "./sdp_answer.ts";
import type { SentFrame } from "./sent_frames.ts";

export type { SentLine };

/** What an egress is made of. */
export interface EgressOptions {
  readonly lines: readonly SentLine[];
  readonly start: Start;
}

/** Bytes that the system may hold for a peer before more is sent. */
const MAX_IN_FLIGHT = 96 << 10;
const REPORT_MS = 2000;
/** A keyframe is sent again no sooner than this after the last one, and ever later while a peer goes on asking. */
const REPLAY_MS = { least: 500, most: 4000, calmAfter: 10_000 } as const;
/** Loss that is taken for granted before the peer has reported any. */
const UNKNOWN_LOSS = 0.01;

/** One timer writes the sender reports of all. */
const reporting = new Set<Egress>();
let reportTimer: ReturnType<typeof setInterval> | undefined;

function reportRegularly(egress: Egress): void {
  reporting.add(egress);
  reportTimer ??= setInterval(() => {
    const nowMs = performance.now();
    for (const one of reporting) one.report(nowMs);
  }, REPORT_MS);
}

function stopReporting(egress: Egress): void {
  reporting.delete(egress);
  if (reporting.size > 0) return;
  clearInterval(reportTimer);
  reportTimer = undefined;
}

/**
 * What a viewer is sent: the frames of its tracks as packets that all viewers share, renumbered and encrypted for it, what
 * it lost again, and the newest keyframe when it cannot go on. The tracks are their owner's to close.
 */
export class Egress implements PeerMedia {
  readonly #lines: readonly EgressLine[];
  readonly #start: Start;
  readonly #pacer = new Pacer();
  readonly #resender = new Resender<EgressLine>();
  readonly #offsets: number[] = [];
  #reader: Reader | undefined;
  #link: MediaLink | undefined;
  /** The frame that is being sent. */
  #current: { readonly line: EgressLine; readonly frame: SentFrame } | undefined;
  #isPaused = false;
  #isClosed = false;
  #keyframeMs = -Infinity;
  #replayMs = -Infinity;
  #replayWaitMs: number = REPLAY_MS.least;
  #replays = 0;
  #failures = 0;
  // Of readers that were replaced.
  #skips = 0;
  #dropped = 0;

  constructor({ lines, start }: EgressOptions) {
    const [number] = crypto.getRandomValues(new Uint32Array(1));
    const cname = `lenswire-${number!.toString(36)}`;
    this.#lines = lines.map((line) => new EgressLine(line, cname));
    this.#start = start;
  }

  /** How the answer announces what is sent of a track. Throws a `RangeError` when it is none of the lines'. */
  sourceOf(track: Track): AnswerSource {
    const line = this.#lineOf(track);
    if (!line) throw new RangeError("Track is not sent to this peer");
    return line.source;
  }

  /** Times it was moved to a newer keyframe because it was slow. */
  get skips(): number {
    return this.#skips + (this.#reader?.skips ?? 0);
  }

  /** Counters of one track. */
  sent(track: Track): { bytes: number; packets: number; drops: number } {
    const line = this.#lineOf(track);
    const drops = track.kind === "video" ? this.#dropped + (this.#reader?.dropped ?? 0) : 0;
    return { bytes: line?.bytes ?? 0, packets: line?.packets ?? 0, drops };
  }

  #lineOf(track: Track): EgressLine | undefined {
    return this.#lines.find((line) => line.track === track);
  }

  start(link: MediaLink): void {
    if (this.#link || this.#isClosed) return;
    this.#link = link;
    this.#read(this.#start);
    reportRegularly(this);
    this.pump();
  }

  #read(start: Start): void {
    const old = this.#reader;
    if (old) {
      this.#skips += old.skips;
      this.#dropped += old.dropped;
      old[Symbol.dispose]();
    }
    const tracks = this.#lines.map(({ track }) => track);
    this.#reader = new Reader(tracks, { start, dropsCorrupt: true, wake: () => this.pump() });
  }

  /** Sends another track in place of one, under the same announcement. */
  replace(was: Track, is: Track): void {
    const line = this.#lineOf(was);
    if (!line || this.#isClosed) return;
    line.replace(is);
    this.#reader?.replace(was, is);
  }

  /** Sends what there is to send, as far as the peer can take it now. */
  pump(): void {
    const link = this.#link;
    if (!link || this.#isPaused) return;
    try {
      let nowMs = performance.now();
      while (!this.#isClosed) {
        const current = this.#current ??= this.#next(nowMs);
        if (!current) return;
        const left = MAX_IN_FLIGHT - link.bytesInFlight;
        // What is in flight calls back when it is gone.
        if (left <= 0) return;
        const room = link.protocol === "udp" ? Math.min(left, this.#pacer.room(nowMs)) : left;
        if (room <= 0) return waitForTurn(this);
        this.#send(current.line, current.frame, room, link);
        if (current.frame.sent < current.frame.chunk.count) nowMs = performance.now();
        else this.#current = undefined;
      }
    } catch {
      // One frame that cannot be packed must not end the program that serves the others; it shows in the figures.
      this.#failures++;
      this.#current = undefined;
    }
  }

  #next(nowMs: number): { line: EgressLine; frame: SentFrame } | undefined {
    const reader = this.#reader;
    for (let frame = reader?.next(); reader && frame; frame = reader.next()) {
      const line = this.#lineOf(reader.track);
      if (!line) continue;
      if (line.awaitsKeyframe && !frame.isKeyframe) {
        this.#dropped++;
        continue;
      }
      line.awaitsKeyframe = false;
      const sent = line.take(frame, reader.edit, nowMs);
      if (!sent) continue;
      if (frame.isKeyframe && reader.track.kind === "video") this.#keyframeMs = nowMs;
      if (!line.hasReported) this.#link!.sendRtcp(line.report(nowMs));
      return { line, frame: sent };
    }
    return undefined;
  }

  #send(line: EgressLine, frame: SentFrame, room: number, link: MediaLink): void {
    const { sent, chunk: { offsets, bytes, count } } = frame;
    const start = offsets[sent]!;
    let to = count;
    if (bytes.length - start > room) {
      to = sent + 1;
      while (to < count && offsets[to]! - start < room) to++;
    }
    const plain = (offsets[to] ?? bytes.length) - start;
    const out = sealRoom.take(roomFor(link.srtp, plain, to - sent));
    const size = line.seal(link.srtp, frame, to, out, this.#offsets);
    this.#pacer.spend(plain);
    this.#resender.earn(plain);
    this.#hand(out, size, link);
  }

  #hand(out: Uint8Array, size: number, link: MediaLink): void {
    if (size === 0) return;
    link.sendBatch(out.subarray(0, size), this.#offsets);
    // A connection has copied them.
    if (link.protocol === "udp" && link.bytesInFlight > 0) sealRoom.keep(size);
  }

  onTurn(nowMs: number): void {
    if (this.#isClosed) return;
    for (let copies = this.#resender.nextCopies(nowMs); copies; copies = this.#resender.nextCopies(nowMs)) {
      this.#sendAgain(copies.owner, copies.picks);
    }
    if (this.#resender.hasCopies) waitForTurn(this);
    this.pump();
  }

  #sendAgain(line: EgressLine, picks: readonly Pick[]): void {
    const link = this.#link;
    if (!link || this.#isPaused || picks.length === 0) return;
    const plain = plainBytes(picks);
    const out = sealRoom.take(roomFor(link.srtp, plain, picks.length));
    const size = line.sealAgain(link.srtp, picks, out, this.#offsets);
    this.#pacer.spend(plain);
    this.#hand(out, size, link);
  }

  onRtp(): void {}

  onRtcp(packet: Uint8Array, nowMs: number): void {
    if (this.#isClosed) return;
    for (const one of parseRtcp(packet)) {
      switch (one.type) {
        case "NACK":
          this.#onNack(one.about, one.sequences, nowMs);
          break;
        case "PLI":
          this.#onKeyframeWanted(one.about, nowMs);
          break;
        case "FIR":
          for (const ssrc of one.about) this.#onKeyframeWanted(ssrc, nowMs);
          break;
        case "SR":
        case "RR":
          for (const block of one.reports) this.#bySsrc(block.ssrc)?.reception.take(block, nowMs, Date.now());
          break;
      }
    }
  }

  #bySsrc(ssrc: number): EgressLine | undefined {
    return this.#lines.find(({ source }) => source.ssrc === ssrc);
  }

  #onNack(ssrc: number, sequences: readonly number[], nowMs: number): void {
    const line = this.#bySsrc(ssrc);
    if (!line) return;
    line.nacks++;
    const { reception } = line;
    const picks = this.#resender.choose(line.sent, sequences, nowMs, reception.rttMs);
    this.#sendAgain(line, picks);
    const copies = reception.isCongested ? 1 : copiesFor(reception.loss ?? UNKNOWN_LOSS);
    this.#resender.repeat(line, picks, copies - 1, nowMs);
    if (this.#resender.hasCopies) waitForTurn(this);
  }

  // A peer that lost too much to go on gets the newest keyframe and what followed it once more, or the next one where that
  // would only make it lose more.
  #onKeyframeWanted(ssrc: number, nowMs: number): void {
    const line = this.#bySsrc(ssrc);
    if (!line || !this.#link) return;
    line.plis++;
    const { keyframe } = line.track.log;
    if (!keyframe || keyframe.isCorrupt) return line.track.requestKeyframe();
    if (nowMs - this.#replayMs > REPLAY_MS.calmAfter) this.#replayWaitMs = REPLAY_MS.least;
    if (nowMs - Math.max(this.#keyframeMs, this.#replayMs) < this.#replayWaitMs) return;
    this.#replayWaitMs = Math.min(REPLAY_MS.most, this.#replayWaitMs * 2);
    this.#replayMs = nowMs;
    if (line.reception.isCongested) {
      line.awaitsKeyframe = true;
      return line.track.requestKeyframe();
    }
    this.#replays++;
    for (const one of this.#lines) if (one.track.kind === "video") one.beginReplay();
    this.#read("now");
    this.pump();
  }

  onDrained(): void {
    this.pump();
  }

  onPathChanged(): void {
    for (const { reception } of this.#lines) reception.forget();
  }

  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#resender.clear();
    this.pump();
  }

  /** Sends the sender reports. */
  report(nowMs: number): void {
    if (this.#isPaused) return;
    for (const line of this.#lines) if (line.hasReported) this.#link?.sendRtcp(line.report(nowMs));
  }

  stats(): Readonly<Record<string, unknown>> {
    return {
      outgoing: this.#lines.map((line) => line.stats()),
      skips: this.skips,
      replays: this.#replays,
      refused_resends: this.#resender.refused,
      ...(this.#failures > 0 ? { failures: this.#failures } : {}),
    };
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    stopReporting(this);
    leaveTurn(this);
    this.#resender.clear();
    this.#reader?.[Symbol.dispose]();
    for (const line of this.#lines) {
      line.close();
      line.sent.clear();
    }
  }
}
