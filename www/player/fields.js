import { CODECS } from "./codecs.js";

/** How a peer connection is made unless a page says otherwise. */
export const PC_CONFIG = {
  bundlePolicy: "max-bundle",
  iceServers: [{ urls: ["stun:stun.cloudflare.com:3478", "stun:stun.l.google.com:19302"] }],
};

/** The public fields of a player, with their first values. Pages set the upper ones; the lower ones are its state. */
export function publicFields() {
  return {
    /** Milliseconds between hiding and disconnecting, and the longest pause between attempts to connect. */
    DISCONNECT_TIMEOUT: 5000,
    RECONNECT_TIMEOUT: 15_000,
    CODECS: [...CODECS],
    /** Technologies: `webrtc webrtc/tcp mse hls mp4 mjpeg`. */
    mode: "webrtc,mse,hls,mjpeg",
    /** `video audio microphone`. */
    media: "video,audio",
    /** Go on while hidden or detached. */
    background: false,
    /** Above 0: stop when less than this share of the element is in view. */
    visibilityThreshold: 0,
    /** Stop when the page is hidden. */
    visibilityCheck: true,
    pcConfig: structuredClone(PC_CONFIG),
    wsState: WebSocket.CLOSED,
    pcState: WebSocket.CLOSED,
    video: null,
    ws: null,
    wsURL: "",
    pc: null,
    connectTS: 0,
    /** The codecs of the MSE stream. */
    mseCodecs: "",
    disconnectTID: 0,
    reconnectTID: 0,
    /** Takes binary messages. */
    ondata: null,
    /** Functions that take every JSON message, by any name. */
    onmessage: {},
    /** Why the server closed the connection, if it said so. */
    closeReason: "",
  };
}
