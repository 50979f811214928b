import { ApiError, ask, h, repeat, showServer, tell } from "./shell.js";

/** Pictures of running streams are taken anew after this time. */
const PICTURE_MS = 30_000;

const $ = (selector) => document.querySelector(selector);
const rows = new Map();

/** What a stream does, from the states of its sources: the best of them counts. */
function stateOf(producers) {
  const states = producers.filter(({ state }) => state !== undefined);
  const best = ["live", "connecting", "no video", "frozen", "refused", "offline", "idle"]
    .map((name) => states.find(({ state }) => state === name)).find(Boolean);
  if (best) return { state: best.state, cause: best.cause ?? "" };
  return { state: producers.some(({ receivers }) => receivers) ? "live" : "idle", cause: "" };
}

const LABELS = { live: "Live", connecting: "Connecting…", "no video": "No picture", frozen: "Frozen", idle: "Idle" };
LABELS.refused = "Refused";
LABELS.offline = "Offline";

function classOf(state) {
  return state === "live" || state === "connecting" || state === "idle" ? state : "trouble";
}

const NAMES = { h264: "H264", hevc: "H265", av1: "AV1", mjpeg: "JPEG", aac: "AAC", opus: "Opus", pcm_alaw: "PCMA" };
NAMES.pcm_mulaw = "PCMU";

function codecsOf(producers) {
  const names = producers.flatMap(({ receivers }) => receivers ?? []).map(({ codec }) => codec.codec_name);
  return [...new Set(names)].map((name) => NAMES[name] ?? name.toUpperCase()).join(" · ");
}

function makeRow(name) {
  const query = new URLSearchParams({ src: name });
  const page = `stream.html?${query}`;
  const row = h("tr");
  const parts = {
    row,
    tick: h("input", { type: "checkbox", "aria-label": `Choose ${name}`, onchange: onTick }),
    shot: h("a", { class: "shot", href: page, "aria-label": `Watch ${name}` }),
    state: h("span"),
    codecs: h("td", { class: "codecs" }),
    online: h("a", { href: `net.html?${query}` }),
    pictureMs: -Infinity,
  };
  row.append(
    h("td", {}, parts.tick),
    h("td", {}, parts.shot),
    h(
      "td",
      {},
      h("div", { class: "name" }, h("a", { href: page }, name)),
      h("div", { class: "state" }, h("span", { class: "dot" }), parts.state),
    ),
    parts.codecs,
    h("td", { class: "online" }, parts.online),
    h(
      "td",
      { class: "commands" },
      h("a", { href: page }, "stream"),
      h("a", { href: `links.html?${query}` }, "links"),
      h("a", { href: `api/streams?${query}` }, "info"),
      h(
        "a",
        { href: `api/streams?${query}&video=all&audio=all&microphone`, title: "Connect, and show what there is" },
        "probe",
      ),
      h("button", { type: "button", onclick: () => askDelete(name) }, "delete"),
    ),
  );
  return parts;
}

function fillRow(parts, name, { producers, consumers }) {
  const { state, cause } = stateOf(producers ?? []);
  parts.row.className = classOf(state);
  const text = cause && classOf(state) === "trouble" ? `${LABELS[state]}: ${cause}` : LABELS[state] ?? state;
  setText(parts.state, text);
  setText(parts.codecs, codecsOf(producers ?? []));
  const count = consumers?.length ?? 0;
  setText(parts.online, count === 1 ? "1 viewer" : `${count} viewers`);
  if (state === "live" && performance.now() - parts.pictureMs > PICTURE_MS) takePicture(parts, name);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A keyframe as a file of its own; only of what runs anyway, so that no camera is woken for it.
function takePicture(parts, name) {
  parts.pictureMs = performance.now();
  const video = h("video", { preload: "auto", playsinline: true, tabindex: "-1" });
  video.muted = true;
  video.addEventListener("loadeddata", () => {
    parts.shot.replaceChildren(video);
    parts.shot.classList.add("has-picture");
  });
  video.src = `api/frame.mp4?${new URLSearchParams({ src: name })}`;
}

function show(streams) {
  const names = Object.keys(streams);
  for (const [name, parts] of rows) {
    if (Object.hasOwn(streams, name)) continue;
    parts.row.remove();
    rows.delete(name);
  }
  const body = $("#streams tbody");
  for (const [i, name] of names.entries()) {
    if (!rows.has(name)) rows.set(name, makeRow(name));
    const parts = rows.get(name);
    if (body.children[i] !== parts.row) body.insertBefore(parts.row, body.children[i] ?? null);
    fillRow(parts, name, streams[name]);
  }
  $("#streams").hidden = names.length === 0;
  $("#empty").hidden = names.length > 0;
  $("#watch-bar").hidden = names.length === 0;
  onTick();
}

function ticked() {
  return [...rows].filter(([, { tick }]) => tick.checked).map(([name]) => name);
}

function onTick() {
  const count = ticked().length;
  $("#all").checked = count > 0 && count === rows.size;
  $("#all").indeterminate = count > 0 && count < rows.size;
  $("#watch").disabled = count === 0;
}

$("#all").addEventListener("change", () => {
  for (const { tick } of rows.values()) tick.checked = $("#all").checked;
  onTick();
});

$("#watch").addEventListener("click", () => {
  const query = new URLSearchParams();
  for (const name of ticked()) query.append("src", name);
  const modes = [...document.querySelectorAll("[name=mode]:checked")].map(({ value }) => value);
  const all = document.querySelectorAll("[name=mode]").length;
  if (modes.length > 0 && modes.length < all) query.append("mode", modes.join(","));
  location.href = `stream.html?${query}`;
});

let toDelete = "";

function askDelete(name) {
  toDelete = name;
  $("#delete-name").textContent = name;
  $("#delete-input").value = "";
  $("#delete-input").placeholder = name;
  $("#delete-go").disabled = true;
  tell($("#delete-note"), "");
  $("#delete").showModal();
}

$("#delete-input").addEventListener("input", ({ target }) => $("#delete-go").disabled = target.value !== toDelete);
$("#delete-cancel").addEventListener("click", () => $("#delete").close());
$("#delete form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask("api/streams", { method: "DELETE", query: { src: toDelete } });
    $("#delete").close();
  } catch (error) {
    tell($("#delete-note"), error.message, "bad");
  }
  refresh();
});

$("#add form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const src = form.elements.src.value.trim();
  const note = $("#add-note");
  if (src === "") return tell(note, "Enter the address of the camera first.", "bad");
  const name = form.elements.name.value.trim() || nameFor(src);
  form.elements.add.disabled = true;
  try {
    await add(name, src);
    form.reset();
    tell(note, `"${name}" was added.`, "good");
  } catch (error) {
    tell(note, explain(error), error.status === 400 && isUnsaved(error) ? "warn" : "bad");
  }
  form.elements.add.disabled = false;
  refresh();
});

/** The camera's host, or how the address begins where it names none. */
function nameFor(src) {
  const host = /:\/\/(?:[^/?#]*@)?(\[[^\]]+\]|[^/?#:]+)/.exec(src)?.[1] ?? src.split(":")[0];
  let name = host;
  for (let i = 2; rows.has(name); i++) name = `${host}-${i}`;
  return name;
}

function add(name, src) {
  return ask("api/streams", { method: "PUT", query: { name, src } });
}

function isUnsaved(error) {
  return error.message.includes("config file disabled");
}

function explain(error) {
  if (isUnsaved(error)) {
    return "The stream was added, but only until the next start: the server runs without a config file.";
  }
  const text = error.message.replace(/^streams: /, "");
  if (text.includes("source not supported") || text.includes("unsupported scheme")) {
    return "This server knows no such kind of address: check how it begins, for example rtsp://";
  }
  if (text.includes("insecure producer")) {
    return "Sources that run commands can only be set in the config file, not from here.";
  }
  return text;
}

$("#try-demo").addEventListener("click", async () => {
  try {
    await add("demo", "demo:");
  } catch (error) {
    if (!isUnsaved(error)) tell($("#add-note"), explain(error), "bad");
  }
  refresh();
});
$("#go-add").addEventListener("click", () => $("#add input[name=src]").focus());

const refresh = repeat(async () => {
  try {
    show(await (await ask("api/streams")).json());
    tell($("#problem"), "");
  } catch (error) {
    const text = error instanceof ApiError ? error.message : `Cannot read the list of streams: ${error.message}`;
    tell($("#problem"), text, "bad");
  }
}, 1000);

showServer();
