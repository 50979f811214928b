/** MPEG transport streams (ISO/IEC 13818-1). */
export * from "./demuxer.ts";
