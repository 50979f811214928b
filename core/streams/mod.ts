/** Streams: what is configured, what is connected, who watches, and how they find each other. */
export * from "./control.ts";
export * from "./dot.ts";
export * from "./entry.ts";
export * from "./filter.ts";
export * from "./ids.ts";
export * from "./json.ts";
export * from "./opener.ts";
export * from "./stream.ts";
export * from "./streams.ts";
export * from "./types.ts";
export * from "./wait.ts";
