/** Bitstream facts of every codec, as pure functions over bytes. Knows nothing of frames, RTP or containers. */
export * from "./aac.ts";
export * from "./annexb.ts";
export * from "./av1.ts";
export * from "./bits.ts";
export * from "./flac.ts";
export * from "./g711.ts";
export * from "./h264.ts";
export * from "./h265.ts";
export * from "./jpeg.ts";
export * from "./jpeg_huffman.ts";
export * from "./jpeg_tables.ts";
export * from "./latm.ts";
export type { NalConfig } from "./nal_config.ts";
export * from "./opus.ts";
export * from "./pcm.ts";
export * from "./vp8.ts";
export * from "./vp9.ts";
export { fmtpValue, fromHex } from "./text.ts";
