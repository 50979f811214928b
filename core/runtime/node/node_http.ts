import { createRequire } from "node:module";

/**
 * `node:http`, without what an `import` of it costs: that reads every name of it, one of which brings 10 MB of a web
 * client along on Node 22.
 */
export const http = createRequire(import.meta.url)("node:http") as typeof import("node:http");
