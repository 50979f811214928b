import { files, isNotFound } from "../../core/mod.ts";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  txt: "text/plain; charset=utf-8",
  json: "application/json",
  map: "application/json",
  webmanifest: "application/manifest+json",
  wasm: "application/wasm",
  svg: "image/svg+xml",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  ico: "image/x-icon",
  woff2: "font/woff2",
  mp4: "video/mp4",
};

/** For files without a time of their own (in a compiled program): they change when the program does. */
const startedMs = Date.now();

/** A folder of files that is served over HTTP. Nothing outside it can be reached; hidden files are not served. */
export class StaticFolder {
  readonly #root: URL;
  readonly #headers: Readonly<Record<string, string>>;

  /** `root` ends in a slash; `headers` go with every page (HTML). */
  constructor(root: URL, headers: Readonly<Record<string, string>> = {}) {
    this.#root = root;
    this.#headers = headers;
  }

  /** Answers a GET for a path below the folder, as it stands in the request's URL, without a leading slash. */
  async respond(path: string, request: Headers): Promise<Response> {
    const names = namesOf(path);
    if (!names) return notFound();
    if (names.at(-1) === "index.html") return redirect("./");
    const isFolder = names.at(-1) === "";
    if (isFolder) names[names.length - 1] = "index.html";
    const url = new URL(names.map(encodeURIComponent).join("/"), this.#root);
    try {
      const { isFile, isDirectory, size, modifiedMs } = await files.info(url);
      if (isDirectory && !isFolder) return redirect(`${encodeURIComponent(names.at(-1)!)}/`);
      if (!isFile) return notFound();
      const changedMs = modifiedMs || startedMs;
      const headers = new Headers({
        "cache-control": "no-cache",
        "etag": `"${size.toString(36)}-${Math.floor(changedMs).toString(36)}"`,
        "last-modified": new Date(changedMs).toUTCString(),
        "x-content-type-options": "nosniff",
      });
      if (isUnchanged(request, headers.get("etag")!, changedMs)) return new Response(null, { status: 304, headers });
      const extension = /\.([^.]+)$/.exec(names.at(-1)!)?.[1]?.toLowerCase() ?? "";
      headers.set("content-type", TYPES[extension] ?? "application/octet-stream");
      if (extension === "html") { for (const [name, value] of Object.entries(this.#headers)) headers.set(name, value); }
      return new Response(await files.read(url) as Uint8Array<ArrayBuffer>, { headers });
    } catch (error) {
      // A name that the system refuses (too long, a file used as a folder) is not there either.
      if (isNotFound(error) || error instanceof TypeError || isOddName(error)) return notFound();
      throw error;
    }
  }
}

// The parts of a path, or nothing if one of them could lead elsewhere: the last is empty for a folder.
function namesOf(path: string): string[] | undefined {
  const names: string[] = [];
  const parts = path.split("/");
  for (const [i, part] of parts.entries()) {
    let name: string;
    try {
      name = decodeURIComponent(part);
    } catch {
      return undefined;
    }
    const isLast = i === parts.length - 1;
    if (name === "" && !isLast) return undefined;
    if (name.startsWith(".") || /[/\\:\p{Cc}]|[. ]$/u.test(name)) return undefined;
    names.push(name);
  }
  return names;
}

function isOddName(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENAMETOOLONG" || code === "ENOTDIR" || code === "EINVAL";
}

function isUnchanged(request: Headers, etag: string, changedMs: number): boolean {
  const tags = request.get("if-none-match");
  if (tags !== null) {
    return tags.trim() === "*" || tags.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
  }
  const since = Date.parse(request.get("if-modified-since") ?? "");
  return Math.floor(changedMs / 1000) * 1000 <= since;
}

function redirect(location: string): Response {
  return new Response(null, { status: 301, headers: { location } });
}

function notFound(): Response {
  return new Response("404 page not found\n", {
    status: 404,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}
