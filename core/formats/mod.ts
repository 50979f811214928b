/** Containers and elementary streams: muxers as renditions, demuxers as frame sources. */
export * from "./adts.ts";
export * from "./annexb.ts";
export * from "./demuxer.ts";
export * from "./fmp4/mod.ts";
export * from "./mpegts/mod.ts";
