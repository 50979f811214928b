/** Modules of Node for TLS, which most programs never need: 3 MB, loaded at the first call. */
import { createRequire } from "node:module";

const load = createRequire(import.meta.url);

export function nodeTls(): typeof import("node:tls") {
  return load("node:tls");
}

export function nodeHttps(): typeof import("node:https") {
  return load("node:https");
}
