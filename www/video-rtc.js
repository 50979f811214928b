import { Backoff } from "./player/backoff.js";
import { technologies } from "./player/choice.js";
import { chooseCodecs, withoutFalseClaims } from "./player/codecs.js";
import { publicFields } from "./player/fields.js";
import { playHls } from "./player/hls.js";
import { LiveBuffer, mediaSourceClass } from "./player/mse.js";
import * as rtc from "./player/rtc.js";
import { watchSight } from "./player/sight.js";
import { holdPicture, Stills } from "./player/stills.js";
import { makeVideo, videoFigures } from "./player/video.js";

/** A server that does not know a message type says nothing: after this time the next technology has its turn. */
const ANSWER_MS = 10_000;
/** For MSE and WebRTC, which are asked first: the server answers when the camera is connected, and gives that 60 s. */
const FIRST_ANSWER_MS = 65_000;
/** How long WebRTC waits with its picture for MSE, where MSE has more to give and is about to start. */
const MSE_GRACE_MS = 1500;

/**
 * A live player: asks the server for a stream over one WebSocket and plays it by the best technology that both sides
 * know. Pages extend it by overriding its `on…` methods; their answers and the public fields are stable.
 */
export class VideoRTC extends HTMLElement {
  #backoff = new Backoff();
  #live;
  #stills;
  #stopPeer;
  #silence = 0;
  #peerSilence = 0;
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

  /** What a page may say in the tag; `src`, `mode` and `media` are properties too. */
  static observedAttributes = ["src", "mode", "media"];

  attributeChangedCallback(name, _before, value) {
    // The address in the tag waits for the video element.
    if (value === null || (name === "src" && !this.video)) return;
    this[name] = value;
  }

  /** The address of `/api/ws`: ws, http, or relative to the page. Setting it connects. */
  set src(value) {
    const url = new URL(String(value), document.baseURI);
    url.protocol = url.protocol.replace(/^http/, "ws");
    if (url.href !== this.wsURL && (this.ws || this.pc)) this.ondisconnect();
    this.#src = String(value);
    this.#backoff.forget();
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
    if (!this.video) {
      this.oninit();
      if (!this.wsURL && this.hasAttribute("src")) this.src = this.getAttribute("src");
    } else if (this.ws || this.pc) this.play();
    this.#stopWatching?.();
    this.#stopWatching = watchSight(this, {
      threshold: this.visibilityThreshold,
      onseen: () => this.isConnected && this.#return(),
      onhidden: () => this.#leave(),
      // The server would find out by itself, only later.
      ongone: () => this.ondisconnect(),
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
    const video = makeVideo();
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
    this.#backoff.begin();
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
    // One of these plays at a time; after an error the next one is tried.
    this.#queue = technologies(wanted);
    const first = this.#queue.shift();
    if (first) started.push(first);
    const isRtc = wanted.some((one) => one === "webrtc" || one === "webrtc/tcp") && "RTCPeerConnection" in globalThis;
    if (isRtc) started.push("webrtc");
    for (const name of started) this.#start(name);
    if (started.length === 0) this.#report(`${this.mode}: the browser can play none of these`);
    return started;
  }

  #start(name) {
    this.#running.add(name);
    this.onmessage[`${name} answer`] = (message) => this.#onAnswer(name, message);
    this[`on${name}`]();
    if (name === "webrtc") return;
    clearTimeout(this.#silence);
    this.#silence = this.#awaitAnswer(name, name === "mse" ? FIRST_ANSWER_MS : ANSWER_MS);
  }

  #awaitAnswer(name, waitMs) {
    const text = `${name}: the server does not answer to "${name}", it may not have it`;
    return setTimeout(() => this.#report(text), waitMs);
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
    this.#backoff.good();
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
    clearTimeout(this.reconnectTID);
    this.reconnectTID = setTimeout(() => {
      this.reconnectTID = 0;
      this.onconnect();
    }, this.#backoff.next(this.RECONNECT_TIMEOUT));
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
    clearTimeout(this.#peerSilence);
    this.#stopPeer?.();
    this.#stopPeer = undefined;
    const { pc } = this;
    this.pc = null;
    this.pcState = WebSocket.CLOSED;
    if (pc) rtc.closePeer(pc);
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
    this.#stopPeer = rtc.watchPeer(pc, () => this.#onPeerUp(pc), () => this.#onPeerDown(pc));
    const take = rtc.exchange(pc, {
      isTcpOnly: this.mode.includes("webrtc/tcp"),
      send: (message) => this.send(message),
      onproblem: (problem) => this.#report(problem),
      onanswer: () => {
        clearTimeout(this.#peerSilence);
        const isSilenced = pc.getSenders().some(({ track }) => track) && !rtc.talks(pc);
        if (isSilenced) this.#notify("The camera has no speaker for this browser's microphone");
      },
    });
    this.onmessage.webrtc = (message) => {
      if (pc !== this.pc) return;
      if (message.type === "error" && /^webrtc\b/.test(message.value)) this.#endPeer();
      else take(message);
    };
    this.createOffer(pc).then((sdp) => {
      if (!sdp || pc !== this.pc) return;
      this.send({ type: "webrtc/offer", value: sdp });
      this.#peerSilence = this.#awaitAnswer("webrtc", FIRST_ANSWER_MS);
    }).catch((error) => pc === this.pc && this.#report(`webrtc: ${error.message}`));
  }

  /** Makes the offer for `media`. */
  createOffer(pc) {
    return rtc.makeOffer(pc, this.media, (problem) => this.#notify(problem));
  }

  // Something the viewer should know that stops nothing: an event `notice`, whose detail is the text.
  #notify(detail) {
    this.dispatchEvent(new CustomEvent("notice", { detail }));
  }

  #onPeerUp(pc) {
    if (pc !== this.pc || this.pcState === WebSocket.OPEN) return;
    rtc.firstPicture(pc, (video) => pc === this.pc && this.onpcvideo(video));
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

  /**
   * WebRTC shows its first picture, in `video2`: takes it over if it is at least as good as what plays now. What is
   * better and about to start has a moment to do so.
   */
  onpcvideo(video2, isLast = false) {
    const { pc, video } = this;
    if (!pc) return;
    const stream = video2.srcObject;
    const isWorth = (codecs) => rtc.rtcWorth(pc, stream) >= rtc.mseWorth(codecs);
    const live = this.#live;
    if (!isLast && live && !live.hasStarted && !isWorth(this.mseCodecs)) {
      setTimeout(() => pc === this.pc && this.onpcvideo(video2, true), MSE_GRACE_MS);
      return;
    }
    if (isWorth(live?.hasStarted ? this.mseCodecs : "")) {
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
      const { ws } = this;
      try {
        playHls(video, {
          master: value,
          base: this.wsURL.replace(/^ws/, "http"),
          onplaying: () => this.#onMedia("hls"),
          onfail: (reason) => ws === this.ws && this.#report(`hls: ${reason}`),
        });
      } catch (error) {
        return this.#report(`hls: ${error.message}`);
      }
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
    const other = [...this.#running].find((name) => name !== "webrtc") ?? "";
    const mode = this.pcState === WebSocket.OPEN ? "webrtc" : other;
    return {
      mode,
      codecs: mode === "mse" ? this.mseCodecs : "",
      ...videoFigures(this.video),
      stills: this.#stills?.shown ?? 0,
      ...this.#live?.stats,
    };
  }

  /** What the peer connection receives and sends, for a read-out; `undefined`: there is none. */
  async peerStats() {
    return this.pc ? await rtc.peerFigures(this.pc) : undefined;
  }
}
