/** What all pages share: asking the API, the banner, small pieces of HTML. */

/** An answer that is not what was asked for; its message is for people. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Asks the API; rejects with an `ApiError` in the server's words. */
export async function ask(path, { method = "GET", query, body } = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of [value].flat()) url.searchParams.append(name, one);
  }
  let response;
  try {
    response = await fetch(url, { method, body, cache: "no-store" });
  } catch {
    throw new ApiError(0, "The server does not answer. Is it running?");
  }
  if (response.ok) return response;
  const text = (await response.text()).trim();
  throw new ApiError(
    response.status,
    text.startsWith("<") || text === "" ? `The server answered ${response.status}` : text,
  );
}

/** Makes an element: `h("a", {href: "./"}, "text", child)`; functions become listeners. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Shows a message in a note, or hides the note; the kind is `bad`, `warn`, `good` or nothing. */
export function tell(note, text, kind = "") {
  note.hidden = text === "";
  note.textContent = text;
  note.className = `note ${kind}`;
}

/** Calls `work` again and again, a while after it has ended, as long as the page is seen. Answers what calls it now. */
export function repeat(work, pauseMs) {
  let timer = 0;
  let isBusy = false;
  const turn = async () => {
    clearTimeout(timer);
    if (isBusy) return;
    isBusy = true;
    await work();
    isBusy = false;
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(turn, pauseMs);
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) turn();
  });
  turn();
  return turn;
}

/** A count of bytes for people. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const at = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** at).toFixed(at === 0 ? 0 : 1)} ${units[at]}`;
}

/** What `/api` says of the server, and the banner and the footer made of it. */
export async function showServer() {
  let info;
  try {
    info = await (await ask("api")).json();
  } catch {
    return undefined;
  }
  if (info.open) {
    const text = "Access is open: everybody who reaches this server may do everything. " +
      "Set users in the config and remove access.open.";
    document.querySelector(".bar").after(h("div", { class: "banner", role: "status" }, text));
  }
  const footer = document.querySelector("footer");
  if (footer) {
    footer.replaceChildren(
      h("span", {}, `Lenswire ${info.lenswire ?? info.version}`),
      ...(info.config_path ? [h("span", { class: "mono" }, info.config_path)] : []),
      h("a", { href: "api/docs" }, "API"),
    );
  }
  return info;
}

// The token of the set-up link has done its work when the page is there: it shall not stay in the history.
const here = new URL(location.href);
if (here.searchParams.has("token")) {
  here.searchParams.delete("token");
  history.replaceState(null, "", here);
}
