import { ask, showServer, tell } from "./shell.js";

const $ = (selector) => document.querySelector(selector);
const text = $("#editor textarea");
const numbers = $("#editor pre");
const note = $("#note");
const save = $("#save");
let saved = "";
let marked = 0;

function showNumbers() {
  const count = text.value.split("\n").length;
  const lines = Array.from({ length: count }, (_, i) => (i + 1 === marked ? `<b>${i + 1}</b>` : i + 1));
  numbers.innerHTML = lines.join("\n") + "\n\n\n";
  numbers.scrollTop = text.scrollTop;
}

function onEdit() {
  const isChanged = text.value !== saved;
  save.disabled = !isChanged || text.disabled;
  $("#state").textContent = isChanged ? "not saved" : "";
  showNumbers();
}

/** Marks the line that a message names, and goes there. */
function mark(message) {
  marked = Number(/\bline (\d+)|:(\d+):\d+/.exec(message)?.slice(1).find(Boolean) ?? 0);
  showNumbers();
  if (marked === 0) return;
  const lineHeight = Number.parseFloat(getComputedStyle(text).lineHeight);
  text.scrollTop = Math.max(0, (marked - 5) * lineHeight);
}

async function read() {
  try {
    return await (await ask("api/config")).text();
  } catch (error) {
    // No file yet: saving makes one.
    if (error.status === 404) return "";
    throw error;
  }
}

async function load() {
  try {
    text.value = saved = await read();
    text.disabled = false;
    tell(note, "");
  } catch (error) {
    const isOff = error.status === 410;
    tell(
      note,
      isOff ? "The server runs without a config file, so there is nothing to edit here." : error.message,
      "bad",
    );
  }
  onEdit();
  await showProblems();
}

// A server without this route has nothing to say.
async function showProblems() {
  try {
    const problems = await (await ask("api/config/problems")).json();
    tell($("#problems"), problems.join("\n"), "warn");
    if (problems.length > 0) mark(problems[0]);
  } catch {
    tell($("#problems"), "");
  }
}

async function store() {
  if (save.disabled) return;
  save.disabled = true;
  const body = text.value;
  marked = 0;
  try {
    if (await read() !== saved && !confirm("The file was changed elsewhere since it was loaded. Overwrite it?")) {
      return onEdit();
    }
    await ask("api/config", { method: "POST", body });
    saved = body;
    tell(note, "Saved. Changed streams are applied at once.", "good");
  } catch (error) {
    // Saved, but part of it is not applied: the message says which.
    if (error.status === 409) saved = body;
    tell(note, error.message, error.status === 409 ? "warn" : "bad");
    mark(error.message);
  }
  onEdit();
  await showProblems();
}

async function restart() {
  if (text.value !== saved && !confirm("There are changes that are not saved. Restart all the same?")) return;
  try {
    await ask("api/restart", { method: "POST" });
    tell(note, "The server is starting anew…");
    await waitForServer();
    tell(note, "The server is back.", "good");
  } catch (error) {
    tell(note, error.message, "bad");
  }
}

async function waitForServer() {
  for (let tries = 0; tries < 30; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    try {
      return await ask("api");
    } catch (error) {
      if (error.status !== 0) return;
    }
  }
  throw new Error("The server did not come back within 20 s, look at its log");
}

text.addEventListener("input", onEdit);
text.addEventListener("scroll", () => numbers.scrollTop = text.scrollTop);
text.addEventListener("keydown", (event) => {
  if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    store();
  } else if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey) {
    // Escape first, then Tab leaves the editor.
    if (isLeaving) return;
    event.preventDefault();
    text.setRangeText("  ", text.selectionStart, text.selectionEnd, "end");
    onEdit();
  }
  isLeaving = event.key === "Escape";
});
let isLeaving = false;
save.addEventListener("click", store);
$("#restart").addEventListener("click", restart);
addEventListener("beforeunload", (event) => {
  if (!text.disabled && text.value !== saved) event.preventDefault();
});

load();
showServer();
