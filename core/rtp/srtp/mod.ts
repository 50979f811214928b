/** Encrypted RTP: what WebRTC and HomeKit peers are sent and send (RFC 3711, RFC 7714, RFC 4588). */
export type { SrtpBackend } from "./cipher.ts";
export * from "./index_window.ts";
export * from "./keys.ts";
export * from "./profile.ts";
export * from "./receiver.ts";
export * from "./sender.ts";
