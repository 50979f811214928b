import { ask, bytes, h, repeat, showServer, tell } from "./shell.js";

const $ = (selector) => document.querySelector(selector);
const only = new URLSearchParams(location.search).getAll("src");
const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 218, height: 46, gap: 14 };
const COLUMNS = [0, 300, 600];

/** Bytes that each connection had counted at the last look, for the rates. */
let before = new Map();
let beforeMs = 0;

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function hostOf({ remote_addr: address, url = "" }) {
  if (address) return address.replace(/^.* forwarded /, "");
  try {
    return new URL(url).host || url;
  } catch {
    return url;
  }
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function drawBox(at, y, kind, title, subtitle, tip, href) {
  const middle = at + 14;
  const box = svg(
    "g",
    { class: kind },
    svg("title", {}, tip),
    svg("rect", { x: at, y, width: BOX.width, height: BOX.height, rx: 10 }),
    svg("text", { x: middle, y: y + (subtitle ? 20 : 28) }, cut(title, 30)),
    svg("text", { class: "sub", x: middle, y: y + 36 }, cut(subtitle, 36)),
  );
  return href ? svg("a", { href }, box) : box;
}

function drawLine(fromX, fromY, toX, toY, rate) {
  const bend = (toX - fromX) / 2;
  const width = rate > 0 ? Math.min(6, 1.2 + Math.log10(1 + rate / 20_000) * 1.6) : 1;
  const [y1, y2] = [fromY + BOX.height / 2, toY + BOX.height / 2];
  return svg("path", {
    class: rate > 0 ? "flow" : undefined,
    d: `M${fromX} ${y1}C${fromX + bend} ${y1} ${toX - bend} ${y2} ${toX} ${y2}`,
    "stroke-width": width.toFixed(1),
  });
}

function describe(connection) {
  return ["format_name", "protocol", "remote_addr", "url", "user_agent", "state", "cause"]
    .filter((key) => connection[key]).map((key) => `${key}: ${connection[key]}`)
    .concat(connection.medias ?? []).join("\n");
}

function draw(streams) {
  const nowMs = performance.now();
  const counts = new Map();
  const rateOf = (key, count = 0) => {
    counts.set(key, count);
    const was = before.get(key);
    return was === undefined || beforeMs === 0 ? 0 : Math.max(0, (count - was) * 8000 / (nowMs - beforeMs));
  };
  const speed = (rate) => (rate > 0 ? `${bytes(rate).replace(/B$/, "bit")}/s` : "");
  const parts = [];
  let total = 0;
  let y = 0;
  for (const [name, stream] of Object.entries(streams)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const producers = stream.producers ?? [];
    const consumers = stream.consumers ?? [];
    const step = BOX.height + BOX.gap;
    const rowCount = Math.max(1, producers.length, consumers.length);
    const middle = (count) => y + (rowCount - count) * step / 2;
    const streamY = middle(1);
    for (const [i, producer] of producers.entries()) {
      const at = middle(producers.length) + i * step;
      const rate = rateOf(`${name} p${producer.id ?? i}`, producer.bytes_recv);
      const state = producer.state ?? (producer.receivers ? "live" : "idle");
      const kind = state === "live" ? "live" : /idle|connecting/.test(state) ? "" : "trouble";
      const subtitle = [producer.format_name ?? "", state, speed(rate)].filter(Boolean).join(" · ");
      parts.push(drawLine(COLUMNS[0] + BOX.width, at, COLUMNS[1], streamY, rate));
      parts.push(drawBox(COLUMNS[0], at, kind, hostOf(producer), subtitle, describe(producer)));
    }
    for (const [i, consumer] of consumers.entries()) {
      const at = middle(consumers.length) + i * step;
      const rate = rateOf(`${name} c${consumer.id ?? i}`, consumer.bytes_send);
      total += rate;
      const subtitle = [consumer.format_name ?? "", speed(rate)].filter(Boolean).join(" · ");
      parts.push(drawLine(COLUMNS[1] + BOX.width, streamY, COLUMNS[2], at, rate));
      parts.push(drawBox(COLUMNS[2], at, "", hostOf(consumer) || "viewer", subtitle, describe(consumer)));
    }
    const viewers = consumers.length === 1 ? "1 viewer" : `${consumers.length} viewers`;
    const href = `stream.html?${new URLSearchParams({ src: name })}`;
    parts.push(drawBox(COLUMNS[1], streamY, "stream", name, viewers, name, href));
    y += rowCount * step + BOX.gap;
  }
  before = counts;
  beforeMs = nowMs;
  if (parts.length === 0) {
    const text = only.length > 0 ? "There is no such stream now." : "There are no streams yet.";
    return $("#net").replaceChildren(h("p", { class: "soft" }, text));
  }
  const width = COLUMNS[2] + BOX.width + 2;
  const height = y - BOX.gap * 2 + 2;
  $("#net").replaceChildren(svg("svg", { viewBox: `-1 -1 ${width} ${height}`, width, height, role: "img" }, ...parts));
  $("#sum").textContent = total > 0 ? `${speed(total)} to viewers` : "";
}

repeat(async () => {
  try {
    draw(await (await ask("api/streams")).json());
    tell($("#problem"), "");
  } catch (error) {
    tell($("#problem"), error.message, "bad");
  }
}, 2000);
showServer();
