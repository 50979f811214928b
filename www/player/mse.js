import { cut } from "./fmp4.js";

/** Seconds behind the newest picture from which a jump is better than a chase. */
const JUMP = 1;
/** Seconds of the past that stay in the buffer. */
const KEEP = 5;
/** What may wait to be appended; more at the start, when the pictures since the last keyframe come in one go. */
const PENDING_BYTES = 2 << 20;
const PENDING_BYTES_AT_START = 8 << 20;
/**
 * The buffer ahead of the picture shall not fall below this, in seconds. Browsers stop when their sound output has less
 * than a tenth of a second to play. It grows when playback stalls.
 */
const SLACK = { least: 0.04, leastWithSound: 0.1, most: 0.5, step: 0.04, tolerance: 0.04 };
/** How long the first picture stands still at most until there is that much. */
const START_MS = 300;
/** After so many milliseconds without a stall a smaller distance is tried. */
const CALM_MS = 60_000;
/** How fast the distance to the live edge may be made up for: in the first moments faster than when it has settled. */
const CHASE = { most: 0.2, share: 0.4 };
const FIRST_CHASE = { most: 0.5, share: 1.2, forMs: 4000 };
/** A sound track that stays silent for so many seconds holds up the picture: it is given up. */
const SOUND_PATIENCE = 3;

/** The browser's MediaSource class; iPhones have only the managed one. */
export function mediaSourceClass() {
  return globalThis.ManagedMediaSource ?? globalThis.MediaSource;
}

/**
 * Plays live fragmented MP4 in a video element, always at the newest picture: it follows the live edge as closely as the
 * network's jitter allows, jumps when it falls behind, and takes new initialization segments in mid-stream.
 */
export class LiveBuffer {
  /** `onstart()` is called at the first picture, `onfail(reason, isSound)` when it cannot go on. */
  constructor(video, { onopen, onstart, onfail }) {
    this.video = video;
    this.onstart = onstart;
    this.onfail = onfail;
    this.stats = { bytes: 0, fragments: 0, jumps: 0, stalls: 0, inits: 0, dropped: 0, lag: 0, slack: 0, type: "" };
    this.source = new (mediaSourceClass())();
    this.buffer = null;
    this.type = "";
    this.pending = [];
    this.pendingBytes = 0;
    this.tracks = new Map();
    this.keys = [];
    this.newest = { video: -1, audio: -1 };
    this.needsKey = false;
    this.hasStarted = false;
    this.firstMs = 0;
    this.isClosed = false;
    this.wantedSlack = 0;
    this.window = { now: Infinity, before: Infinity, turnMs: 0 };
    this.lastStallMs = performance.now();
    this.unsettledMs = performance.now();
    this.soundLostMs = 0;
    this.abort = new AbortController();
    const { signal } = this.abort;
    this.source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(this.url);
      if (!this.isClosed) onopen();
    }, { once: true, signal });
    video.addEventListener("error", () => this.fail(video.error?.message || "the browser cannot play it"), { signal });
    video.addEventListener("waiting", () => this.#onStall(), { signal });
    video.addEventListener("play", () => this.follow(true), { signal });
    video.addEventListener("playing", () => this.#forgetMeasures(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.follow(true), { signal });
    if ("ManagedMediaSource" in globalThis) {
      video.disableRemotePlayback = true;
      video.srcObject = this.source;
    } else {
      this.url = URL.createObjectURL(this.source);
      if (video.srcObject) video.srcObject = null;
      video.src = this.url;
    }
    this.timer = setInterval(() => this.follow(), 250);
  }

  /** Says which codecs the next initialization segment has: a MIME type with its codecs. */
  expect(type) {
    this.type = type;
    if (this.buffer || this.isClosed) return;
    try {
      this.buffer = this.source.addSourceBuffer(type);
    } catch (error) {
      return this.fail(`the browser cannot play ${type}: ${error.message}`);
    }
    this.stats.type = type;
    this.buffer.addEventListener("updateend", () => this.#onAppended(), { signal: this.abort.signal });
  }

  /** Takes a binary message: any number of initialization segments and fragments. */
  push(data) {
    if (this.isClosed) return;
    this.stats.bytes += data.byteLength;
    this.#measure();
    for (const part of cut(data, this.tracks)) this.#take(part);
    this.#append();
  }

  #take(part) {
    if (part.tracks) {
      this.tracks = part.tracks;
      this.stats.inits++;
      this.pending.push({ bytes: part.bytes, type: this.type });
      this.pendingBytes += part.bytes.length;
      return;
    }
    this.stats.fragments++;
    const limit = this.hasStarted ? PENDING_BYTES : PENDING_BYTES_AT_START;
    if (this.pendingBytes + part.bytes.length > limit) this.#overflow();
    const isKey = part.isKey && part.isVideo === this.#hasVideo();
    if (this.needsKey && !isKey) {
      this.stats.dropped++;
      return;
    }
    this.needsKey = false;
    if (part.time !== undefined) this.#remember(part, isKey);
    this.pending.push({ bytes: part.bytes });
    this.pendingBytes += part.bytes.length;
  }

  #hasVideo() {
    for (const track of this.tracks.values()) if (track.isVideo) return true;
    return false;
  }

  #remember({ time, isVideo }, isKey) {
    this.newest[isVideo ? "video" : "audio"] = time;
    if (!isKey || time - (this.keys.at(-1) ?? -1) < 0.2) return;
    this.keys.push(time);
    if (this.keys.length > 512) this.keys.shift();
  }

  // The browser appends slower than media comes: go on at the next keyframe. Initialization segments stay.
  #overflow() {
    const kept = this.pending.filter((part) => part.type !== undefined);
    this.stats.dropped += this.pending.length - kept.length;
    this.pending = kept;
    this.pendingBytes = kept.reduce((sum, part) => sum + part.bytes.length, 0);
    this.needsKey = true;
  }

  #append() {
    const { buffer, pending } = this;
    if (!buffer || buffer.updating || pending.length === 0 || this.source.readyState !== "open") return;
    const first = pending[0];
    let count = 1;
    let size = first.bytes.length;
    if (first.type === undefined) {
      while (count < pending.length && pending[count].type === undefined) size += pending[count++].bytes.length;
    }
    let bytes = first.bytes;
    if (count > 1) {
      bytes = new Uint8Array(size);
      let at = 0;
      for (let i = 0; i < count; i++) {
        bytes.set(pending[i].bytes, at);
        at += pending[i].bytes.length;
      }
    }
    try {
      if (first.type !== undefined && first.type !== this.stats.type) {
        buffer.changeType(first.type);
        this.stats.type = first.type;
      }
      buffer.appendBuffer(bytes);
    } catch (error) {
      if (error.name === "QuotaExceededError") return this.#makeRoom();
      return this.fail(`cannot take the stream: ${error.message}`);
    }
    pending.splice(0, count);
    this.pendingBytes -= size;
  }

  #makeRoom() {
    if (this.#trim(this.video.currentTime)) return;
    this.#overflow();
    const { buffered } = this.buffer;
    if (buffered.length > 0) this.buffer.remove(0, buffered.end(buffered.length - 1) + 1);
  }

  #onAppended() {
    if (this.isClosed) return;
    this.#append();
    this.follow();
    if (!this.buffer.updating) {
      const { buffered } = this.buffer;
      if (buffered.length > 0) this.#trim(buffered.end(buffered.length - 1) - KEEP);
    }
  }

  // Removes what is older than the newest keyframe before `time`. Never into a group of pictures: browsers then drop all
  // of it up to the next keyframe, which may be the picture on screen.
  #trim(time) {
    const { buffered } = this.buffer;
    if (this.buffer.updating || buffered.length === 0) return false;
    const key = this.keys.findLast((one) => one <= time);
    if (key === undefined || key - buffered.start(0) < 1) return false;
    this.keys = this.keys.filter((one) => one >= key);
    this.buffer.remove(0, key - 0.005);
    return true;
  }

  // What was left to play when the next data came: its minimum over two seconds is the distance that can be given up.
  #measure() {
    const { buffer, video, window } = this;
    if (!this.hasStarted || !buffer || buffer.buffered.length === 0 || video.paused || video.readyState < 3) return;
    const nowMs = performance.now();
    if (nowMs - window.turnMs > 1000) {
      window.before = window.now;
      window.now = Infinity;
      window.turnMs = nowMs;
    }
    window.now = Math.min(window.now, buffer.buffered.end(buffer.buffered.length - 1) - video.currentTime);
  }

  #leastSlack() {
    return /mp4a|opus|flac/.test(this.stats.type) ? SLACK.leastWithSound : SLACK.least;
  }

  #forgetMeasures() {
    this.unsettledMs = performance.now();
    this.window = { now: Infinity, before: Infinity, turnMs: performance.now() };
  }

  #onStall() {
    if (!this.hasStarted || this.video.seeking || document.hidden) return;
    this.stats.stalls++;
    this.lastStallMs = performance.now();
    this.wantedSlack = Math.min(SLACK.most, this.wantedSlack + SLACK.step);
    this.#forgetMeasures();
  }

  /** Brings the playback to the live edge, by speed or by a jump; `isDue`: at once. */
  follow(isDue = false) {
    const { buffer, video } = this;
    if (this.isClosed || !buffer || this.source.readyState !== "open") return;
    this.#checkSound();
    const { buffered } = buffer;
    if (buffered.length === 0 || video.seeking) return;
    const start = buffered.start(buffered.length - 1);
    const end = buffered.end(buffered.length - 1);
    const lag = end - video.currentTime;
    this.stats.lag = lag;
    if (!this.hasStarted) {
      this.wantedSlack = this.#leastSlack();
      this.firstMs ||= performance.now();
      // The picture is there already; it shall move when there is enough to go on with.
      if (end - start < this.wantedSlack + 0.05 && performance.now() - this.firstMs < START_MS) return;
      this.hasStarted = true;
      this.#forgetMeasures();
      if (video.currentTime < start || lag > 0.5) this.#jump(start, end);
      this.onstart();
      return;
    }
    if (video.paused && !isDue) return;
    // In a gap, or before what is left of the buffer, nothing would ever play again.
    const isOutside = video.currentTime < start - 0.01 && !isInside(buffered, video.currentTime);
    if (isOutside || lag > JUMP || (isDue && lag > 0.3)) {
      if (video.currentTime > 0) this.stats.jumps++;
      this.#jump(start, end);
    } else {
      this.#setRate();
    }
  }

  #jump(start, end) {
    this.video.currentTime = Math.max(start, end - this.wantedSlack - 0.03);
    this.video.playbackRate = 1;
    this.#forgetMeasures();
  }

  #setRate() {
    const { video } = this;
    const nowMs = performance.now();
    if (nowMs - this.lastStallMs > CALM_MS) {
      this.lastStallMs = nowMs;
      this.wantedSlack = Math.max(this.#leastSlack(), this.wantedSlack - SLACK.step / 4);
    }
    const slack = Math.min(this.window.now, this.window.before);
    if (slack === Infinity) return;
    this.stats.slack = slack;
    const excess = slack - this.wantedSlack;
    let rate = 1;
    const { most, share } = nowMs - this.unsettledMs < FIRST_CHASE.forMs ? FIRST_CHASE : CHASE;
    if (excess > SLACK.tolerance) rate = 1 + Math.min(most, 0.02 + excess * share);
    else if (excess < -SLACK.tolerance / 2) rate = 0.95;
    if (Math.abs(rate - video.playbackRate) >= 0.01) video.playbackRate = rate;
  }

  // A camera may announce sound and never send any.
  #checkSound() {
    const hasSound = this.tracks.size > 1 && this.#hasVideo();
    const isBehind = this.newest.video - Math.max(0, this.newest.audio) > SOUND_PATIENCE && this.video.readyState < 3;
    if (!hasSound || !isBehind) {
      this.soundLostMs = 0;
      return;
    }
    this.soundLostMs ||= performance.now();
    if (performance.now() - this.soundLostMs > 1000) this.fail("the camera announces sound but sends none", true);
  }

  fail(reason, isSound = false) {
    if (this.isClosed) return;
    this.close();
    this.onfail(reason, isSound);
  }

  /** Stops; the video element is left with what it shows. */
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.timer);
    this.abort.abort();
    this.pending = [];
    this.video.playbackRate = 1;
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

function isInside(ranges, time) {
  for (let i = 0; i < ranges.length; i++) {
    if (time >= ranges.start(i) - 0.01 && time < ranges.end(i) - 0.001) return true;
  }
  return false;
}
