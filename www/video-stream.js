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
video-stream .notice { position: absolute; left: 0; right: 0; bottom: 48px; width: fit-content; max-width: 80%;
  margin: 0 auto; padding: 8px 34px 8px 14px; border-radius: 10px; background: rgb(120 74 0 / .9); }
video-stream .notice:empty { display: none; }
video-stream .notice button { position: absolute; top: 4px; right: 6px; border: 0; padding: 2px 6px; background: none;
  color: inherit; font: inherit; cursor: pointer; pointer-events: auto; }
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
  #notice;
  #spinner;
  #stats;
  #timer = 0;
  #before = { atMs: 0 };

  /** The text of the corner: `loading` or a technology. */
  set divMode(value) {
    if (!this.#mode) return;
    const isLoading = value === "loading";
    this.#mode.textContent = isLoading ? "" : value;
    this.#mode.classList.remove("quiet");
    this.#spinner.classList.toggle("on", isLoading && !this.#error.textContent);
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

  /** What the viewer should know while it plays: why there is no microphone. */
  set divNotice(value) {
    if (!this.#notice) return;
    const close = document.createElement("button");
    close.textContent = "✕";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", () => this.#notice.replaceChildren());
    this.#notice.replaceChildren(...value ? [value, close] : []);
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
    this.#notice = part("notice");
    this.append(info);
    this.addEventListener("notice", ({ detail }) => this.divNotice = detail);
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

  async #showStats() {
    const stats = { ...this.stats, ...await this.peerStats() };
    const nowMs = performance.now();
    const seconds = (nowMs - this.#before.atMs) / 1000;
    const perSecond = (name) => Math.max(0, ((stats[name] ?? 0) - (this.#before[name] ?? 0)) / seconds);
    const mbits = (name) => `${(perSecond(name) * 8 / 1e6).toFixed(2)} Mbit/s`;
    const ms = (value) => `${(value ?? 0).toFixed(0)} ms`;
    const lines = [
      `${stats.mode || "–"}  ${stats.width}×${stats.height}  ${perSecond("decoded").toFixed(0)} fps`,
      [stats.codecs].flat().join(" ").replace(/^.*codecs=/, ""),
      `decoded ${stats.decoded}  dropped ${stats.dropped}`,
    ];
    if (stats.lag !== undefined) {
      lines.push(
        mbits("bytes"),
        `buffer ${ms(stats.lag * 1000)}  slack ${ms(stats.slack * 1000)}`,
        `rate ${stats.rate.toFixed(2)}  jumps ${stats.jumps}  stalls ${stats.stalls}  inits ${stats.inits}`,
      );
    } else if (stats.mode === "webrtc") {
      lines.push(
        `${mbits("bytes")}  ${stats.protocol ?? ""}  round trip ${ms(stats.roundTripMs)}`,
        `buffer ${ms(stats.bufferMs)}  freezes ${stats.freezes}`,
        `lost ${stats.lost} of ${stats.packets + stats.lost}  asked again ${stats.asked}`,
        stats.sentBytes > 0 ? `talking ${(perSecond("sentBytes") * 8 / 1e3).toFixed(0)} kbit/s` : "",
      );
    }
    this.#stats.textContent = lines.filter(Boolean).join("\n");
    this.#before = { atMs: nowMs, ...stats };
  }
}

customElements.define("video-stream", VideoStream);
