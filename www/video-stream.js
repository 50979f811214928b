import { VideoRTC } from "./video-rtc.js";

const STYLE = `
video-stream { position: relative; display: block; background: #000; overflow: hidden; }
video-stream > .info { position: absolute; inset: 0; pointer-events: none; font: 500 12px/1.4 system-ui, sans-serif;
  color: #fff; }
video-stream .mode { position: absolute; top: 10px; right: 10px; padding: 2px 8px; border-radius: 99px;
  background: rgb(0 0 0 / .5); letter-spacing: .04em; transition: opacity .6s; }
video-stream .mode:empty, video-stream .error:empty { display: none; }
video-stream .mode.quiet { opacity: 0; }
video-stream:hover .mode.quiet { opacity: 1; }
video-stream .error { position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%); max-width: 80%;
  padding: 8px 14px; border-radius: 10px; background: rgb(20 22 30 / .78); overflow-wrap: anywhere; text-align: center; }
video-stream .stats { position: absolute; top: 10px; left: 10px; margin: 0; padding: 8px 10px; border-radius: 8px;
  background: rgb(0 0 0 / .62); font: 11px/1.5 ui-monospace, monospace; white-space: pre; }
video-stream .spinner { position: absolute; left: 50%; top: 50%; width: 34px; height: 34px; margin: -17px; opacity: 0;
  border: 3px solid rgb(255 255 255 / .25); border-top-color: #fff; border-radius: 50%; transition: opacity .3s; }
video-stream .spinner.on { opacity: 1; transition-delay: .4s; animation: video-stream-turn 1s linear infinite; }
@keyframes video-stream-turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { video-stream .spinner.on { animation-duration: 4s; } }
`;

let hasStyle = false;

/** The player with a read-out: which technology plays, what went wrong, and with `?stats` how well it plays. */
class VideoStream extends VideoRTC {
  #mode;
  #error;
  #spinner;
  #stats;
  #timer = 0;
  #before = { atMs: 0, bytes: 0, decoded: 0 };

  /** The text of the corner: `loading` or a technology. */
  set divMode(value) {
    if (!this.#mode) return;
    const isLoading = value === "loading";
    this.#mode.textContent = isLoading ? "" : value;
    this.#mode.classList.remove("quiet");
    this.#spinner.classList.toggle("on", isLoading);
    if (isLoading) return;
    this.divError = "";
    setTimeout(() => this.#mode.classList.add("quiet"), 3000);
  }

  /** What went wrong, for people; empty takes it away. */
  set divError(value) {
    if (!this.#error) return;
    this.#error.textContent = value;
    if (value) this.#spinner.classList.remove("on");
  }

  oninit() {
    super.oninit();
    if (!hasStyle) {
      hasStyle = true;
      const style = document.createElement("style");
      style.textContent = STYLE;
      document.head.append(style);
    }
    const info = document.createElement("div");
    info.className = "info";
    const part = (name) => {
      const div = document.createElement("div");
      div.className = name;
      info.append(div);
      return div;
    };
    this.#spinner = part("spinner");
    this.#mode = part("mode");
    this.#error = part("error");
    this.append(info);
    this.addEventListener("media", ({ detail }) => this.divMode = detail === "webrtc" ? "RTC" : detail.toUpperCase());
    this.video.addEventListener("playing", () => this.#spinner.classList.remove("on"));
    if (new URLSearchParams(location.search).has("stats")) this.#stats = part("stats");
  }

  connectedCallback() {
    super.connectedCallback();
    if (this.#stats) this.#timer = setInterval(() => this.#showStats(), 500);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    super.disconnectedCallback();
  }

  onconnect() {
    const isConnecting = super.onconnect();
    if (isConnecting) this.divMode = "loading";
    return isConnecting;
  }

  onopen() {
    const started = super.onopen();
    this.onmessage.stream = ({ type, value = "" }) => {
      if (type === "error") this.#onError(started, value);
    };
    return started;
  }

  // While another technology plays, the failure of one is nobody's concern.
  #onError(started, value) {
    const isSide = value.startsWith("webrtc") && started.length > 1;
    if (!isSide) this.divError = value.replace(/^[\w/]+: (streams: )?/, "");
  }

  onclose() {
    const isComingBack = super.onclose();
    if (isComingBack && this.closeReason) this.divError = this.closeReason;
    else if (isComingBack && !this.#error.textContent) this.#spinner.classList.add("on");
    return isComingBack;
  }

  #showStats() {
    const stats = this.stats;
    const nowMs = performance.now();
    const seconds = (nowMs - this.#before.atMs) / 1000;
    const perSecond = (name) => Math.max(0, ((stats[name] ?? 0) - (this.#before[name] ?? 0)) / seconds);
    const lines = [
      `${stats.mode || "–"}  ${stats.width}×${stats.height}  ${perSecond("decoded").toFixed(0)} fps`,
      stats.codecs.replace(/^.*codecs=/, ""),
      `decoded ${stats.decoded}  dropped ${stats.dropped}`,
    ];
    if (stats.lag !== undefined) {
      lines.push(
        `${(perSecond("bytes") * 8 / 1e6).toFixed(2)} Mbit/s`,
        `buffer ${(stats.lag * 1000).toFixed(0)} ms  slack ${(stats.slack * 1000).toFixed(0)} ms`,
        `rate ${stats.rate.toFixed(2)}  jumps ${stats.jumps}  stalls ${stats.stalls}  inits ${stats.inits}`,
      );
    }
    this.#stats.textContent = lines.filter(Boolean).join("\n");
    this.#before = { atMs: nowMs, bytes: stats.bytes ?? 0, decoded: stats.decoded };
  }
}

customElements.define("video-stream", VideoStream);
