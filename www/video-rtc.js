import { chooseCodecs, withoutFalseClaims } from "./player/codecs.js";
import { publicFields } from "./player/fields.js";
import { LiveBuffer, mediaSourceClass } from "./player/mse.js";
import { closePeer, firstPicture, makeOffer, mseWorth, rtcWorth, watchPeer } from "./player/rtc.js";
import { watchSight } from "./player/sight.js";
import { holdPicture, Stills } from "./player/stills.js";

/** The first retry comes after this time; each one that fails doubles it, up to `RECONNECT_TIMEOUT`. */
const FIRST_RETRY_MS = 1000;
/** A connection that gave media for this long counts as a good one. */
const GOOD_MS = 3000;
/** A server that does not know a message type says nothing: after this time the next technology has its turn. */
const ANSWER_MS = 10_000;

/**
 * A live player: asks the server for a stream over one WebSocket and plays it by the best technology that both sides
 * know. Pages extend it by overriding its `on…` methods; their answers and the public fields are stable.
 */
export class VideoRTC extends HTMLElement {
  #failures = 0;
  #goodSinceMs = 0;
  #live;
  #stills;
  #stopPeer;
  #silence = 0;
  #running = new Set();
  #queue = [];
  #isMutedByBrowser = false;
  #wantsSound = true;
  #stopWatching;
  #hadControls;
  #src = "";

  constructor() {
    super();
    // A page may set properties before the element's class is there.
    for (const [name, value] of Object.entries(publicFields())) if (!Object.hasOwn(this, name)) this[name] = value;
  }

  /** The address of `/api/ws`: ws, http, or relative to the page. Setting it connects. */
  set src(value) {
    const url = new URL(String(value), document.baseURI);
    url.protocol = url.protocol.replace(/^http/, "ws");
    if (url.href !== this.wsURL && (this.ws || this.pc)) this.ondisconnect();
    this.#src = String(value);
    this.#failures = 0;
    this.#wantsSound = true;
    this.wsURL = url.href;
    this.onconnect();
  }
  get src() {
    return this.#src;
  }

  /** Starts playing; where the browser allows no sound yet, without it. */
  play() {
    const { video } = this;
    if (!video) return;
    if (this.#isMutedByBrowser) video.muted = false;
    video.play().catch((error) => {
      // Any other error comes from a change of source, which plays again by itself.
      if (error.name !== "NotAllowedError" || video.muted) return;
      this.#isMutedByBrowser = true;
      video.muted = true;
      video.play().catch(() => {
        // Not even without sound: the viewer has to press play.
      });
    });
  }

  /** Sends a message as JSON; nothing happens while there is no connection. */
  send(value) {
    if (this.ws?.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify(value));
  }

  /** The codecs to ask for, as the server expects them: those of `CODECS` that fit `media` and pass `isSupported`. */
  codecs(isSupported) {
    const media = this.#wantsSound ? this.media : this.media.replace("audio", "");
    return chooseCodecs(this.CODECS, media, isSupported);
  }

  connectedCallback() {
    clearTimeout(this.disconnectTID);
    this.disconnectTID = 0;
    if (Object.hasOwn(this, "src")) {
      const early = this.src;
      delete this.src;
      this.src = early;
    }
    if (!this.video) this.oninit();
    else if (this.ws || this.pc) this.play();
    this.#stopWatching?.();
    this.#stopWatching = watchSight(this, {
      threshold: this.visibilityThreshold,
      onseen: () => this.isConnected && this.#return(),
      onhidden: () => this.#leave(),
    });
    this.onconnect();
  }

  disconnectedCallback() {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#leave();
  }

  #leave() {
    if (this.background || this.disconnectTID) return;
    if (this.wsState === WebSocket.CLOSED && this.pcState === WebSocket.CLOSED) return;
    this.disconnectTID = setTimeout(() => {
      this.disconnectTID = 0;
      this.ondisconnect();
    }, this.DISCONNECT_TIMEOUT);
  }

  #return() {
    clearTimeout(this.disconnectTID);
    this.disconnectTID = 0;
    this.onconnect();
  }

  /** Makes the video element; called once, when the player is first put into a page. */
  oninit() {
    const video = document.createElement("video");
    video.controls = true;
    video.playsInline = true;
    video.preload = "auto";
    video.style.cssText = "display:block;width:100%;height:100%";
    video.addEventListener("volumechange", () => {
      if (!video.muted) this.#isMutedByBrowser = false;
    });
    this.video = video;
    this.append(video);
    this.CODECS = withoutFalseClaims(this.CODECS);
  }

  /** Connects, unless it is connected, detached, or has no address; answers whether it does. */
  onconnect() {
    if (!this.isConnected || !this.wsURL || this.ws || this.pc) return false;
    clearTimeout(this.reconnectTID);
    this.reconnectTID = 0;
    this.wsState = WebSocket.CONNECTING;
    this.connectTS = Date.now();
    const ws = this.ws = new WebSocket(this.wsURL);
    ws.binaryType = "arraybuffer";
    ws.addEventListener("open", () => this.ws === ws && this.onopen());
    ws.addEventListener("close", (event) => {
      if (this.ws !== ws) return;
      this.closeReason = event.reason;
      this.onclose();
    });
    return true;
  }

  /** Ends every connection. */
  ondisconnect() {
    this.wsState = WebSocket.CLOSED;
    this.pcState = WebSocket.CLOSED;
    clearTimeout(this.reconnectTID);
    this.reconnectTID = 0;
    const { ws, video } = this;
    this.ws = null;
    ws?.close();
    this.#endMedia();
    this.#endPeer();
    if (!video) return;
    holdPicture(video);
    video.srcObject = null;
    video.removeAttribute("src");
    video.load();
  }

  /** The WebSocket is open: asks for the stream. Answers the names of the technologies that were started. */
  onopen() {
    this.wsState = WebSocket.OPEN;
    this.#goodSinceMs = 0;
    this.ondata = null;
    this.onmessage = {};
    const { ws } = this;
    ws.addEventListener("message", ({ data }) => {
      if (this.ws !== ws) return;
      if (typeof data === "string") this.#dispatch(data);
      else this.ondata?.(data);
    });
    const wanted = this.mode.split(",").map((one) => one.trim());
    const started = [];
    this.#running.clear();
    this.#queue = this.#choose(wanted);
    const first = this.#queue.shift();
    if (first) started.push(first);
    const isRtc = wanted.some((one) => one === "webrtc" || one === "webrtc/tcp") && "RTCPeerConnection" in globalThis;
    if (isRtc) started.push("webrtc");
    for (const name of started) this.#start(name);
    if (started.length === 0) this.#report(`${this.mode}: the browser can play none of these`);
    return started;
  }

  // One of these plays at a time; after an error the next one is tried.
  #choose(wanted) {
    const video = this.video ?? document.createElement("video");
    const isNative = video.canPlayType("application/vnd.apple.mpegurl") !== "";
    const can = { mse: mediaSourceClass() !== undefined, hls: isNative, mp4: true, mjpeg: true };
    const all = ["mse", "hls", "mp4", "mjpeg"].filter((name) => wanted.includes(name) && can[name]);
    // What fails as MSE for lack of a codec fails as HLS too.
    return all[0] === "mse" ? all.filter((name) => name !== "hls") : all;
  }

  #start(name) {
    this.#running.add(name);
    this.onmessage[`${name} answer`] = (message) => this.#onAnswer(name, message);
    if (name === "mse") this.onmse();
    else if (name === "hls") this.onhls();
    else if (name === "mp4") this.onmp4();
    else if (name === "mjpeg") this.onmjpeg();
    else this.onwebrtc();
    if (name === "mse" || name === "webrtc") return;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#report(`${name}: the server does not answer`), ANSWER_MS);
  }

  #onAnswer(name, { type, value = "" }) {
    if (type === name || (type === "mse" && name === "mp4")) clearTimeout(this.#silence);
    if (type !== "error" || value.split(/[:/]/, 1)[0] !== name) return;
    delete this.onmessage[`${name} answer`];
    this.#end(name);
  }

  #end(name) {
    clearTimeout(name === "webrtc" ? 0 : this.#silence);
    this.#running.delete(name);
    const next = name === "webrtc" ? undefined : this.#queue.shift();
    if (next) this.#start(next);
    // Nothing can play now: later it may, when the camera is back.
    else if (this.#running.size === 0) this.ws?.close();
  }

  #dispatch(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      // Not of this protocol.
      return;
    }
    for (const name of Object.keys(this.onmessage)) this.onmessage[name]?.(message);
  }

  #report(value) {
    this.#dispatch(JSON.stringify({ type: "error", value }));
  }

  // Says so to the page with an event `media`; its detail is the technology.
  #onMedia(mode) {
    this.#goodSinceMs ||= performance.now();
    this.dispatchEvent(new CustomEvent("media", { detail: mode }));
  }

  /** The WebSocket was closed; answers whether it will be opened again. */
  onclose() {
    this.ws = null;
    if (this.wsState === WebSocket.CLOSED) return false;
    this.wsState = WebSocket.CONNECTING;
    this.#endMedia();
    this.#reconnect();
    return true;
  }

  #reconnect() {
    if (this.#goodSinceMs > 0 && performance.now() - this.#goodSinceMs > GOOD_MS) this.#failures = 0;
    this.#goodSinceMs = 0;
    const delay = Math.min(this.RECONNECT_TIMEOUT, FIRST_RETRY_MS * 2 ** Math.min(this.#failures++, 10));
    clearTimeout(this.reconnectTID);
    this.reconnectTID = setTimeout(() => {
      this.reconnectTID = 0;
      this.onconnect();
    }, delay);
  }

  #endMedia() {
    clearTimeout(this.#silence);
    this.#live?.close();
    this.#live = undefined;
    this.#stills?.close();
    this.#stills = undefined;
    this.ondata = null;
    if (this.#hadControls !== undefined) this.video.controls = this.#hadControls;
    this.#hadControls = undefined;
  }

  #endPeer() {
    this.#stopPeer?.();
    this.#stopPeer = undefined;
    const { pc } = this;
    this.pc = null;
    this.pcState = WebSocket.CLOSED;
    if (pc) closePeer(pc);
  }

  /** Plays fragmented MP4 through Media Source Extensions. */
  onmse() {
    const { video } = this;
    holdPicture(video);
    const isSupported = (type) => mediaSourceClass().isTypeSupported(type);
    const live = this.#live = new LiveBuffer(video, {
      onopen: () => this.send({ type: "mse", value: this.codecs(isSupported) }),
      onstart: () => {
        this.#onMedia("mse");
        this.play();
      },
      onfail: (reason, isSound) => {
        if (isSound) this.#wantsSound = false;
        // A new connection is the cure, not another technology.
        delete this.onmessage["mse answer"];
        this.#report(`mse: ${reason}`);
        this.ws?.close();
      },
    });
    this.onmessage.mse = ({ type, value }) => {
      if (type !== "mse" || live !== this.#live) return;
      this.mseCodecs = value;
      live.expect(value);
    };
    this.ondata = (data) => live.push(data);
  }

  /** Plays WebRTC, beside what else was started, until it is clear which of the two is better. */
  onwebrtc() {
    const pc = this.pc = new RTCPeerConnection(this.pcConfig);
    this.pcState = WebSocket.CONNECTING;
    const isTcpOnly = this.mode.includes("webrtc/tcp");
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate && isTcpOnly && candidate.protocol === "udp") return;
      this.send({ type: "webrtc/candidate", value: candidate?.candidate ?? "" });
    });
    this.#stopPeer = watchPeer(pc, () => this.#onPeerUp(pc), () => this.#onPeerDown(pc));
    this.onmessage.webrtc = ({ type, value = "" }) => {
      if (pc !== this.pc) return;
      if (type === "webrtc/candidate") {
        if (isTcpOnly && value.includes(" udp ")) return;
        const candidate = value === "" ? undefined : { candidate: value, sdpMid: "0" };
        pc.addIceCandidate(candidate).catch((error) => console.warn("webrtc: candidate refused:", error.message));
      } else if (type === "webrtc/answer") {
        pc.setRemoteDescription({ type: "answer", sdp: value })
          .catch((error) => this.#report(`webrtc: ${error.message}`));
      } else if (type === "error" && /^webrtc\b/.test(value)) {
        this.#endPeer();
      }
    };
    this.createOffer(pc).then((sdp) => {
      if (sdp && pc === this.pc) this.send({ type: "webrtc/offer", value: sdp });
    }).catch((error) => pc === this.pc && this.#report(`webrtc: ${error.message}`));
  }

  /** Makes the offer for `media`. */
  createOffer(pc) {
    return makeOffer(pc, this.media, (problem) => this.#report(problem));
  }

  #onPeerUp(pc) {
    if (pc !== this.pc || this.pcState === WebSocket.OPEN) return;
    firstPicture(pc, (video) => pc === this.pc && this.onpcvideo(video));
  }

  #onPeerDown(pc) {
    if (pc !== this.pc) return;
    const wasPlaying = this.pcState === WebSocket.OPEN;
    this.#endPeer();
    if (this.ws) return this.#end("webrtc");
    if (!wasPlaying) return;
    holdPicture(this.video);
    this.wsState = WebSocket.CONNECTING;
    this.#reconnect();
  }

  /** WebRTC shows its first picture, in `video2`: takes it over if it is at least as good as what plays now. */
  onpcvideo(video2) {
    const { pc, video } = this;
    if (!pc) return;
    const stream = video2.srcObject;
    if (rtcWorth(stream, pc.remoteDescription?.sdp ?? "") >= mseWorth(this.#live?.hasStarted ? this.mseCodecs : "")) {
      this.#endMedia();
      video.removeAttribute("src");
      video.srcObject = stream;
      this.pcState = WebSocket.OPEN;
      this.wsState = WebSocket.CLOSED;
      this.#onMedia("webrtc");
      this.play();
      const { ws } = this;
      this.ws = null;
      ws?.close();
    } else {
      this.#endPeer();
      this.#running.delete("webrtc");
    }
    video2.srcObject = null;
  }

  /** Plays HLS as the browser does it by itself. */
  onhls() {
    const { video } = this;
    this.onmessage.hls = ({ type, value = "" }) => {
      if (type !== "hls") return;
      // The master playlist came as text; its first address is a playlist that the browser can load.
      const path = value.split(/\r?\n/).find((line) => line !== "" && !line.startsWith("#"));
      if (!path) return this.#report("hls: the server's playlist is empty");
      const base = this.wsURL.replace(/^ws/, "http");
      holdPicture(video);
      video.srcObject = null;
      video.src = new URL(path, base).href;
      video.addEventListener("loadeddata", () => this.#onMedia("hls"), { once: true });
      const { ws } = this;
      video.addEventListener("error", () => {
        if (ws === this.ws && video.src) this.#report(`hls: ${video.error?.message || "the browser cannot play it"}`);
      }, { once: true });
      this.play();
    };
    this.send({ type: "hls", value: this.codecs((type) => video.canPlayType(type) !== "") });
  }

  /** Shows keyframes, each a whole MP4 file. */
  onmp4() {
    const { video } = this;
    this.#showStills("mp4", "video/mp4");
    this.send({ type: "mp4", value: this.codecs((type) => video.canPlayType(type) !== "") });
  }

  /** Shows JPEGs. */
  onmjpeg() {
    this.#showStills("mjpeg", "image/jpeg");
    this.send({ type: "mjpeg" });
  }

  #showStills(mode, type) {
    this.#live?.close();
    this.#stills?.close();
    const stills = this.#stills = new Stills(this.video, type, () => this.#onMedia(mode));
    this.video.removeAttribute("src");
    this.video.srcObject = null;
    this.#hadControls ??= this.video.controls;
    this.video.controls = false;
    this.ondata = (data) => {
      clearTimeout(this.#silence);
      stills.push(data);
    };
  }

  /** What plays and how well, for a read-out: seconds, bytes, counts. */
  get stats() {
    const { video } = this;
    const quality = video?.getVideoPlaybackQuality?.();
    const mode = this.pcState === WebSocket.OPEN
      ? "webrtc"
      : [...this.#running].find((name) => name !== "webrtc") ?? "";
    return {
      mode,
      codecs: mode === "mse" ? this.mseCodecs : "",
      width: video?.videoWidth ?? 0,
      height: video?.videoHeight ?? 0,
      decoded: quality?.totalVideoFrames ?? 0,
      dropped: quality?.droppedVideoFrames ?? 0,
      rate: video?.playbackRate ?? 1,
      stills: this.#stills?.shown ?? 0,
      ...this.#live?.stats,
    };
  }
}
