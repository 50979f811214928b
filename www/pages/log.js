import { ask, h, repeat, showServer, tell } from "./shell.js";

const $ = (selector) => document.querySelector(selector);
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "panic"];
const SHORT = { trace: "TRC", debug: "DBG", info: "INF", warn: "WRN", error: "ERR", fatal: "FTL", panic: "PNC" };
/** The oldest lines beyond this are left out: the page must stay quick. */
const MAX_LINES = 3000;

let lines = [];
let raw = "";

function parse(text) {
  const parsed = [];
  for (const line of text.split("\n")) {
    try {
      if (line !== "") parsed.push(JSON.parse(line));
    } catch {
      parsed.push({ level: "info", message: line });
    }
  }
  return parsed.slice(-MAX_LINES);
}

function timeOf(time) {
  if (time === undefined) return "";
  const date = new Date(/^\d+$/.test(time) ? Number(time) : time);
  if (Number.isNaN(date.getTime())) return String(time);
  const two = (value) => String(value).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function fieldsOf(line) {
  const { time: _time, level: _level, message: _message, ...fields } = line;
  return Object.entries(fields).map(([name, value]) =>
    ` ${name}=${typeof value === "object" ? JSON.stringify(value) : value}`
  ).join("");
}

function show() {
  const least = Number($("#level").value);
  const wanted = $("#search").value.toLowerCase();
  const shown = lines.filter((line) => {
    if (LEVELS.indexOf(line.level ?? "info") < least) return false;
    return wanted === "" || `${line.message}${fieldsOf(line)}`.toLowerCase().includes(wanted);
  });
  if ($("#reverse").checked) shown.reverse();
  const scroll = $("#scroll");
  const isAtEnd = scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 40;
  $(".log tbody").replaceChildren(...shown.map((line) => {
    const level = line.level ?? "info";
    return h(
      "tr",
      { class: level },
      h("td", {}, timeOf(line.time)),
      h("td", {}, SHORT[level] ?? level),
      h("td", {}, line.message ?? "", h("i", {}, fieldsOf(line))),
    );
  }));
  if (shown.length === 0) {
    const text = lines.length === 0 ? "The log is empty." : "No line fits.";
    $(".log tbody").append(h("tr", {}, h("td", {}, ""), h("td", {}, ""), h("td", {}, h("i", {}, text))));
  }
  if (isAtEnd && !$("#reverse").checked) scroll.scrollTop = scroll.scrollHeight;
}

async function load() {
  try {
    const text = await (await ask("api/log")).text();
    tell($("#problem"), "");
    if (text === raw) return;
    raw = text;
    lines = parse(text);
    show();
  } catch (error) {
    tell($("#problem"), error.message, "bad");
  }
}

for (const name of ["level", "reverse"]) $(`#${name}`).addEventListener("change", show);
$("#search").addEventListener("input", show);
$("#clean").addEventListener("click", async () => {
  try {
    await ask("api/log", { method: "DELETE" });
  } catch (error) {
    return tell($("#problem"), error.message, "bad");
  }
  await load();
});
$("#auto").addEventListener("change", () => $("#auto").checked && load());

repeat(async () => {
  if ($("#auto").checked || raw === "") await load();
}, 5000);
showServer();
