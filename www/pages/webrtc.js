import { mediaWords, openDevices } from "../player/devices.js";
import { PeerLink } from "../player/link.js";

const $ = (selector) => document.querySelector(selector);

const query = new URLSearchParams(location.search);
const isSync = document.body.dataset.signalling === "sync";
const src = query.get("src");
const dst = query.get("dst");
const words = mediaWords(query.get("media") ?? (dst && !src ? "" : "video+audio"));
const isPublishing = dst !== null && src === null;
const video = $("video");
let link;
let sentBefore = { atMs: 0, bytes: 0 };

const SENT = ["camera", "microphone", "display", "speaker"];
const STATES = { connecting: "Connecting…", live: isPublishing ? "On air" : "Live", waiting: "Waiting" };

function tell(state, text) {
  document.body.dataset.state = state;
  $("#state").textContent = text;
}

async function start(chosen) {
  $("#choice").hidden = true;
  tell("connecting", "Waiting for the browser…");
  const { tracks, problems } = await openDevices(chosen);
  $("#problem").textContent = problems.join("\n");
  const kinds = ["video", "audio"].filter((kind) => src !== null && chosen.has(kind));
  if (tracks.length === 0 && kinds.length === 0) return stop();
  // A page that shows what it sends is silent, or it would hear itself.
  if (isPublishing) video.srcObject = new MediaStream(tracks.filter(({ kind }) => kind === "video"));
  link = new PeerLink({
    query: isPublishing ? new URLSearchParams({ dst }) : new URLSearchParams({ src }),
    tracks,
    kinds,
    isSync,
  });
  link.addEventListener("state", ({ detail: { state, reason } }) => {
    tell(state, reason ? `${STATES[state]}: ${reason}` : STATES[state]);
    if (!isPublishing && state === "live") show(link.stream);
  });
  // The viewer stopped sharing with the browser's own button.
  for (const track of tracks) track.addEventListener("ended", () => isPublishing && stop());
  $("#stop").hidden = false;
  $("#sound").hidden = isPublishing;
  await link.run();
}

function show(stream) {
  video.srcObject = stream;
  video.play().catch(() => {
    // Not even without sound: the viewer has to press play.
  });
}

function stop() {
  link?.close();
  link = undefined;
  video.srcObject = null;
  $("#stop").hidden = true;
  $("#sound").hidden = true;
  $("#figures").textContent = "";
  $("#choice").hidden = !isPublishing;
  tell("idle", isPublishing ? "Off air" : "Stopped");
}

async function showFigures() {
  const figures = await link?.figures();
  if (!figures) return;
  const nowMs = performance.now();
  const bytes = isPublishing ? figures.sentBytes : figures.bytes;
  const mbits = Math.max(0, bytes - sentBefore.bytes) * 8 / 1000 / Math.max(1, nowMs - sentBefore.atMs);
  sentBefore = { atMs: nowMs, bytes };
  const { sentWidth, sentHeight, codecs, roundTripMs } = figures;
  const size = isPublishing
    ? sentWidth && `${sentWidth}×${sentHeight}`
    : video.videoWidth > 0 && `${video.videoWidth}×${video.videoHeight}`;
  $("#figures").textContent = [
    codecs.join(" "),
    size,
    `${mbits.toFixed(2)} Mbit/s`,
    roundTripMs !== undefined && `${roundTripMs.toFixed(0)} ms`,
  ].filter(Boolean).join(" · ");
}

$("#stop").addEventListener("click", stop);
$("#sound").addEventListener("click", () => {
  video.muted = !video.muted;
  $("#sound").textContent = video.muted ? "Sound on" : "Sound off";
});
for (const button of document.querySelectorAll("#choice [data-media]")) {
  button.addEventListener("click", () => start(mediaWords(button.dataset.media)));
}
addEventListener("pagehide", () => link?.close());
setInterval(showFigures, 1000);

const name = src ?? dst ?? "";
document.title = `${name || "WebRTC"} · Lenswire`;
$("#name").textContent = name;
if (name === "") {
  $("#none").hidden = false;
  $(".chip").hidden = true;
} else if (isPublishing && (words.size === 0 || words.has("display") || words.has("speaker"))) {
  // Browsers share a screen only when the viewer has pressed something.
  stop();
  const asked = [...words].filter((word) => SENT.includes(word)).join("+");
  if (asked) $("#asked").dataset.media = asked;
  $("#asked").hidden = asked === "";
} else {
  start(words);
}
