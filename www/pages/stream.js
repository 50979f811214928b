import "../video-stream.js";

const query = new URLSearchParams(location.search);
const sources = query.getAll("src");
const modes = query.getAll("mode");
const background = query.get("background") !== "false";
const width = query.get("width") ?? "";
const media = query.get("media")?.split(/[\s,+]+/).filter(Boolean).join();

if (sources.length === 0) {
  const note = document.createElement("p");
  note.className = "none";
  note.innerHTML = 'No stream was chosen. <a href="./">Back to the list</a>';
  document.body.append(note);
} else {
  document.title = `${sources.join(", ")} · Lenswire`;
}

if (/^\d+(\.\d+)?(px|%|em|rem|vw|vh)?$/.test(width)) {
  document.body.style.setProperty("--width", /\d$/.test(width) ? `${width}px` : width);
}

const count = sources.length === 0 ? 0 : Math.max(sources.length, modes.length);
document.body.classList.toggle("many", count > 1 || width !== "");

for (let i = 0; i < count; i++) {
  // The shorter list is filled up with its first entry.
  const source = sources[i] ?? sources[0];
  const mode = modes[i] ?? modes[0];
  const player = document.createElement("video-stream");
  player.background = background;
  if (mode) player.mode = mode;
  if (media) player.media = media;
  const address = new URL("api/ws", document.baseURI);
  address.searchParams.set("src", source);
  player.src = address.href;
  document.body.append(player);
}
