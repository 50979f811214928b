import { mediaWords, openDevices } from "./devices.js";

/** A connection that reports `disconnected` may come back by itself within this time, in milliseconds. */
const RECOVER_MS = 1500;

/** Weights by which picture and sound of two technologies are compared: the larger sum is the better stream. */
const WEIGHT = { rtcVideo: 0x220, rtcVideoH265: 0x240, rtcAudio: 0x102, hevc: 0x230, avc: 0x210, aac: 0x101 };
/** Only WebRTC lets the viewer talk. */
const TALKING = 0x1000;

/** What a peer connection with this incoming stream is worth. */
export function rtcWorth(pc, stream) {
  const sdp = pc.remoteDescription?.sdp ?? "";
  let worth = talks(pc) ? TALKING : 0;
  if (stream.getVideoTracks().length > 0) {
    worth += /a=rtpmap:\d+ H265\//i.test(sdp) ? WEIGHT.rtcVideoH265 : WEIGHT.rtcVideo;
  }
  if (stream.getAudioTracks().length > 0) worth += WEIGHT.rtcAudio;
  return worth;
}

/** What an MSE stream with these codecs is worth. */
export function mseWorth(codecs) {
  let worth = 0;
  if (codecs.includes("hvc1.")) worth += WEIGHT.hevc;
  if (codecs.includes("avc1.")) worth += WEIGHT.avc;
  if (codecs.includes("mp4a.")) worth += WEIGHT.aac;
  return worth;
}

/** Whether the other side takes what we send. */
export function talks(pc) {
  return pc.getTransceivers().some(({ sender, currentDirection }) =>
    sender.track && /^send/.test(currentDirection ?? "")
  );
}

/**
 * Watches a peer connection: `onup` once its media flows, `ondown` once when it has ended. Answers what stops watching.
 */
export function watchPeer(pc, onup, ondown) {
  let timer = 0;
  const abort = new AbortController();
  const stop = () => {
    clearTimeout(timer);
    abort.abort();
  };
  const check = () => {
    clearTimeout(timer);
    if (pc.connectionState === "connected") onup();
    else if (pc.connectionState === "disconnected") timer = setTimeout(down, RECOVER_MS);
    else if (pc.connectionState === "failed" || pc.connectionState === "closed") down();
  };
  const down = () => {
    stop();
    ondown();
  };
  pc.addEventListener("connectionstatechange", check, { signal: abort.signal });
  return stop;
}

/** Adds what the page sends and wants to receive, and makes the offer. `onproblem` hears why there is no microphone. */
export async function makeOffer(pc, media, onproblem) {
  const words = mediaWords(media);
  if (words.has("microphone")) {
    const { tracks, problems } = await openDevices(new Set(["microphone"]));
    // The viewer may have left while the browser asked.
    for (const track of tracks) {
      if (pc.signalingState === "closed") track.stop();
      else pc.addTransceiver(track, { direction: "sendonly" });
    }
    for (const problem of problems) onproblem(problem);
  }
  if (pc.signalingState === "closed") return undefined;
  for (const kind of ["video", "audio"]) if (words.has(kind)) pc.addTransceiver(kind, { direction: "recvonly" });
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  return pc.localDescription.sdp;
}

/**
 * Exchanges answer and candidates with the server over its WebSocket; answers what takes its messages. With `isTcpOnly`,
 * candidates for UDP are kept from both sides. `onproblem` hears what is wrong with the answer.
 */
export function exchange(pc, { isTcpOnly, send, onproblem, onanswer = () => {} }) {
  const isRefused = (candidate) => isTcpOnly && / udp /i.test(candidate);
  pc.addEventListener("icecandidate", ({ candidate }) => {
    const value = candidate?.candidate ?? "";
    if (!isRefused(value)) send({ type: "webrtc/candidate", value });
  });
  return ({ type, value = "" }) => {
    if (type === "webrtc/candidate" && !isRefused(value)) {
      const candidate = value === "" ? undefined : { candidate: value, sdpMid: "0" };
      pc.addIceCandidate(candidate).catch((error) => console.warn("webrtc: candidate refused:", error.message));
    } else if (type === "webrtc/answer") {
      const lines = value.split(/\r?\n/).filter((line) => !(line.startsWith("a=candidate:") && isRefused(line)));
      pc.setRemoteDescription({ type: "answer", sdp: lines.join("\r\n") }).then(
        onanswer,
        (error) => onproblem(`webrtc: ${error.message}`),
      );
    }
  };
}

/** Calls back with a video element of its own once that shows the first picture (or plays sound) of what comes in. */
export function firstPicture(pc, onpicture) {
  const tracks = pc.getTransceivers().filter((one) => /recvonly|sendrecv/.test(one.currentDirection ?? ""))
    .map((one) => one.receiver.track);
  const video = document.createElement("video");
  video.muted = true;
  video.addEventListener("loadeddata", () => onpicture(video), { once: true });
  video.srcObject = new MediaStream(tracks);
  // Who only talks has nothing to wait for.
  if (tracks.length === 0) return onpicture(video);
  video.play().catch(() => {
    // Only its first picture is of interest.
  });
}

/** Ends a peer connection and lets go of the microphone. */
export function closePeer(pc) {
  for (const sender of pc.getSenders()) sender.track?.stop();
  pc.close();
}

/** What a peer connection receives and sends, for a read-out: counts, bytes, milliseconds. */
export async function peerFigures(pc) {
  const found = { codecs: [], bytes: 0, lost: 0, packets: 0, freezes: 0, asked: 0, sentBytes: 0 };
  const all = await pc.getStats();
  for (const one of all.values()) {
    if (one.type === "inbound-rtp") {
      found.codecs.push(all.get(one.codecId)?.mimeType.split("/")[1] ?? "");
      found.bytes += one.bytesReceived ?? 0;
      found.packets += one.packetsReceived ?? 0;
      found.lost += one.packetsLost ?? 0;
      found.freezes += one.freezeCount ?? 0;
      found.asked += one.nackCount ?? 0;
      if (one.kind === "video" && one.jitterBufferEmittedCount > 0) {
        found.bufferMs = one.jitterBufferDelay / one.jitterBufferEmittedCount * 1000;
      }
    } else if (one.type === "outbound-rtp") {
      found.sentBytes += one.bytesSent ?? 0;
      if (one.kind === "video") Object.assign(found, { sentWidth: one.frameWidth, sentHeight: one.frameHeight });
      found.codecs.push(all.get(one.codecId)?.mimeType.split("/")[1] ?? "");
    } else if (one.type === "candidate-pair" && one.nominated) {
      found.roundTripMs = (one.currentRoundTripTime ?? 0) * 1000;
      found.protocol = all.get(one.remoteCandidateId)?.protocol ?? "";
    }
  }
  return found;
}
