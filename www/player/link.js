import { Backoff } from "./backoff.js";
import { PC_CONFIG } from "./fields.js";
import { exchange, peerFigures, watchPeer } from "./rtc.js";

/** Pauses between attempts, candidates without a server that is not there, and answers, are not waited for longer. */
const LONGEST_PAUSE_MS = 15_000;
const GATHER_MS = 3000;
const CONNECT_MS = 15_000;

/**
 * A peer connection to the server that is made again whenever it ends, until `close`. `query` says to what (`src` or
 * `dst`); `tracks` are sent, one line for each of `kinds` (`video`, `audio`) is received. With `isSync` offer and answer
 * go over HTTP, complete; else over a WebSocket. Says how it is with an event `state`: `connecting`, `live`, or
 * `waiting` with a reason; `stream` holds what comes in.
 */
export class PeerLink extends EventTarget {
  stream = new MediaStream();
  #options;
  #backoff = new Backoff();
  #closing = new AbortController();
  #pc;

  constructor(options) {
    super();
    this.#options = options;
  }

  /** Runs until `close`. */
  async run() {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#tell("connecting");
      this.#backoff.begin();
      const reason = await this.#once(signal).catch(({ message }) => message);
      if (signal.aborted) break;
      const pauseMs = this.#backoff.next(LONGEST_PAUSE_MS);
      this.#tell("waiting", reason);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
      });
    }
  }

  #tell(state, reason = "") {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, reason } }));
  }

  // Answers why the connection ended.
  async #once(signal) {
    const { tracks, kinds, isSync } = this.#options;
    const pc = this.#pc = new RTCPeerConnection(PC_CONFIG);
    const ended = Promise.withResolvers();
    const onAbort = () => ended.resolve("");
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(() => ended.resolve("the server cannot be reached by WebRTC"), CONNECT_MS);
    const stop = watchPeer(pc, () => {
      clearTimeout(timer);
      this.#backoff.good();
      this.#tell("live");
    }, () => ended.resolve("the connection was lost"));
    for (const track of tracks) pc.addTransceiver(track, { direction: "sendonly" });
    for (const kind of kinds) pc.addTransceiver(kind, { direction: "recvonly" });
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
    pc.addEventListener("track", ({ track }) => this.stream.addTrack(track));
    let leave = () => {};
    try {
      await pc.setLocalDescription(await pc.createOffer());
      leave = isSync ? await this.#post(pc, signal) : await this.#talk(pc, ended);
      return await ended.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      stop();
      leave();
      pc.close();
    }
  }

  /** Offer and answer over HTTP; answers what tells the server that we leave. */
  async #post(pc, signal) {
    await gathered(pc);
    const url = new URL(`api/webrtc?${this.#options.query}`, document.baseURI);
    const headers = { "content-type": "application/sdp" };
    const response = await fetch(url, { method: "POST", headers, body: pc.localDescription.sdp, signal });
    const text = await response.text();
    if (!response.ok) throw new Error(text.trim() || `the server answered ${response.status}`);
    await pc.setRemoteDescription({ type: "answer", sdp: text });
    const location = response.headers.get("location");
    return () => {
      // The server finds out by itself too, only later.
      if (location) fetch(new URL(location, url), { method: "DELETE", keepalive: true }).catch(() => {});
    };
  }

  /** The same over a WebSocket, candidates one by one; answers what closes it. */
  #talk(pc, ended) {
    const url = new URL(`api/ws?${this.#options.query}`, document.baseURI);
    url.protocol = url.protocol.replace(/^http/, "ws");
    const socket = new WebSocket(url);
    const queue = [];
    const send = (message) => {
      // Candidates may be found before the server can hear of them.
      if (socket.readyState === WebSocket.CONNECTING) queue.push(message);
      else if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    };
    const take = exchange(pc, {
      isTcpOnly: false,
      send,
      onproblem: (problem) => ended.resolve(problem),
    });
    socket.addEventListener("open", () => {
      send({ type: "webrtc/offer", value: pc.localDescription.sdp });
      for (const message of queue.splice(0)) send(message);
    });
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "error") ended.resolve(message.value.replace(/^[\w/]+: (streams: |webrtc: )?/, ""));
      else take(message);
    });
    socket.addEventListener("close", ({ reason }) => {
      // A session outlives its socket.
      if (pc.connectionState !== "connected") ended.resolve(reason || "the server does not answer");
    });
    return () => socket.close();
  }

  /** Counts, bytes and milliseconds for a read-out; `undefined` while there is no connection. */
  async figures() {
    return this.#pc?.connectionState === "connected" ? await peerFigures(this.#pc) : undefined;
  }

  /** Ends it, and lets go of the devices. */
  close() {
    this.#closing.abort();
    for (const track of this.#options.tracks) track.stop();
  }
}

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER_MS);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}
