import type { ByteSink, StreamConn } from "../runtime/types.ts";
import type { Frame } from "./frame.ts";
import type { Reader } from "./reader.ts";

/** A viewer that accepts no byte for this long is closed. */
export const STALL_LIMIT_MS = 15_000;
/** What is sent in one go to a viewer that has something to catch up with. */
const BATCH_BYTES = 64 << 10;
const FIRST_BATCH_BYTES = 512 << 10;
/** How often those that were not ready are asked again where nothing tells that they are. */
const POLL_MS = 4;

/** How an outlet makes bytes of frames, and whom it tells of its end. */
export interface OutletOptions {
  readonly reader: Reader;
  /**
   * The bytes of the frame that the reader answered last (`reader.track`, `reader.edit`, `reader.isNewGeneration` belong
   * to it); `undefined` leaves it out. They must not change until the peer has taken them; of a sink, which copies them at
   * once, only until another viewer is served.
   */
  readonly render: (frame: Frame, reader: Reader) => Uint8Array | undefined;
  /** Called after each `render`, right before its bytes go out. Only sinks have it. */
  readonly beforeSend?: () => void;
  /** Sent before the first frame, as soon as the peer is ready. */
  readonly head?: Uint8Array;
  /** Called once, with a reason when the outlet ended by itself. */
  readonly onEnd: (reason: string) => void;
}

/** Outlets that wait for their peer: looked after by one timer each for all. */
const waiting = new Set<Outlet>();
let stallTimer: ReturnType<typeof setInterval> | undefined;
const behind = new Set<Outlet>();
let pollTimer: ReturnType<typeof setTimeout> | undefined;

function watchStall(outlet: Outlet): void {
  waiting.add(outlet);
  stallTimer ??= setInterval(() => {
    const nowMs = performance.now();
    for (const one of waiting) one.checkStall(nowMs);
    if (waiting.size === 0) {
      clearInterval(stallTimer);
      stallTimer = undefined;
    }
  }, 1000);
}

function pollLater(outlet: Outlet): void {
  behind.add(outlet);
  pollTimer ??= setTimeout(() => {
    pollTimer = undefined;
    const ready = [...behind];
    behind.clear();
    for (const one of ready) one.pump();
  }, POLL_MS);
}

/** What all outlets share: reading in batches, counting, the end of a viewer that takes nothing. */
export abstract class Outlet {
  readonly reader: Reader;
  readonly #render: OutletOptions["render"];
  readonly #onEnd: OutletOptions["onEnd"];
  #head: Uint8Array | undefined;
  #hasEnded = false;
  #waitsSinceMs = 0;
  #isFirst = true;
  /** The last batch was as large as one may be. */
  protected hasMore = false;
  /** Bytes handed to the system. */
  bytesSent = 0;

  constructor(options: OutletOptions) {
    this.reader = options.reader;
    this.#render = options.render;
    this.#onEnd = options.onEnd;
    this.#head = options.head;
    this.reader.wake = () => this.pump();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Sends what is there to send, if the peer is ready for it. Never throws. */
  abstract pump(): void;

  /** All that is there, up to a batch: one shared buffer as it is, several joined. */
  protected collect(): Uint8Array | undefined {
    const first = this.nextPiece();
    if (!first) return undefined;
    const limit = this.takeBatchLimit();
    let total = first.length;
    let pieces: Uint8Array[] | undefined;
    while (total < limit) {
      const next = this.nextPiece();
      if (!next) break;
      (pieces ??= [first]).push(next);
      total += next.length;
    }
    this.hasMore = total >= limit;
    return pieces ? join(pieces, total) : first;
  }

  /** What may go out in one go: more the first time, when there may be a backlog. */
  protected takeBatchLimit(): number {
    const limit = this.#isFirst ? FIRST_BATCH_BYTES : BATCH_BYTES;
    this.#isFirst = false;
    return limit;
  }

  /** The head, then the bytes of the next frame that has some. */
  protected nextPiece(): Uint8Array | undefined {
    const head = this.#head;
    this.#head = undefined;
    return head ?? this.#renderNext();
  }

  #renderNext(): Uint8Array | undefined {
    for (;;) {
      const frame = this.reader.next();
      if (!frame) return undefined;
      const bytes = this.#render(frame, this.reader);
      if (bytes && bytes.length > 0) return bytes;
    }
  }

  /** The peer was given something and has yet to take it. */
  protected startWaiting(): void {
    if (this.#waitsSinceMs === 0) this.#waitsSinceMs = performance.now();
    if (!waiting.has(this)) watchStall(this);
  }
  /** The peer took something. */
  protected stopWaiting(): void {
    this.#waitsSinceMs = 0;
  }
  /** The peer took something, but not all. */
  protected restartWaiting(nowMs: number): void {
    if (this.#waitsSinceMs !== 0) this.#waitsSinceMs = nowMs;
  }

  checkStall(nowMs: number): void {
    if (this.#waitsSinceMs === 0) return;
    if (nowMs - this.#waitsSinceMs > STALL_LIMIT_MS) return this.end(`accepted no byte for ${STALL_LIMIT_MS / 1000} s`);
    // What it misses is counted while it stands, not only when it goes on.
    this.reader.catchUp();
  }

  protected pollLater(): void {
    pollLater(this);
  }

  /** Stops; the peer's connection is its owner's to close. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    waiting.delete(this);
    behind.delete(this);
    this.reader[Symbol.dispose]();
    this.#onEnd(reason);
  }

  protected fail(error: unknown): void {
    this.end(error instanceof Error ? error.message : String(error));
  }
}

function join(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const all = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/**
 * Outlets that have collected what to write. All viewers of a frame collect first, then all write: after each write the
 * processor's caches hold nothing but the kernel's, and to find outlet, reader and log again takes ten times as long.
 */
let collected: StreamOutlet[] = [];

function writeSoon(outlet: StreamOutlet): void {
  if (collected.push(outlet) === 1) queueMicrotask(writeAll);
}
function writeAll(): void {
  const turn = collected;
  collected = [];
  for (const outlet of turn) {
    try {
      outlet.writeCollected();
    } catch (error) {
      // An owner failed in `onEnd`: that keeps nobody else from being written to.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** Sends a reader's frames over a byte stream: one write at a time, of all that came since the last one. */
export class StreamOutlet extends Outlet {
  readonly #conn: StreamConn;
  readonly #control: Uint8Array[] = [];
  #controlBytes = 0;
  /** To be written in this turn. */
  #collected: Uint8Array | undefined;
  #isWoken = false;
  #pending: Uint8Array | undefined;

  constructor(conn: StreamConn, options: OutletOptions) {
    super(options);
    this.#conn = conn;
  }

  /** Sends bytes between frames (answers, reports) within the call, before what is still to be read. */
  send(bytes: Uint8Array): void {
    this.#control.push(bytes);
    this.#controlBytes += bytes.length;
    if (this.#controlBytes > BATCH_BYTES) return this.end("took none of its answers");
    this.#pumpNow();
  }

  pump(): void {
    if (this.#pending || this.hasEnded) return;
    if (this.#collected) {
      this.#isWoken = true;
      return;
    }
    try {
      this.#collected = this.#next();
      if (this.#collected) writeSoon(this);
    } catch (error) {
      this.fail(error);
    }
  }

  // For what concerns this viewer alone.
  #pumpNow(): void {
    this.pump();
    while (this.#collected) this.writeCollected();
  }

  /** Writes what `pump` has collected. */
  writeCollected(): void {
    const bytes = this.#collected;
    if (!bytes) return;
    const hasMore = this.hasMore || this.#isWoken;
    this.#collected = undefined;
    this.#isWoken = false;
    try {
      const count = this.#conn.writeNow?.(bytes) ?? 0;
      this.bytesSent += count;
      if (count < bytes.length) this.#write(count > 0 ? bytes.subarray(count) : bytes);
      else if (hasMore) this.pump();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Whether a part of a buffer is still to be written. */
  get isWriting(): boolean {
    return this.#pending !== undefined;
  }

  /** What was collected is still written. */
  override end(reason: string): void {
    while (this.#collected) this.writeCollected();
    super.end(reason);
  }

  // Control comes before what was read.
  #next(): Uint8Array | undefined {
    const media = this.collect();
    if (this.#control.length === 0) return media;
    const parts = media ? [...this.#control, media] : this.#control;
    const bytes = join(parts, this.#controlBytes + (media?.length ?? 0));
    this.#control.length = 0;
    this.#controlBytes = 0;
    return bytes;
  }

  #write(bytes: Uint8Array): void {
    this.#pending = bytes;
    this.startWaiting();
    this.#conn.write(bytes).then(this.#onWritten, this.#onFailed);
  }

  readonly #onWritten = (count: number): void => {
    this.bytesSent += count;
    this.stopWaiting();
    const pending = this.#pending;
    if (this.hasEnded || !pending) return;
    if (count < pending.length) {
      return this.#write(pending.subarray(count));
    }
    this.#pending = undefined;
    this.#pumpNow();
  };
  readonly #onFailed = (error: unknown): void => this.fail(error);
}

/** Sends a reader's frames to a sink, each by itself (a message of a WebSocket), only while it has nothing left to send. */
export class SinkOutlet extends Outlet {
  readonly #sink: ByteSink;
  readonly #beforeSend: () => void;
  // When it was looked at last.
  #leftBytes = 0;

  constructor(sink: ByteSink, options: OutletOptions) {
    super(options);
    this.#sink = sink;
    this.#beforeSend = options.beforeSend ?? (() => {});
    sink.onDrain = () => this.pump();
  }

  pump(): void {
    if (this.hasEnded) return;
    try {
      while (this.#isReady()) {
        const limit = this.takeBatchLimit();
        for (let sent = 0; sent < limit;) {
          const bytes = this.nextPiece();
          if (!bytes) return;
          this.#beforeSend();
          this.#sink.send(bytes);
          sent += bytes.length;
          this.bytesSent += bytes.length;
        }
      }
    } catch (error) {
      this.fail(error);
    }
  }

  override checkStall(nowMs: number): void {
    const left = this.#sink.bufferedAmount;
    if (left < this.#leftBytes) this.restartWaiting(nowMs);
    this.#leftBytes = left;
    super.checkStall(nowMs);
  }

  #isReady(): boolean {
    if (!this.#sink.isOpen) this.end("closed by the viewer");
    else if (this.#sink.bufferedAmount > 0) this.startWaiting();
    else this.stopWaiting();
    return this.#sink.isOpen && this.#sink.bufferedAmount === 0;
  }
}
