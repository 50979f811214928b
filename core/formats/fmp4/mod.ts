/** Fragmented MP4 (ISO/IEC 14496-12): init segments, one fragment a frame, and a reader. */
export * from "./init_segment.ts";
export * from "./mime.ts";
export * from "./reader.ts";
export * from "./rendition.ts";
export * from "./timeline.ts";
