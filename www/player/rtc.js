/** A connection that reports `disconnected` may come back by itself within this time, in milliseconds. */
const RECOVER_MS = 1500;

/** Weights by which picture and sound of two technologies are compared: the larger sum is the better stream. */
const WEIGHT = { rtcVideo: 0x220, rtcVideoH265: 0x240, rtcAudio: 0x102, hevc: 0x230, avc: 0x210, aac: 0x101 };

/** What a WebRTC stream is worth. */
export function rtcWorth(stream, sdp) {
  let worth = 0;
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
  if (media.includes("microphone")) {
    try {
      const devices = globalThis.navigator.mediaDevices;
      if (!devices) throw new Error("the browser gives it to secure pages (https) only");
      const stream = await devices.getUserMedia({ audio: true });
      for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: "sendonly" });
    } catch (error) {
      onproblem(`no microphone: ${error.message}`);
    }
  }
  if (pc.signalingState === "closed") return undefined;
  for (const kind of ["video", "audio"]) if (media.includes(kind)) pc.addTransceiver(kind, { direction: "recvonly" });
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  return pc.localDescription.sdp;
}

/** Calls back with a video element of its own once that shows the first picture (or plays sound) of what comes in. */
export function firstPicture(pc, onpicture) {
  const tracks = pc.getTransceivers().filter((one) => /recvonly|sendrecv/.test(one.currentDirection ?? ""))
    .map((one) => one.receiver.track);
  const video = document.createElement("video");
  video.muted = true;
  video.addEventListener("loadeddata", () => onpicture(video), { once: true });
  video.srcObject = new MediaStream(tracks);
  video.play().catch(() => {
    // Only its first picture is of interest.
  });
}

/** Ends a peer connection and lets go of the microphone. */
export function closePeer(pc) {
  for (const sender of pc.getSenders()) sender.track?.stop();
  pc.close();
}
