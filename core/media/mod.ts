/** Frames, logs, readers, renditions: what flows from every producer to every consumer. Knows no container. */
export * from "./budget.ts";
export * from "./clock.ts";
export * from "./codec.ts";
export * from "./described.ts";
export * from "./frame.ts";
export * from "./inspect.ts";
export * from "./log.ts";
export * from "./media.ts";
export * from "./outlet.ts";
export * from "./reader.ts";
export * from "./rendition.ts";
export * from "./track.ts";
