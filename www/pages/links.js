import { ask, h, showServer, tell } from "./shell.js";

const src = new URLSearchParams(location.search).get("src") ?? "";

function copyButton(text) {
  const button = h("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Pages that are not secure have no clipboard: the text is marked, the viewer copies it.
      getSelection().selectAllChildren(button.parentElement.previousElementSibling);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => button.textContent = "Copy", 1600);
  });
  return button;
}

function whole(url) {
  return new URL(url, document.baseURI).href;
}

function section(title, links) {
  const list = h("dl");
  for (const { label, url, isText } of links) {
    const href = isText ? url : whole(url);
    const shown = isText ? h("span", { class: "mono" }, href) : h("a", { href, class: "mono" }, href);
    list.append(h("dt", {}, label), h("dd", {}, shown), h("dd", {}, copyButton(href)));
  }
  return h("section", { class: "card" }, h("h2", {}, title), list);
}

/** A form with one text that is sent somewhere; `send` answers what to say then. */
function action(title, { hint, placeholder, button, send }) {
  const note = h("p", { class: "note", role: "status", hidden: true });
  const input = h("input", { type: "text", name: "value", placeholder, "aria-label": title, spellcheck: "false" });
  input.autocomplete = "off";
  const form = h("form", { class: "row" }, input, h("button", { type: "submit" }, button));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    tell(note, "…");
    try {
      tell(note, await send(input.value.trim()), "good");
    } catch (error) {
      tell(note, error.message.replace(/^streams: /, ""), "bad");
    }
  });
  return h("section", { class: "card" }, h("h2", {}, title), form, h("p", { class: "hint" }, hint), note);
}

function publishForm() {
  return action("Publish to another server", {
    hint: "Pushes the stream there until this server ends or the stream is removed.",
    placeholder: "rtmp://…, rtsp://…",
    button: "Publish",
    send: async (dst) => {
      await ask("api/streams", { method: "POST", query: { src, dst } });
      return "It is published.";
    },
  });
}

function playForm() {
  return action("Play to the camera's speaker", {
    hint:
      "A file, a stream or text-to-speech, as a source: ffmpeg:https://…/sound.mp3#audio=pcma#input=file. Empty stops.",
    placeholder: "ffmpeg:…",
    button: "Play",
    send: async (source) => {
      await ask("api/streams", { method: "POST", query: { dst: src, src: source } });
      return source === "" ? "It is silent." : "It plays.";
    },
  });
}

/** Whether a producer of the stream has a speaker. */
function hasSpeaker({ producers }) {
  return (producers ?? []).some(({ medias }) => (medias ?? []).some((media) => /^audio, sendonly/.test(media)));
}

/** The address of the RTSP server, with the host by which this page was reached. */
function rtspBase({ listen = ":8554" } = {}) {
  const [, host, port] = /^(.*):(\d+)$/.exec(listen) ?? ["", "", "8554"];
  const isOwn = host === "" || host === "0.0.0.0" || host === "[::]";
  return `rtsp://${isOwn ? location.hostname : host}:${port}/`;
}

function show(info, stream) {
  const query = new URLSearchParams({ src });
  const name = encodeURIComponent(src).replaceAll("%2F", "/");
  const sections = [
    section("In the browser", [
      { label: "Best technology", url: `stream.html?${query}` },
      { label: "WebRTC", url: `stream.html?${query}&mode=webrtc` },
      { label: "MSE", url: `stream.html?${query}&mode=mse` },
      { label: "With a read-out", url: `stream.html?${query}&stats` },
    ]),
  ];
  sections.push(
    section("WebRTC", [
      { label: "Watch", url: `webrtc.html?${query}&media=video+audio` },
      { label: "Watch and talk", url: `webrtc.html?${query}&media=video+audio+microphone` },
      { label: "Publish my camera", url: `webrtc.html?dst=${encodeURIComponent(src)}&media=camera+microphone` },
      { label: "Publish my screen", url: `webrtc.html?dst=${encodeURIComponent(src)}&media=display+speaker` },
      { label: "WHEP, for players", url: whole(`api/webrtc?${query}`), isText: true },
      {
        label: "WHIP, for OBS and others",
        url: whole(`api/webrtc?dst=${encodeURIComponent(src)}`),
        isText: true,
      },
    ]),
  );
  if (info?.rtsp) {
    const rtsp = rtspBase(info.rtsp) + name;
    sections.push(section("RTSP, for recorders and players", [
      { label: "Video and audio", url: rtsp, isText: true },
      { label: "For MP4 files", url: `${rtsp}?mp4`, isText: true },
      { label: "All tracks", url: `${rtsp}?video=all&audio=all`, isText: true },
      { label: "Newest picture at once", url: `${rtsp}?start=now`, isText: true },
      { label: "ffplay", url: `ffplay -fflags nobuffer -flags low_delay "${rtsp}"`, isText: true },
    ]));
  }
  sections.push(
    section("Over HTTP", [
      { label: "MP4 stream", url: `api/stream.mp4?${query}` },
      {
        label: "MP4, 15 s as a file",
        url: `api/stream.mp4?${query}&duration=15&filename=${encodeURIComponent(`${src}.mp4`)}`,
      },
      { label: "MP4 of one keyframe", url: `api/frame.mp4?${query}` },
      { label: "Info", url: `api/streams?${query}` },
    ]),
    publishForm(),
    ...(hasSpeaker(stream) ? [playForm()] : []),
  );
  document.querySelector("#links").replaceChildren(...sections);
}

document.querySelector("#title").textContent = src || "Links";
document.title = `${src || "Links"} · Lenswire`;
const open = document.querySelector("#open");
open.href = `stream.html?${new URLSearchParams({ src })}`;
open.hidden = src === "";

const info = await showServer();
if (src === "") {
  tell(document.querySelector("#problem"), "No stream was chosen.", "warn");
} else {
  show(info, {});
  try {
    show(info, await (await ask("api/streams", { query: { src } })).json());
  } catch (error) {
    tell(
      document.querySelector("#problem"),
      error.status === 404 ? `There is no stream "${src}" now.` : error.message,
      "warn",
    );
  }
}
