import { Dialog, type Target } from "./dialog.ts";
import { nowUs, scanMarks } from "./mark.ts";
import type { Samples } from "./stats.ts";

/** How a viewer watches. */
export type Protocol = "rtsp" | "mse" | "mp4";

const BUFFER_BYTES = 64 << 10;
/** A viewer is live once it has a keyframe and a picture that is younger. */
const LIVE_MS = 100;

/** Asks for the stream; media follows on the connection. */
async function ask(dialog: Dialog, protocol: Protocol, { path, hostname, port }: Target): Promise<void> {
  if (protocol === "rtsp") {
    await dialog.ask("DESCRIBE", "", ["Accept: application/sdp"]);
    await dialog.ask("SETUP", "/trackID=0", ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"]);
    await dialog.ask("PLAY");
    return;
  }
  const head = [`GET ${path} HTTP/1.1`, `Host: ${hostname}:${port}`];
  if (protocol === "mp4") {
    await dialog.exchange(head);
    return;
  }
  await dialog.exchange([
    ...head,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${crypto.getRandomValues(new Uint8Array(16)).toBase64()}`,
  ]);
  await dialog.write(textMessage(JSON.stringify({ type: "mse", value: "avc1.640029,mp4a.40.2" })));
}

// A short WebSocket message of a client (RFC 6455 §5.2): the mask has to be there, and may be zero.
function textMessage(text: string): Uint8Array {
  return Uint8Array.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...new TextEncoder().encode(text)]);
}

/** Somebody who watches, on a connection of its own: takes what comes and looks for marks, nothing else. */
export class Viewer {
  readonly protocol: Protocol;
  readonly #dialog: Dialog;
  readonly #startedMs: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #kept: number;
  #keyMs: number | undefined;
  #isStalled = false;
  #lastFrameMs = 0;
  #isLive = false;
  #onLive: (start: { keyMs: number; liveMs: number }) => void = () => {};
  #onFirst: () => void = () => {};
  /** Pictures so far. */
  frames = 0;
  /** The longest time between two pictures, since it was set to 0. */
  worstGapMs = 0;
  /** Ages of pictures in ms go here. */
  ages: Samples | undefined;
  hasEnded = false;
  /** Resolves with the ms from before its connection to the first keyframe and to being live. */
  readonly live: Promise<{ keyMs: number; liveMs: number }>;
  /** Resolves with its first picture. */
  readonly first: Promise<void>;

  private constructor(protocol: Protocol, dialog: Dialog, startedMs: number) {
    this.protocol = protocol;
    this.#dialog = dialog;
    this.#startedMs = startedMs;
    this.#buffer.set(dialog.rest);
    this.#kept = dialog.rest.length;
    this.first = new Promise((resolve) => this.#onFirst = resolve);
    this.live = new Promise((resolve) => this.#onLive = resolve);
    this.#scan(this.#kept);
    this.#read();
  }

  static async open(protocol: Protocol, target: Target): Promise<Viewer> {
    const startedMs = performance.now();
    const dialog = await Dialog.open(target);
    try {
      await ask(dialog, protocol, target);
    } catch (error) {
      dialog.close();
      throw error;
    }
    return new Viewer(protocol, dialog, startedMs);
  }

  async #read(): Promise<void> {
    try {
      while (!this.#isStalled) {
        const count = await this.#dialog.conn.read(this.#buffer.subarray(this.#kept));
        if (!count) break;
        this.#scan(this.#kept + count);
      }
    } catch {
      // Either side has closed the connection: the end of the viewer, which is counted.
    }
    if (!this.#isStalled) this.hasEnded = true;
  }

  #scan(end: number): void {
    const nowMs = performance.now();
    const now = nowUs();
    const rest = scanMarks(this.#buffer, end, (isKey, sentUs) => {
      const ageMs = (now - sentUs) / 1000;
      if (this.frames++ === 0) this.#onFirst();
      else this.worstGapMs = Math.max(this.worstGapMs, nowMs - this.#lastFrameMs);
      this.#lastFrameMs = nowMs;
      this.ages?.add(ageMs);
      if (this.#isLive) return;
      if (isKey) this.#keyMs ??= nowMs - this.#startedMs;
      if (this.#keyMs === undefined || ageMs > LIVE_MS) return;
      this.#isLive = true;
      this.#onLive({ keyMs: this.#keyMs, liveMs: nowMs - this.#startedMs });
    });
    this.#kept = end - rest;
    if (this.#kept > 0) this.#buffer.copyWithin(0, rest, end);
  }

  /** Reads no more, but stays. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Tells an RTSP server that it is still there. */
  keepAlive(): void {
    if (this.protocol !== "rtsp" || this.hasEnded || this.#isStalled) return;
    this.#dialog.tell("OPTIONS").catch(() => {
      // Reading finds out that the connection has ended.
    });
  }

  close(): void {
    this.#isStalled = true;
    this.#dialog.close();
  }
}
