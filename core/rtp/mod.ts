/** RTP: packets, reports, session descriptions, payload formats; frames made of packets, and packets made of frames. */
export * from "./packet.ts";
export * from "./payload_formats.ts";
export type { Depacketizer, PayloadFormat, RtpPart } from "./payloads/format.ts";
export * from "./receiver.ts";
export * from "./reception.ts";
export * from "./rendition.ts";
export * from "./reorder.ts";
export * from "./rtcp.ts";
export * from "./rtp_payload.ts";
export * from "./sdp.ts";
export * from "./slab_memory.ts";
export * from "./sound_slab.ts";
export * from "./srtp/mod.ts";
